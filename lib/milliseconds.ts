import { CudnnResnetError } from './errors.js';
import { shown } from './kind-of.js';

/** The longest that a timer of Node's waits. */
const longest = 2 ** 31 - 1;

/** Throws `ERR_ARGUMENT` where no timer waits for `value` milliseconds. */
export function checkMilliseconds(what: string, value: number): void {
  if (!(typeof value === 'number' && value > 0 && value <= longest)) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `${what} must be milliseconds above 0 and at most ${longest}, got ${shown(value)}`,
    );
  }
}
