import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * The folder for files that can be fetched or made again: `CUDNN_RESNET_CACHE` where that is set, else `cudnn-resnet`
 * in `XDG_CACHE_HOME`, in `LOCALAPPDATA` on Windows, or in `~/.cache`. It need not exist.
 */
export function cacheFolder(): string {
  const chosen = process.env.CUDNN_RESNET_CACHE;
  if (chosen) return chosen;
  const base = process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME;
  // the XDG specification has relative paths ignored
  return join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'cudnn-resnet');
}
