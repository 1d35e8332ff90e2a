import { isHostDType } from '../dtype.js';
import { quote } from '../quote.js';
import { shapeText } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Fault } from './fault.js';
import { requireMemory } from './host-memory.js';
import { elementCount, type StoredType } from './stored-dtypes.js';
import type { StoredEntry } from './stored-entry.js';
import { gather, isContiguous, misfit, type StridedView } from './strided.js';
import type { TorchArchive } from './torch-archive.js';
import type { WeightsFile } from './weights-file.js';
import type { ZipEntry } from './zip-entries.js';

/** A tensor as a checkpoint describes it. */
export interface TorchTensor extends StridedView {
  type: StoredType;
  storageKey: string;
  storageLength: number;
}

/** Storages by key, each read from the file once, and tensors made of them. */
export class TorchStorages {
  /** How many tensors each storage has. */
  private readonly users = new Map<string, number>();
  /** Those of more than one. */
  private readonly shared = new Map<string, Promise<ArrayBuffer>>();
  /** Bytes that tensors may still take beside the storages: a view that repeats elements can ask for any number. */
  private copyBudget: number;

  constructor(
    private readonly archive: TorchArchive,
    private readonly file: WeightsFile,
  ) {
    this.copyBudget = Math.max(64 * 1024 * 1024, 4 * file.size);
  }

  entry(tensor: TorchTensor, wrong: Fault): StoredEntry {
    const { type, shape, storageKey, storageLength } = tensor;
    const { dtype } = type;
    const stored = this.archive.storage(storageKey);
    if (!stored) throw wrong(`its storage ${quote(storageKey)} is not in the archive`);
    if (storageLength * type.bytes > stored.size) {
      throw wrong(`its storage of ${storageLength} ${dtype} elements has only ${stored.size} bytes`);
    }
    const problem = misfit(tensor, storageLength);
    if (problem) throw wrong(problem);

    const count = elementCount(shape)!;
    if (count === 0) return { dtype, shape, bytes: 0, read: async () => new type.Array(new ArrayBuffer(0)) };
    this.users.set(storageKey, (this.users.get(storageKey) ?? 0) + 1);
    if (isContiguous(tensor)) {
      const begin = tensor.offset * type.bytes;
      const read = async () => new type.Array(await this.storage(storageKey, stored), begin, count);
      const fill = isHostDType(dtype)
        ? (to: Tensor) => this.file.fill(to, stored.start + begin, dtype)
        : undefined;
      return { dtype, shape, bytes: 0, read, fill };
    }
    const bytes = count * type.bytes;
    this.copyBudget -= bytes;
    if (this.copyBudget < 0)
      throw wrong(`of shape ${shapeText(shape)} repeats elements far beyond the size of the file`);
    const read = async () => {
      requireMemory(this.file.path, bytes);
      const buffer = await this.storage(storageKey, stored);
      const data = new type.Array(new ArrayBuffer(bytes));
      await this.file.pacer.run(gather(new type.Array(buffer, 0, storageLength), tensor, data));
      return data;
    };
    return { dtype, shape, bytes, read };
  }

  /** Of all that have tensors. */
  bytes(): number {
    return [...this.users.keys()].reduce((sum, key) => sum + this.archive.storage(key)!.size, 0);
  }

  /** Once all entries are known. */
  private storage(key: string, { start, size }: ZipEntry): Promise<ArrayBuffer> {
    if (this.users.get(key) === 1) return this.file.read(start, size);
    const buffer = this.shared.get(key) ?? this.file.read(start, size);
    this.shared.set(key, buffer);
    return buffer;
  }
}
