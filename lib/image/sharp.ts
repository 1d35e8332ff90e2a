import { CudnnResnetError, messageOf } from '../errors.js';

/** What the `sharp` package exports by default. */
export type Sharp = typeof import('sharp')['default'];

/**
 * The `sharp` package, loaded when the first image needs it: it is an optional peer, so that a program that passes raw
 * pixels does not have to install it.
 *
 * @throws `ERR_IMAGE` with what to install where sharp is absent or does not load.
 */
export async function loadSharp(): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = absent ? 'which is not installed' : `which does not load here: ${messageOf(error)}`;
    throw new CudnnResnetError(
      'ERR_IMAGE',
      `images are decoded by the package 'sharp', ${why}. ` +
        "Run 'npm install sharp', or decode them yourself: forward() also takes raw RGB pixels",
      { cause: error },
    );
  }
}
