import * as fs from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { CudnnResnetError, messageOf } from '../errors.js';
import { printable } from '../quote.js';

/** One image to work on, or why an argument yields none. */
export interface Input {
  /** The file as it was named, or as it was found under a folder that was named. */
  path: string;
  error?: CudnnResnetError;
}

/** What a folder is searched for. */
const imageFile = /\.(jpe?g|jpe|jfif|png|webp|avif|tiff?|gif|svg)$/i;

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
    const found: Input[] = [];
    for await (const input of imagesIn(arg, new Set())) found.push(input);
    return found.length > 0 ? found : [nothing(arg, 'the folder holds no images')];
  }
  if (!stats && isDynamicPattern(arg)) return matchesOf(arg);
  return [stats ? { path: arg } : nothing(arg, 'no such file')];
}

/** What a pattern matches, and the folders in which it cannot be seen whether it does. */
async function matchesOf(pattern: string): Promise<Input[]> {
  const absolute = isAbsolute(pattern);
  const closed: Input[] = [];
  const search = ((path: string, options: { withFileTypes: true }, done: FoundEntries) =>
    fs.readdir(path, options, (error, entries) => {
      if (error && !isAbsence(error)) closed.push(unsearchable(absolute ? path : relative('', path), error));
      done(error, entries);
    })) as typeof fs.readdir;
  try {
    const found = await glob(pattern, { absolute, expandDirectories: false, fs: { readdir: search } });
    const inputs = [...found.sort(byCodeUnits).map((path) => ({ path })), ...closed];
    return inputs.length > 0 ? inputs : [nothing(pattern, 'no file matches the pattern')];
  } catch (error) {
    // the working directory is gone
    return [nothing(pattern, `the pattern cannot be looked for: ${messageOf(error)}`)];
  }
}

type FoundEntries = (error: NodeJS.ErrnoException | null, entries: fs.Dirent[]) => void;

function isAbsence({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** The images in a folder and in all below it; each folder is entered once, so that links may lead back. */
async function* imagesIn(folder: string, entered: Set<string>): AsyncGenerator<Input> {
  try {
    const itself = await realpath(folder);
    if (entered.has(itself)) return;
    entered.add(itself);
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => byCodeUnits(a.name, b.name))) {
      if (entry.name.startsWith('.')) continue;
      const path = join(folder, entry.name);
      const target = entry.isSymbolicLink() ? await stat(path).catch(() => entry) : entry;
      if (!target.isDirectory() && !imageFile.test(path)) continue;
      // what Node puts for bytes that are no UTF-8: the name cannot be given back to the system
      const nameless = entry.name.includes('\ufffd') && !(await lstat(path).catch(() => undefined));
      if (nameless) yield nothing(path, 'its name is not UTF-8; rename it');
      else if (target.isDirectory()) yield* imagesIn(path, entered);
      else yield { path };
    }
  } catch (error) {
    yield unsearchable(folder, error);
  }
}

function unsearchable(folder: string, error: unknown): Input {
  return nothing(folder, `the folder cannot be searched: ${messageOf(error)}`);
}

function nothing(arg: string, why: string): Input {
  return { path: arg, error: new CudnnResnetError('ERR_IMAGE', `'${printable(arg)}': ${why}`) };
}

/** The same order everywhere, whatever the language set. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
