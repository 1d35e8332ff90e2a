/**
 * What went wrong, as a stable name that a program can branch on.
 * `docs/errors.md` says for each what to do.
 */
export type ErrorCode =
  | 'ERR_ARGUMENT'
  | 'ERR_SHAPE'
  | 'ERR_DTYPE'
  | 'ERR_DEVICE'
  | 'ERR_DISPOSED'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_WEIGHTS'
  | 'ERR_IMAGE'
  | 'ERR_BUSY'
  | 'ERR_ABORTED'
  | 'ERR_DEVICE_LOST'
  | 'ERR_BACKEND'
  | 'ERR_NATIVE';

/**
 * Every error of this package's own that it throws or rejects with, native code included. The reason of an abort and what
 * a function of the caller's threw come as they are.
 */
export class CudnnResnetError extends Error {
  /** As in the first line of the error's text. */
  override readonly name = 'CudnnResnetError';
  /** What to branch on: messages may change, codes do not. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
