import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import * as support from '../support/process.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));

/** The programs are plain JavaScript on what is published, so that nothing but Node and the package is in them. */
export function assertBuilt(): void {
  const entry = `${root}dist/index.js`;
  if (!existsSync(entry)) {
    throw new Error('dist/ is missing, and the programs of this test import it: run "npm run build:lib"');
  }
  const newest = readdirSync(`${root}lib`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .find((name) => statSync(`${root}lib/${name}`).mtimeMs > statSync(entry).mtimeMs);
  if (newest) {
    throw new Error(`lib/${newest} is newer than dist/, which this test runs: run "npm run build:lib"`);
  }
}

export interface Ended extends support.Ended {
  /** From the line "end of main" on stdout to the end of the process, in milliseconds. */
  afterMain: number;
}

export interface Surroundings {
  /** Options of Node, such as --expose-gc. */
  node?: string[];
  /** Sent so many milliseconds after the line "ready" on stdout. */
  signal?: { name: NodeJS.Signals; after: number };
  env?: Record<string, string>;
  /** The address space that the process may have, in KiB. */
  addressSpace?: number;
  /** Milliseconds after which it hangs, and is killed; for what computes so much that a busy machine needs longer. */
  patience?: number;
}

/** In the nightly run, LONG_TESTS=1, some cases do what they do far more often. */
const long = process.env.LONG_TESTS === '1';

/** Few cases need more than a few seconds, on a busy machine a minute; one that takes this long hangs, and is killed. */
const usualPatience = long ? 900_000 : 120_000;

/** The options of tests that take long in the nightly run. */
export const longTest = { timeout: usualPatience + 15_000 };

/** Runs a program of this folder in a process of its own. */
export async function program(
  name: string,
  args: string[] = [],
  surroundings: Surroundings = {},
): Promise<Ended> {
  assertBuilt();
  const { node = [], signal, addressSpace, patience = usualPatience } = surroundings;
  const env = { ...process.env, ...surroundings.env };
  const command = [process.execPath, ...node, here + name, ...args];
  const child = addressSpace
    ? spawn('bash', ['-c', `ulimit -c 0 -v ${addressSpace}; exec "$@"`, 'bash', ...command], { env })
    : spawn(command[0]!, command.slice(1), { env });
  let [signalled, mainEnded] = [false, Number.NaN];
  const watchdog = setTimeout(() => child.kill('SIGKILL'), patience);
  const end = await support.ended(child, (stdout) => {
    if (signal && !signalled && stdout.includes('ready\n')) {
      signalled = true;
      setTimeout(() => child.kill(signal.name), signal.after);
    }
    if (Number.isNaN(mainEnded) && stdout.includes('end of main\n')) {
      mainEnded = performance.now();
    }
  });
  clearTimeout(watchdog);
  return { ...end, afterMain: performance.now() - mainEnded };
}

/** Expects an end by exit code, with nothing on stderr. */
export function expectEnd(ended: Ended, code: number): void {
  const { stderr, signal } = ended;
  expect({ code: ended.code, signal, stderr }).toEqual({ code, signal: null, stderr: '' });
}

/** The JSON on the last line of stdout. */
export function lastLine(ended: Ended): unknown {
  expectEnd(ended, 0);
  return JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!);
}
