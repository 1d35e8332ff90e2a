import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { writeAll } from './write-all.js';

/** Where files lie that have not got their names yet. */
const unfinished = new Set<string>();

/** Removes what is not whole: for the end of a program in the middle of its work. */
export function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

/**
 * A file that appears at its path whole or not at all. It is written beside it, under a name of its own, so that others may
 * write the same file meanwhile and work that fails half-way leaves what was there before.
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
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory()) throw new Error('it is a folder');
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    unfinished.add(temporary);
    try {
      return new WholeFile(path, temporary, await open(temporary, 'wx'));
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
