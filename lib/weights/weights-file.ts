import { constants, type FileHandle, open } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { CudnnResnetError } from '../errors.js';
import { type Fault, faultOf, messageOf } from './fault.js';
import type { Pacer } from './pacer.js';

/** Bytes asked for at a time: between two reads an abort is noticed. */
const readSize = 16 * 1024 * 1024;

/** The share of the machine's memory that is left to others. */
const leftToOthers = 1 / 16;

/** A regular file that is open for positional reads. */
export class WeightsFile {
  /** Bytes asked for since the system was asked for its memory. */
  private taken = 0;

  private constructor(
    readonly path: string,
    readonly size: number,
    readonly handle: FileHandle,
    readonly pacer: Pacer,
    readonly fault: Fault,
  ) {}

  /** Opens `path`, which may be a symbolic link, as those in Hugging Face's cache are. Rejects with `ERR_WEIGHTS`. */
  static async open(path: string, pacer: Pacer): Promise<WeightsFile> {
    const fault = faultOf(path);
    let handle: FileHandle | undefined;
    try {
      // Without O_NONBLOCK (which Windows lacks) opening a pipe would wait for its writer for ever.
      handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      const stat = await handle.stat();
      if (!stat.isFile()) {
        throw fault(`expected a file of weights, got a ${stat.isDirectory() ? 'folder' : 'pipe or device'}`);
      }
      return new WeightsFile(path, stat.size, handle, pacer, fault);
    } catch (error) {
      await handle?.close();
      if (error instanceof CudnnResnetError) throw error;
      throw fault(`cannot be opened (${messageOf(error)}); check the path and its permissions`, error);
    }
  }

  /** The bytes `[position, position + length)` in a buffer of their own. */
  async read(position: number, length: number): Promise<ArrayBuffer> {
    const bytes = this.allocate(length);
    for (let done = 0; done < length; ) {
      await this.pacer.breathe();
      const want = Math.min(readSize, length - done);
      const got = await this.readSome(bytes.subarray(done, done + want), position + done);
      if (got === 0) {
        throw this.fault(
          `ends at byte ${position + done}, before the ${length} bytes at ${position} that it promises`,
        );
      }
      done += got;
    }
    return bytes.buffer;
  }

  /** `read`, but fewer bytes where the file ends before. */
  async readUpTo(position: number, length: number): Promise<ArrayBuffer> {
    return this.read(position, Math.max(0, Math.min(length, this.size - position)));
  }

  /**
   * Throws `ERR_OUT_OF_MEMORY` where the machine, or the container, has no `bytes` to spare: the system promises memory
   * that it does not have, and ends the process that takes it. A sparse file of terabytes fits on any disk.
   */
  requireMemory(bytes: number): void {
    this.taken += bytes;
    if (this.taken < readSize) return; // to ask takes longer than to read what is small
    this.taken = 0;
    // what other systems call free leaves out what they would clear at once
    const free = process.platform === 'linux' ? freemem() : totalmem();
    const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
    const spare =
      Math.min(free, limit - process.memoryUsage.rss()) - leftToOthers * Math.min(totalmem(), limit);
    if (bytes > spare) {
      throw new CudnnResnetError(
        'ERR_OUT_OF_MEMORY',
        `${this.path}: its tensors take ${bytes} bytes of memory, of which ${Math.max(0, Math.floor(spare))} are free`,
      );
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private allocate(length: number): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(length);
    } catch (error) {
      throw new CudnnResnetError('ERR_OUT_OF_MEMORY', `${this.path}: no memory for ${length} bytes of it`, {
        cause: error,
      });
    }
  }

  private async readSome(target: Uint8Array, position: number): Promise<number> {
    try {
      return (await this.handle.read(target, 0, target.length, position)).bytesRead;
    } catch (error) {
      throw this.fault(`cannot be read (${messageOf(error)})`, error);
    }
  }
}
