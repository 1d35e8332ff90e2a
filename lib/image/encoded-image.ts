import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { typedArrayName } from '../dtype.js';
import { CudnnResnetError, messageOf } from '../errors.js';
import { shown } from '../kind-of.js';

/** The largest encoded image that is read, in bytes. */
const maxFileBytes = 1 << 30;

/** What errors call an image: its path, or `bytesName`. Throws `ERR_ARGUMENT` where it is neither path nor bytes. */
export function nameOf(image: string | Uint8Array, bytesName: string): string {
  if (typeof image === 'string') {
    return `'${image}'`;
  }
  if (typedArrayName(image) === 'Uint8Array') {
    return bytesName;
  }
  throw new CudnnResnetError(
    'ERR_ARGUMENT',
    `an image is a file's path or the bytes of an encoded image (a Buffer or Uint8Array), got ${shown(image)}`,
  );
}

/** A copy of the bytes: sharp's threads read what they are given, even when the caller's buffer has gone meanwhile. */
export function copyOf(image: Uint8Array, name: string): Uint8Array {
  try {
    // of a resizable buffer that shrank, the length is 0
    if (image.byteLength > maxFileBytes) throw tooLarge(name, image.byteLength);
    return new Uint8Array(image);
  } catch (error) {
    if (error instanceof CudnnResnetError) throw error;
    if (error instanceof TypeError) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        `${name} are gone: their buffer was transferred, or has shrunk`,
        { cause: error },
      );
    }
    throw new CudnnResnetError('ERR_OUT_OF_MEMORY', `no memory for a copy of ${name}`, { cause: error });
  }
}

function tooLarge(name: string, bytes: number): CudnnResnetError {
  return new CudnnResnetError(
    'ERR_IMAGE',
    `${name} holds ${bytes} bytes: images of up to ${maxFileBytes} bytes are read`,
  );
}

/**
 * The bytes of a file. It is opened without waiting, so that a named pipe is refused like a directory instead of hanging
 * until someone writes.
 */
export async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isDirectory()) {
      throw new CudnnResnetError('ERR_IMAGE', `'${path}' is a directory, not an image file`);
    }
    if (!stats.isFile()) {
      throw new CudnnResnetError('ERR_IMAGE', `'${path}' is not a regular file`);
    }
    if (stats.size > maxFileBytes) throw tooLarge(`'${path}'`, stats.size);
    return await file.readFile();
  } catch (error) {
    if (error instanceof CudnnResnetError) {
      throw error;
    }
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'no such file' : messageOf(error);
    throw new CudnnResnetError('ERR_IMAGE', `'${path}' cannot be read: ${reason}`, { cause: error });
  }
}
