import { CudnnResnetError } from '../errors.js';

/** Makes the `ERR_WEIGHTS` of one file: what is wrong with it and, where there is one, the error below. */
export type Fault = (message: string, cause?: unknown) => CudnnResnetError;

/** The {@link Fault} whose messages begin with `path`. */
export function faultOf(path: string): Fault {
  return (message, cause) =>
    new CudnnResnetError('ERR_WEIGHTS', `${path}: ${message}`, cause === undefined ? undefined : { cause });
}
