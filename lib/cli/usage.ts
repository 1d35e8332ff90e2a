import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '../errors.js';
import { suggestion } from '../options.js';

/** The command line was called wrongly: said in one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** One option of a command, as its help shows it. */
interface Option {
  /** What stands for the value in the help; an option without one is a switch. */
  value?: string;
  short?: string;
  help: string;
}

export type Options = Readonly<Record<string, Option>>;

/** Texts of the options that were given, `true` for switches. */
export type Given = Readonly<Record<string, string | true | undefined>>;

/** One command of `cudnn-resnet`. */
export interface Command {
  /** What it does, in one line. */
  summary: string;
  /** The arguments beside the options, as the help shows them; empty where there are none. */
  operands: string;
  /** What the help says below the summary. */
  details: string;
  options: Options;
  /** Does the work. @returns the exit code. */
  run(given: Given, operands: string[]): Promise<number>;
}

/** Options that every command takes. */
const always: Options = { help: { short: 'h', help: 'show this help' } };

/**
 * Splits what follows a command's name into operands and options.
 *
 * @throws {@link UsageError} that names a misspelt option together with the nearest right one.
 */
export function parseCommandLine(args: string[], options: Options): { operands: string[]; given: Given } {
  const known = { ...options, ...always };
  const config = Object.fromEntries(
    Object.entries(known).map(([name, { value, short }]) => [
      name,
      { type: value ? ('string' as const) : ('boolean' as const), ...(short && { short }) },
    ]),
  );
  const names = Object.entries(known).flatMap(([name, { short }]) =>
    short ? [`--${name}`, `-${short}`] : [`--${name}`],
  );
  const { tokens } = parseArgs({ args, options: config, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'option' && !Object.hasOwn(known, token.name)) {
      const near = names.filter((name) => name.startsWith('--') === token.rawName.startsWith('--'));
      const file = args[token.index]!;
      const hint = existsSync(file) ? `; did you mean './${file}'?` : suggestion(token.rawName, near);
      throw new UsageError(`unknown option '${token.rawName}'${hint}`);
    }
  }
  try {
    const { values, positionals } = parseArgs({ args, options: config, allowPositionals: true });
    return { operands: positionals, given: values as Given };
  } catch (error) {
    throw new UsageError(messageOf(error).split('\n')[0]!.replace(/\.$/, ''), { cause: error });
  }
}

/** The help text of a command. */
export function helpOf(name: string, { summary, operands, details, options }: Command): string {
  const rows = Object.entries({ ...options, ...always }).map(([long, { value, short, help }]) => ({
    left: `${short ? `-${short}, ` : '    '}--${long}${value ? ` ${value}` : ''}`,
    help,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  const indent = ' '.repeat(width + 2);
  const table = rows.map(
    ({ left, help }) => `  ${left.padEnd(width)}${help.split('\n').join(`\n${indent}`)}\n`,
  );
  const usage = ['cudnn-resnet', name, operands, '[OPTION...]'].filter(Boolean).join(' ');
  return `Usage: ${usage}\n\n${summary}.\n\n${details}\n\nOptions:\n${table.join('')}`;
}

/** The text of an option that takes one. */
export function textOf(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === 'string' ? value : undefined;
}

/**
 * The text of the file that an option names.
 *
 * @throws {@link UsageError} where it cannot be read.
 */
export async function fileText(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`--${option}: cannot read '${path}': ${messageOf(cause)}`, { cause });
  }
}

/**
 * An option's whole number, from 1 to `most`.
 *
 * @throws {@link UsageError} for anything else.
 */
export function countOf<T extends number | undefined>(
  given: Given,
  name: string,
  otherwise: T,
  most?: number,
): number | T {
  const text = textOf(given, name);
  return text === undefined ? otherwise : count(name, text, most);
}

/** As {@link countOf}, of numbers separated by commas. */
export function countsOf(given: Given, name: string, otherwise: number[]): number[] {
  const text = textOf(given, name);
  return text === undefined ? otherwise : text.split(',').map((part) => count(name, part.trim()));
}

function count(name: string, text: string, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? 'of at least 1' : `from 1 to ${most}`;
    throw new UsageError(`--${name} wants a whole number ${range}, got '${text}'`);
  }
  return value;
}

/**
 * An option that takes one of a few words.
 *
 * @throws {@link UsageError} that names the nearest right word.
 */
export function choiceOf<T extends string>(given: Given, name: string, choices: readonly T[]): T | undefined {
  const text = textOf(given, name);
  return text === undefined ? undefined : choice(name, text, choices);
}

/** As {@link choiceOf}, of words separated by commas. */
export function choicesOf<T extends string>(
  given: Given,
  name: string,
  choices: readonly T[],
): T[] | undefined {
  return textOf(given, name)
    ?.split(',')
    .map((part) => choice(name, part, choices));
}

function choice<T extends string>(name: string, text: string, choices: readonly T[]): T {
  if (choices.includes(text as T)) {
    return text as T;
  }
  throw new UsageError(`--${name} does not know '${text}'${suggestion(text, choices)}`);
}
