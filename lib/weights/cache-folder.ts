import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { CudnnResnetError } from '../errors.js';

/**
 * The folder for files that can be fetched or made again: `CUDNN_RESNET_CACHE` where that is set, else `cudnn-resnet`
 * in `XDG_CACHE_HOME` or in `~/.cache`. It need not exist.
 *
 * @throws `ERR_WEIGHTS` where none of these is known.
 */
export function cacheFolder(): string {
  const chosen = process.env.CUDNN_RESNET_CACHE;
  if (chosen) return chosen;
  const base = process.env.XDG_CACHE_HOME;
  // the XDG specification has relative paths ignored
  return join(base && isAbsolute(base) ? base : join(home(), '.cache'), 'cudnn-resnet');
}

/** In containers users without a home are common: then Node gives an empty path, or throws. */
function home(): string {
  let cause: unknown;
  try {
    const folder = homedir();
    if (isAbsolute(folder)) return folder;
  } catch (error) {
    cause = error;
  }
  throw new CudnnResnetError(
    'ERR_WEIGHTS',
    'this user has no home folder to keep weights in: set CUDNN_RESNET_CACHE to a folder, or pass a file of weights',
    { cause },
  );
}
