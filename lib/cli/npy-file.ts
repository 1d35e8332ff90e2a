import { notWritten } from '../not-written.js';
import { WholeFile } from '../whole-file.js';
import { elementBytes, npyHeader } from './npy.js';
import { removeUnfinishedAtTheEnd } from './unfinished.js';

/** A NumPy file that grows by rows. */
export class NpyFile {
  readonly #path: string;
  readonly #file: WholeFile;
  #rows = 0;
  #width = 0;

  private constructor(path: string, file: WholeFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Tried before the work begins, so that a folder that is not there, or is full, costs no time. */
  static async create(path: string): Promise<NpyFile> {
    removeUnfinishedAtTheEnd();
    let file: WholeFile | undefined;
    try {
      file = await WholeFile.create(path);
      await file.append(npyHeader(0, 0));
      return new NpyFile(path, file);
    } catch (error) {
      await file?.[Symbol.asyncDispose]();
      throw notWritten(path, error);
    }
  }

  /** Adds rows of `width` numbers. @returns the number of the first of them. */
  async append(data: Float32Array, width: number): Promise<number> {
    await this.#file.append(elementBytes(data)).catch(this.#fail);
    const first = this.#rows;
    this.#rows += data.length / width;
    this.#width = width;
    return first;
  }

  /** Fills in the number of rows and gives the file its name. */
  async finish(): Promise<void> {
    await this.#file.overwrite(npyHeader(this.#rows, this.#width), 0).catch(this.#fail);
    await this.#file.finish().catch(this.#fail);
  }

  readonly #fail = (error: unknown): never => {
    throw notWritten(this.#path, error);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
