import { rmSync, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { isGone, ownerOf, ownName } from './owner.js';
import { writeAll } from './write-all.js';

/** Where files lie that have not got their names yet. */
const unfinished = new Set<string>();

/** Removes what is not whole: for the end of a program in the middle of its work. */
export function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

/**
 * A file that appears at its path whole or not at all. It is written beside it, under a name of its own, so that others may
 * write the same file meanwhile and work that fails half-way leaves what was there before. Links are followed, and the file
 * keeps the permissions of the one whose place it takes.
 */
export class WholeFile {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  static async create(path: string): Promise<WholeFile> {
    const { target, former } = await place(path);
    const folder = dirname(target);
    await removeAbandoned(folder);
    // not made of the target's name, which may be as long as a name can be
    const temporary = join(folder, `cudnn-resnet.${ownName()}.tmp`);
    unfinished.add(temporary);
    try {
      const file = await open(temporary, 'wx', former ? former.mode & 0o777 : 0o666);
      if (former) await keepPermissions(file, former);
      return new WholeFile(target, temporary, file);
    } catch (error) {
      unfinished.delete(temporary);
      throw error;
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.writeFile(bytes);
  }

  /** Writes over what stands at `position`; what is appended next still goes to the end. */
  async overwrite(bytes: Uint8Array, position: number): Promise<void> {
    await writeAll(this.#file, bytes, position);
  }

  /** Flushes it to the disk and gives it its name. */
  async finish(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#temporary, this.#path);
    unfinished.delete(this.#temporary);
  }

  /** Removes it where it was not finished. Nothing else can go wrong than did already. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!unfinished.has(this.#temporary)) return;
    await this.#file.close().catch(() => undefined);
    await rm(this.#temporary, { force: true }).catch(() => undefined);
    unfinished.delete(this.#temporary);
  }
}

/** Where a file of this path lies in the end, and the one that is there already. Nothing but a file is ever replaced. */
async function place(path: string): Promise<{ target: string; former?: Stats }> {
  const former = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (former) {
    if (!former.isFile()) throw new Error(`it is ${kindOfFile(former)}`);
    return { target: await realpath(path), former };
  }
  const link = await readlink(path).catch(() => undefined);
  if (link !== undefined) return place(isAbsolute(link) ? link : `${dirname(path)}/${link}`);
  if (path === '' || path.endsWith('/')) throw new Error('it is no name of a file');
  return { target: join(await realpath(dirname(path)), basename(path)) };
}

function kindOfFile(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** Owner, group and mode, as far as this process may set them: otherwise the file is open to fewer, never to more. */
async function keepPermissions(file: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const groupKept = await file.chown(-1, gid).then(
    () => true,
    () => false,
  );
  await file.chown(uid, -1).catch(() => undefined);
  // another group than the former one may do no more than all others
  const allowed = groupKept ? 0o777 : 0o707 | ((mode & 0o007) << 3);
  await file.chmod(mode & allowed).catch(() => undefined);
}

/** Removes what processes left that were killed; a folder that cannot be listed, or what is someone else's, stays as it is. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const owner = ownerOf(/^cudnn-resnet\.(.+)\.tmp$/.exec(name)?.[1] ?? '');
    if (owner && isGone(owner)) await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}
