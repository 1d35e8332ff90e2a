import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as support from './process.js';

/** The command line's source, run through tsx: what is tested is what is in the tree, built or not. */
const source = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Surroundings {
  cwd?: string;
  env?: Record<string, string>;
  /** Another main program than the source in the tree. */
  main?: string;
  /** A file that stdout goes to. */
  stdoutFile?: string;
  /** No file can be written to, as on a disk that is full. */
  noRoom?: boolean;
  /** Closes stderr at once. */
  unheard?: boolean;
  /** Closes stdout when so many bytes have come, as `head` does. */
  closeAfter?: number;
  /** Sent when so many lines have come on stdout. */
  kill?: { signal: NodeJS.Signals; lines: number };
}

export interface Ended extends support.Ended {
  /** From the closing of stdout that `closeAfter` asked for to the end of the process, in milliseconds. */
  afterClosing: number;
}

/** Runs `cudnn-resnet` with these arguments in a process of its own. */
export async function cudnnResnet(
  args: string[],
  { cwd = root, env = {}, main = source, stdoutFile, noRoom, unheard, closeAfter, kill }: Surroundings = {},
): Promise<Ended> {
  const tsx = fileURLToPath(import.meta.resolve('tsx'));
  const file = stdoutFile === undefined ? undefined : openSync(stdoutFile, 'w');
  const command = [process.execPath, '--import', tsx, main, ...args];
  const [first, ...rest] = noRoom ? ['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh', ...command] : command;
  const child = spawn(first!, rest, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', file ?? 'pipe', 'pipe'],
  });
  if (file !== undefined) closeSync(file);
  if (unheard) child.stderr!.destroy();
  let closed = Number.NaN;
  const end = await support.ended(child, (stdout) => {
    if (closeAfter !== undefined && stdout.length >= closeAfter) {
      closed = performance.now();
      child.stdout!.destroy();
    }
    if (kill && stdout.split('\n').length > kill.lines) child.kill(kill.signal);
  });
  return { ...end, afterClosing: performance.now() - closed };
}

/** The values of lines of JSON; throws where a line is something else. */
export function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
