import type { Stats } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { bytesPerElement, type HostDType } from '../dtype.js';
import { CudnnResnetError, messageOf } from '../errors.js';
import { native } from '../native.js';
import type { Tensor } from '../tensor.js';
import { type Fault, faultOf } from './fault.js';
import { requireMemory } from './host-memory.js';
import type { Pacer } from './pacer.js';

/** Bytes asked for at a time: between two reads an abort is noticed. */
const readSize = 16 * 1024 * 1024;

/** Reads of up to so many bytes are served from a window of the file: one system call for all that lies together. */
const smallRead = 64 * 1024;
const windowSize = 256 * 1024;

/** A regular file that is open for positional reads, one after the other. */
export class WeightsFile {
  private readonly window = new Uint8Array(windowSize);
  private windowStart = 0;
  private windowEnd = 0;

  private constructor(
    readonly path: string,
    private readonly stats: Stats,
    private readonly handle: FileHandle,
    readonly pacer: Pacer,
    readonly fault: Fault,
  ) {}

  get size(): number {
    return this.stats.size;
  }

  /** What `work` makes of the same file, opened again: another that took its path meanwhile is an error. */
  again<T>(work: (file: WeightsFile) => Promise<T>): Promise<T> {
    return WeightsFile.use(this.path, this.pacer, async (file) => {
      const [now, before] = [file.stats, this.stats];
      const same =
        now.dev === before.dev &&
        now.ino === before.ino &&
        now.size === before.size &&
        now.mtimeMs === before.mtimeMs;
      if (!same) throw this.fault('was written anew while it was read; read it again');
      return work(file);
    });
  }

  /** What `work` makes of the file `path`, which is open meanwhile. Rejects with `ERR_WEIGHTS` where it cannot be. */
  static async use<T>(path: string, pacer: Pacer, work: (file: WeightsFile) => Promise<T>): Promise<T> {
    const file = await WeightsFile.open(path, pacer);
    try {
      return await work(file);
    } finally {
      await file.handle.close();
    }
  }

  /** `path` may be a symbolic link, as those in Hugging Face's cache are. */
  private static async open(path: string, pacer: Pacer): Promise<WeightsFile> {
    const fault = faultOf(path);
    let handle: FileHandle | undefined;
    try {
      // Without O_NONBLOCK opening a pipe would wait for its writer for ever.
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stat = await handle.stat();
      if (!stat.isFile()) {
        throw fault(`expected a file of weights, got a ${stat.isDirectory() ? 'folder' : 'pipe or device'}`);
      }
      return new WeightsFile(path, stat, handle, pacer, fault);
    } catch (error) {
      await handle?.close();
      if (error instanceof CudnnResnetError) throw error;
      const tooMany = /^E[MN]FILE$/.test((error as NodeJS.ErrnoException).code ?? '');
      const advice = tooMany ? 'close other files, or raise the limit' : 'check the path and its permissions';
      throw fault(`cannot be opened (${messageOf(error)}); ${advice}`, error);
    }
  }

  /** The bytes `[position, position + length)`. */
  async read(position: number, length: number): Promise<ArrayBuffer> {
    requireMemory(this.path, length);
    const bytes = this.allocate(length);
    await this.pacer.breathe();
    const got = await (length <= smallRead ? this.copy(position, bytes) : this.readInto(bytes, position));
    if (got < length) {
      throw this.fault(
        `ends at byte ${position + got}, before the ${length} bytes at ${position} that it promises`,
      );
    }
    return bytes.buffer;
  }

  /** Gives a tensor the elements from `position` on. Its device reads them, even when the file is closed meanwhile. */
  async fill(tensor: Tensor, position: number, dtype: HostDType): Promise<void> {
    requireMemory(this.path, tensor.size * bytesPerElement[dtype]);
    tensor.version++;
    await native().fill({
      to: tensor.handle,
      path: this.path,
      descriptor: this.handle.fd,
      position,
      dataType: dtype,
    });
  }

  /** Fills `bytes` from the window, as far as the file goes, and gives how many there were. */
  private async copy(position: number, bytes: Uint8Array): Promise<number> {
    if (position < this.windowStart || position + bytes.length > this.windowEnd) {
      this.windowStart = position;
      this.windowEnd = position + (await this.readInto(this.window, position));
    }
    const end = Math.min(position + bytes.length, this.windowEnd);
    bytes.set(this.window.subarray(position - this.windowStart, end - this.windowStart));
    return end - position;
  }

  /** Fills `bytes` from the file, as far as it goes, and gives how many there were. */
  private async readInto(bytes: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < bytes.length) {
      await this.pacer.breathe();
      const got = await this.readSome(bytes.subarray(done, done + readSize), position + done);
      if (got === 0) break;
      done += got;
    }
    return done;
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
