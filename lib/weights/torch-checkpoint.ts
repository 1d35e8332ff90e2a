import { isHostDType } from '../dtype.js';
import { quote } from '../quote.js';
import { shapeText } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Fault } from './fault.js';
import { requireMemory } from './host-memory.js';
import { maxDimensions } from './limits.js';
import { interpretPickle, PickleCall, PickleGlobal, PickleReference, type PickleValue } from './pickle.js';
import { elementCount, type StoredType, storedTypes } from './stored-dtypes.js';
import type { StoredEntry } from './stored-entry.js';
import { gather, isContiguous, misfit, type StridedView } from './strided.js';
import type { WeightsFile } from './weights-file.js';
import { readZipEntries, type ZipEntry } from './zip-entries.js';

const rebuildTensor = 'torch._utils._rebuild_tensor_v2';
const rebuildParameter = 'torch._utils._rebuild_parameter';

const allowedGlobals: ReadonlySet<string> = new Set([
  'collections.OrderedDict',
  rebuildTensor,
  rebuildParameter,
  ...storedTypes.map((type) => type.torchStorage),
]);

/** Keys under which training scripts keep the state dict beside the epoch and the optimizer. */
const nestedKeys = ['state_dict', 'model', 'model_state_dict'];

/** What DataParallel and torch.compile put before every name. */
const wrapperPrefixes = ['module.', '_orig_mod.'];

/** More of them are a name that is to take long. */
const deepestWrapping = 16;

const maxPickleBytes = 64 * 1024 * 1024;

/**
 * The entries of the state dict in a zip file that `torch.save` wrote; nothing in it is run. A state dict within a
 * checkpoint is found under `state_dict`, `model` or `model_state_dict`; what is no tensor is left out; the prefixes
 * of DataParallel and torch.compile are taken off. Tensors that are views are brought into C order; those that share
 * a storage and lie in C order already share its memory.
 *
 * @throws `ERR_WEIGHTS` where the file is damaged, needs anything that is not part of a state dict, or has no tensors.
 */
export async function torchEntries(file: WeightsFile): Promise<Map<string, StoredEntry>> {
  const { fault, pacer } = file;
  const archive = await TorchArchive.open(file);
  const root = await pacer.run(interpretPickle(await archive.pickle(), allowedGlobals, fault));
  const named = [...tensorsOf(stateDictOf(root, fault))];
  if (named.length === 0) throw fault(`holds no tensors; ${describe(root)}`);

  const storages = new Storages(archive, file);
  const entries = new Map<string, StoredEntry>();
  const skip = prefixLength(named.map(([name]) => name));
  for (const [name, call] of named) {
    if (typeof name !== 'string') throw fault("a tensor's name is no string");
    const key = name.slice(skip);
    if (key === '__proto__') throw fault("a tensor's name is __proto__");
    const wrong: Fault = (message, cause) => fault(`tensor ${quote(name)}: ${message}`, cause);
    await pacer.breathe();
    entries.set(key, storages.entry(parseTensor(call, wrong), wrong));
  }
  requireMemory(file.path, storages.bytes());
  return entries;
}

/** The parts of the archive: everything lies in one folder, whose name is free. */
class TorchArchive {
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

interface TorchTensor extends StridedView {
  type: StoredType;
  storageKey: string;
  storageLength: number;
}

/** Storages by key, each read from the file once, and tensors made of them. */
class Storages {
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

/** The dict of tensors: the root itself, or what a checkpoint keeps under one of the usual keys. */
function stateDictOf(root: PickleValue, fault: Fault): Map<PickleValue, PickleValue> {
  if (!(root instanceof Map)) throw fault(`expected a dict of tensors, got ${describe(root)}`);
  for (const key of nestedKeys) {
    const inner = root.get(key);
    if (inner instanceof Map) return inner;
  }
  return root;
}

function* tensorsOf(dict: Map<PickleValue, PickleValue>): Generator<[PickleValue, PickleCall]> {
  for (const [name, value] of dict) {
    if (value instanceof PickleCall) yield [name, value];
  }
}

/** How much to take off all names. */
function prefixLength(names: PickleValue[]): number {
  let length = 0;
  for (let depth = 0; depth < deepestWrapping; depth++) {
    const next = wrapperPrefixes.find((prefix) =>
      names.every((name) => typeof name === 'string' && name.startsWith(prefix, length)),
    );
    if (next === undefined) break;
    length += next.length;
  }
  return length;
}

/** A tensor's description from the call that would rebuild it. */
function parseTensor(call: PickleCall, wrong: Fault): TorchTensor {
  const inner = call.callee === rebuildParameter ? call.args[0] : call;
  if (!(inner instanceof PickleCall) || inner.callee !== rebuildTensor) {
    throw wrong('is not made by torch._utils._rebuild_tensor_v2');
  }
  const [storage, offset, size, stride, , , flags] = inner.args;
  if (flags !== undefined && !(flags instanceof Map && flags.size === 0)) {
    // a conjugated or negated view, whose storage holds other numbers than it shows
    throw wrong('is a lazily negated view; save tensor.resolve_neg() instead');
  }
  const shape = naturals(size);
  const strides = naturals(stride);
  if (!isNatural(offset) || !shape || !strides) {
    throw wrong('its offset, size or stride is not made of integers from 0 to 2^53 - 1');
  }
  return { ...parseStorage(storage, wrong), offset, shape, strides };
}

/** The persistent id of a storage: `('storage', torch.FloatStorage, key, location, length)`. */
function parseStorage(storage: PickleValue | undefined, wrong: Fault) {
  if (!(storage instanceof PickleReference) || !Array.isArray(storage.id)) throw wrong('has no storage');
  const [kind, global, storageKey, , storageLength] = storage.id;
  const type =
    global instanceof PickleGlobal && storedTypes.find((known) => known.torchStorage === global.name);
  if (kind !== 'storage' || !type || typeof storageKey !== 'string' || !isNatural(storageLength)) {
    throw wrong('its storage is not described as torch.save does');
  }
  return { type, storageKey, storageLength };
}

function isNatural(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function naturals(value: PickleValue | undefined): number[] | undefined {
  return Array.isArray(value) && value.length <= maxDimensions && value.every(isNatural) ? value : undefined;
}

/** A few words on a value that is not what was expected. */
function describe(value: PickleValue): string {
  if (value instanceof Map) {
    const keys = [...value.keys()]
      .slice(0, 8)
      .map((key) => (typeof key === 'string' ? quote(key) : typeof key));
    return keys.length > 0
      ? `its keys are ${keys.join(', ')}${value.size > 8 ? ', …' : ''}`
      : 'it is an empty dict';
  }
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PickleCall) return 'a single tensor';
  if (typeof value === 'string') return quote(value);
  return value instanceof PickleGlobal || value instanceof PickleReference ? 'a Python object' : `${value}`;
}
