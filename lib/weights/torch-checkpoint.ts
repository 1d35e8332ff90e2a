import { quote } from '../quote.js';
import type { Fault } from './fault.js';
import { requireMemory } from './host-memory.js';
import { maxDimensions } from './limits.js';
import { interpretPickle, PickleCall, PickleGlobal, PickleReference, type PickleValue } from './pickle.js';
import { storedTypes } from './stored-dtypes.js';
import type { StoredEntry } from './stored-entry.js';
import { TorchArchive } from './torch-archive.js';
import { TorchStorages, type TorchTensor } from './torch-storages.js';
import type { WeightsFile } from './weights-file.js';

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

  const storages = new TorchStorages(archive, file);
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
