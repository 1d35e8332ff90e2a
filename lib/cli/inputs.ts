import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { CudnnResnetError } from '../errors.js';

/** One image to work on, or why an argument yields none. */
export interface Input {
  /** The file as it was named, or as it was found under a folder that was named. */
  path: string;
  error?: CudnnResnetError;
}

/** What a folder is searched for. */
const imageFiles = '**/*.{jpg,jpeg,jpe,jfif,png,webp,avif,tif,tiff,gif,svg}';

/**
 * The images that the arguments name, in their order and each once: files, folders (searched with all below, hidden ones
 * aside), and patterns such as `photos/**\/*.jpg` that the shell has not expanded. A file whose name looks like a pattern
 * is that file. Links are followed. What a folder or a pattern yields is sorted by name.
 *
 * @throws `ERR_IMAGE` with all the reasons where there is nothing to work on at all, so that no model is fetched for it.
 */
export async function expandInputs(args: readonly string[]): Promise<Input[]> {
  const seen = new Set<string>();
  const inputs: Input[] = [];
  for (const arg of args) {
    for (const input of await expand(arg)) {
      const key = await realpath(input.path).catch(() => input.path);
      if (!seen.has(key)) {
        seen.add(key);
        inputs.push(input);
      }
    }
  }
  if (inputs.every(({ error }) => error)) {
    throw new CudnnResnetError('ERR_IMAGE', inputs.map(({ error }) => error?.message).join('\n'));
  }
  return inputs;
}

async function expand(arg: string): Promise<Input[]> {
  const stats = await stat(arg).catch(() => undefined);
  if (stats?.isDirectory()) {
    const found = await glob(imageFiles, { cwd: arg, caseSensitiveMatch: false, expandDirectories: false });
    return found.length > 0
      ? sorted(found).map((path) => ({ path: join(arg, path) }))
      : [nothing(arg, 'the folder holds no images')];
  }
  if (!stats && isDynamicPattern(arg)) {
    const found = await glob(arg, { absolute: isAbsolute(arg), expandDirectories: false });
    return found.length > 0
      ? sorted(found).map((path) => ({ path }))
      : [nothing(arg, 'no file matches the pattern')];
  }
  return [stats ? { path: arg } : nothing(arg, 'no such file')];
}

function nothing(arg: string, why: string): Input {
  return { path: arg, error: new CudnnResnetError('ERR_IMAGE', `'${arg}': ${why}`) };
}

/** By code units: the same order everywhere, whatever the language set. */
function sorted(paths: string[]): string[] {
  return paths.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
