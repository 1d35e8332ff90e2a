#!/usr/bin/env node
import { suggestion } from '../options.js';
import { printable } from '../quote.js';
import { version } from '../version.js';
import { bench } from './bench.js';
import { classify } from './classify.js';
import { convert } from './convert.js';
import { embed } from './embed.js';
import { info } from './info.js';
import { complain, heedReadersThatGo, print } from './output.js';
import { plan } from './plan.js';
import { type Command, helpOf, parseCommandLine, UsageError } from './usage.js';

const commands: Readonly<Record<string, Command>> = { classify, embed, info, bench, plan, convert };

/** Exit codes: everything done, some work failed, called wrongly. */
const [done, failed, misused] = [0, 1, 2];

function help(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}\n`);
  return (
    `Usage: cudnn-resnet COMMAND [ARGUMENT...] [OPTION...]\n\nCommands:\n${rows.join('')}\n` +
    "'cudnn-resnet COMMAND --help' tells more; --version prints the version.\n" +
    'Exit codes: 0 done, 1 some work failed, 2 called wrongly.\n'
  );
}

async function run([name, ...args]: string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    await print(help());
    return done;
  }
  if (name === '--version') {
    await print(`${version}\n`);
    return done;
  }
  if (name === undefined) {
    process.stderr.write(help());
    return misused;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const known = name.startsWith('-') ? ['--help', '--version'] : Object.keys(commands);
    const what = name.startsWith('-') ? 'option' : 'command';
    throw new UsageError(`unknown ${what} '${name}'${suggestion(name, known)}`);
  }
  const { operands, given } = parseCommandLine(args, command.options);
  if (given.help) {
    await print(helpOf(name, command));
    return done;
  }
  if (command.operands === '' && operands.length > 0) {
    throw new UsageError(`${name} takes no arguments, got '${operands[0]}'`);
  }
  return command.run(given, operands);
}

heedReadersThatGo();
const words = process.argv.slice(2);
try {
  process.exitCode = await run(words);
} catch (error) {
  if (error instanceof UsageError) {
    const [name = ''] = words;
    const called = Object.hasOwn(commands, name) ? `cudnn-resnet ${name}` : 'cudnn-resnet';
    process.stderr.write(
      `cudnn-resnet: ${printable(error.message)}\n'${called} --help' tells how it is called\n`,
    );
    process.exitCode = misused;
  } else {
    complain(error);
    process.exitCode = failed;
  }
}
