import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The command line's source, run through tsx: what is tested is what is in the tree, built or not. */
const source = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  cwd?: string;
  env?: Record<string, string>;
  /** Another main program than the source in the tree. */
  main?: string;
  /** Closes stderr at once. */
  unheard?: boolean;
  /** Closes stdout when so many bytes have come, as `head` does. */
  closeAfter?: number;
  /** Sent when so many lines have come on stdout. */
  kill?: { signal: NodeJS.Signals; lines: number };
}

/** Runs `cudnn-resnet` with these arguments in a process of its own. */
export function cudnnResnet(
  args: string[],
  { cwd = root, env = {}, main = source, unheard, closeAfter, kill }: Surroundings = {},
): Promise<Ended> {
  const tsx = fileURLToPath(import.meta.resolve('tsx'));
  const child = spawn(process.execPath, ['--import', tsx, main, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (unheard) child.stderr.destroy();
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (closeAfter !== undefined && stdout.length >= closeAfter) {
      child.stdout.destroy();
    }
    if (kill && stdout.split('\n').length > kill.lines) child.kill(kill.signal);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The values of lines of JSON; throws where a line is something else. */
export function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
