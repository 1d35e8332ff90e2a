import { CudnnResnetError, messageOf } from './errors.js';

/** The error of a file or folder that a call was to make and could not. */
export function notWritten(path: string, cause: unknown): CudnnResnetError {
  return new CudnnResnetError(
    'ERR_ARGUMENT',
    `'${path}' cannot be written: ${messageOf(cause)}; check the folder, its permissions and its free space`,
    { cause },
  );
}
