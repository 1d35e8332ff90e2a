import { quote } from '../quote.js';
import type { WeightsFile } from './weights-file.js';
import { readZipEntries, type ZipEntry } from './zip-entries.js';

const maxPickleBytes = 64 * 1024 * 1024;

/** The parts of a zip file of `torch.save`: everything lies in one folder, whose name is free. */
export class TorchArchive {
  private constructor(
    private readonly file: WeightsFile,
    private readonly entries: ReadonlyMap<string, ZipEntry>,
    private readonly folder: string,
  ) {}

  static async open(file: WeightsFile): Promise<TorchArchive> {
    const entries = await readZipEntries(file);
    const folders = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (folders.length !== 1) {
      throw file.fault(
        `is a zip archive with ${folders.length} entries NAME/data.pkl; expected one, as torch.save writes it`,
      );
    }
    const archive = new TorchArchive(file, entries, folders[0]!.slice(0, -'data.pkl'.length));
    await archive.checkByteOrder();
    return archive;
  }

  /** The entry `data/KEY`, which holds the storage of that key. */
  storage(key: string): ZipEntry | undefined {
    return this.entry(`data/${key}`);
  }

  async pickle(): Promise<Uint8Array> {
    const entry = this.entry('data.pkl')!;
    if (entry.size > maxPickleBytes) {
      throw this.file.fault(`its data.pkl has ${entry.size} bytes, over ${maxPickleBytes}`);
    }
    return new Uint8Array(await this.file.read(entry.start, entry.size));
  }

  private entry(name: string): ZipEntry | undefined {
    return this.entries.get(this.folder + name);
  }

  /** PyTorch before 2.1 wrote no `byteorder` entry, and hardly anyone ran it on a big-endian machine. */
  private async checkByteOrder(): Promise<void> {
    const entry = this.entry('byteorder');
    if (!entry) return;
    const order = Buffer.from(await this.file.read(entry.start, Math.min(entry.size, 16))).toString('latin1');
    if (order !== 'little') {
      throw this.file.fault(
        `its byte order is ${quote(order)}, expected "little"; save it on a little-endian machine`,
      );
    }
  }
}
