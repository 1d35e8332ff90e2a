import { CudnnResnetError, type ErrorCode } from './errors.js';
import { shown } from './kind-of.js';

/** `value`, or an error where it is no whole number of at least `least`. */
export function checkInteger(
  what: string,
  value: number,
  least = 1,
  code: ErrorCode = 'ERR_ARGUMENT',
): number {
  if (!Number.isSafeInteger(value) || value < least) {
    const tooLarge = typeof value === 'number' && value > Number.MAX_SAFE_INTEGER;
    const range = tooLarge ? `from ${least} to ${Number.MAX_SAFE_INTEGER}` : `of at least ${least}`;
    throw new CudnnResnetError(code, `${what} must be an integer ${range}, got ${shown(value)}`);
  }
  return value;
}

/** {@link checkInteger} for what becomes an extent of a tensor: `ERR_SHAPE`. */
export function checkExtent(what: string, value: number): number {
  return checkInteger(what, value, 1, 'ERR_SHAPE');
}
