import { once } from 'node:events';
import { CudnnResnetError } from '../errors.js';
import { printable } from '../quote.js';
import type { ProgressBar } from './progress.js';

/** Whether stdout has a reader, as far as is known. */
let read = true;

/** Whether the work goes on without one. */
let goesOnUnread = false;

/** Writes data to stdout and waits where the reader is slow, so that results do not pile up in memory. */
export async function print(text: string): Promise<void> {
  if (read && !process.stdout.write(text)) {
    // an error is answered where it is heard
    await once(process.stdout, 'drain').catch(() => undefined);
  }
}

/** For a command whose results go to a file: it is to be complete, also where the reader of stdout goes meanwhile. */
export function goOnUnread(): void {
  goesOnUnread = true;
}

/** Writes a line for people to stderr, above the progress bar if there is one. */
export function note(text: string, bar?: ProgressBar): void {
  bar?.clear();
  process.stderr.write(`${text}\n`);
  bar?.draw();
}

/** Says on stderr what went wrong, with the code that `docs/errors.md` explains. */
export function complain(error: unknown, bar?: ProgressBar): void {
  note(`cudnn-resnet: ${describe(error)}`, bar);
}

function describe(error: unknown): string {
  if (error instanceof CudnnResnetError) {
    return `${error.message.split('\n').map(printable).join('\n')} [${error.code}]`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Ends the program without a word when the reader of stdout has gone, as after `| head`: nobody wants the rest, unless
 * {@link goOnUnread} says otherwise. Other errors of stdout (a full disk behind `>`) are failed work. Without a reader of
 * stderr the work goes on, unheard.
 */
export function heedReadersThatGo(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      note(`cudnn-resnet: the output cannot be written: ${error.message}`);
      process.exit(1);
    }
    if (!goesOnUnread) {
      process.exit(0);
    }
    read = false;
  });
}
