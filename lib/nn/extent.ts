import { CudnnResnetError } from '../errors.js';

/** `value`, or `ERR_SHAPE` where it is no whole number of at least `least`. */
export function checkExtent(what: string, value: number, least = 1): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `${what} must be an integer of at least ${least}, got ${String(value)}`,
    );
  }
  return value;
}
