import { CudnnResnetError } from '../errors.js';

/** The longest key or name that is read: longer ones V8 compares each with each. */
export const longestName = 16_000;

/** Makes the `ERR_WEIGHTS` of one file: what is wrong with it and, where there is one, the error below. */
export type Fault = (message: string, cause?: unknown) => CudnnResnetError;

/** The {@link Fault} whose messages begin with `path`. */
export function faultOf(path: string): Fault {
  return (message, cause) =>
    new CudnnResnetError('ERR_WEIGHTS', `${path}: ${message}`, cause === undefined ? undefined : { cause });
}
