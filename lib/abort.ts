import { setMaxListeners } from 'node:events';
import { CudnnResnetError } from './errors.js';
import { kindOf } from './kind-of.js';
import { checkMilliseconds } from './milliseconds.js';

/** Two ways to give up waiting. */
export interface AbortOptions {
  /** The promise rejects with the signal's reason as soon as it is aborted. */
  signal?: AbortSignal | undefined;
  /** Milliseconds from the call after which the promise rejects with a `TimeoutError`, as `AbortSignal.timeout` has it. */
  deadline?: number | undefined;
}

/** The names of {@link AbortOptions}, for `checkOptions`. */
export const abortOptionNames = ['signal', 'deadline'] as const;

/** Throws `ERR_ARGUMENT` where `signal` is something else. */
export function checkSignal(where: string, signal: AbortSignal | undefined): void {
  if (signal !== undefined && !isSignal(signal)) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `${where}: signal must be an AbortSignal, got ${kindOf(signal)}`,
    );
  }
}

/** What has the prototype alone has no `aborted`: asking throws. */
function isSignal(value: unknown): boolean {
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean';
  } catch {
    return false;
  }
}

/**
 * Runs `work` with one signal for both options. `work` has to heed it: it stops where it can and frees what it made.
 *
 * @throws `ERR_ARGUMENT` where an option is not what it should be, and the signal's reason where it is aborted already.
 */
export async function abortable<T>(
  where: string,
  { signal, deadline }: AbortOptions,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  checkSignal(where, signal);
  if (deadline !== undefined) checkMilliseconds(`${where}: deadline`, deadline);
  signal?.throwIfAborted();
  if (deadline === undefined) {
    return work(signal);
  }
  const either = new AbortController();
  const follow = () => either.abort(signal!.reason);
  const timer = setTimeout(() => {
    either.abort(new DOMException(`${where}: not done within ${deadline} ms`, 'TimeoutError'));
  }, deadline);
  if (signal) listen(signal, follow);
  try {
    return await work(either.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', follow);
  }
}

/** What `work` comes to; rejects with the signal's reason as soon as it is aborted, and calls `cancel` then. */
export function unlessAborted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  cancel?: () => void,
): Promise<T> {
  if (signal === undefined) {
    return work;
  }
  return new Promise((resolve, reject) => {
    const abort = () => {
      cancel?.();
      reject(signal.reason);
    };
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
    else listen(signal, abort);
  });
}

/** Many readings may wait for one signal: Node is not to take that for a leak. */
function listen(signal: AbortSignal, aborted: () => void): void {
  setMaxListeners(0, signal);
  signal.addEventListener('abort', aborted, { once: true });
}
