import { types } from 'node:util';
import { bytesPerElement, type DType, isHostDType, typedArrayName, type WeightEntry } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { type HostArray, hostData } from '../host-data.js';
import { classOf, isPlainObject, kindOf, shown } from '../kind-of.js';
import { native } from '../native.js';
import { listed, named, quote } from '../quote.js';
import { shapeText } from '../shape.js';
import { Tensor } from '../tensor.js';
import { entryFault } from '../weights/stored-dtypes.js';

/** Values by key: tensors, or the entries that `readWeights` gives. */
export type StateDictionary =
  | ReadonlyMap<string, Tensor | WeightEntry>
  | Readonly<Record<string, Tensor | WeightEntry>>;

/** The values of a state dict by key. Throws `ERR_ARGUMENT` where it, or one of them, is something else. */
export function stateEntries(
  where: string,
  dict: StateDictionary,
): ReadonlyMap<string, Tensor | WeightEntry> {
  if (!types.isMap(dict) && !isPlainObject(dict)) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `${where}: expected a Map or a plain object of tensors, as stateDict() and readWeights() give it, ` +
        `got ${classOf(dict)}`,
    );
  }
  const entries: ReadonlyMap<string, Tensor | WeightEntry> = types.isMap(dict)
    ? dict
    : new Map(Object.entries(dict));
  for (const [key, value] of entries) {
    if (typeof key !== 'string') {
      throw new CudnnResnetError('ERR_ARGUMENT', `${where}: keys must be strings, got ${shown(key)}`);
    }
    if (!(value instanceof Tensor) && !isWeightEntry(value)) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        `${where}: ${quote(key)} must be a Tensor or { dtype, shape, data }, got ${kindOf(value)}`,
      );
    }
  }
  return entries;
}

function isWeightEntry(value: unknown): boolean {
  const { dtype, shape, data } = Object(value) as Partial<WeightEntry>;
  return (
    typeof dtype === 'string' &&
    Object.hasOwn(bytesPerElement, dtype) &&
    Array.isArray(shape) &&
    shape.every((extent) => typeof extent === 'number') &&
    typedArrayName(data) !== undefined
  );
}

interface Plan<Entry> {
  writes: [string, Tensor, Entry][];
  missing: string[];
  unexpected: string[];
}

/**
 * What is to be written where; those of `optional` are not missed. Throws `ERR_WEIGHTS` with the keys that do not fit; `misfit`
 * says what of what.
 */
export function stateDictPlan<Entry extends { shape: readonly number[] }>(
  misfit: string,
  state: ReadonlyMap<string, Tensor>,
  given: ReadonlyMap<string, Entry>,
  { strict, optional }: { strict: boolean; optional: ReadonlySet<Tensor> },
): Plan<Entry> {
  const plan: Plan<Entry> = {
    writes: [],
    missing: [],
    unexpected: [...given.keys()].filter((key) => !state.has(key)),
  };
  const misshapen: string[] = [];
  for (const [key, tensor] of state) {
    const entry = given.get(key);
    if (!entry) {
      if (!optional.has(tensor)) plan.missing.push(key);
    } else if (!sameShape(entry.shape, tensor.shape)) {
      misshapen.push(`${key} (expected ${shapeText(tensor.shape)}, got ${shapeText(entry.shape)})`);
    } else {
      plan.writes.push([key, tensor, entry]);
    }
  }
  const problems = [
    ...(strict ? [problem('missing', plan.missing), problem('unexpected', plan.unexpected.map(named))] : []),
    problem('of another shape', misshapen),
  ].filter((text) => text !== '');
  if (problems.length > 0) {
    throw new CudnnResnetError('ERR_WEIGHTS', `${misfit}:\n${problems.join('\n')}`);
  }
  return plan;
}

/** Throws where {@link writeEntry} would, so that either all of a state dict is written or nothing. */
export function checkWrite(key: string, to: Tensor, entry: Tensor | WeightEntry): void {
  const wrong = entry instanceof Tensor ? undefined : entryFault(entry);
  if (wrong) {
    throw new CudnnResnetError('ERR_WEIGHTS', `loadStateDict: ${quote(key)}: ${wrong}`);
  }
  if (to.disposed || (entry instanceof Tensor && entry.disposed)) {
    const whose = to.disposed ? 'the module' : 'the state dict';
    throw new CudnnResnetError('ERR_DISPOSED', `loadStateDict: ${quote(key)} of ${whose} was disposed of`);
  }
}

/** Replaces a tensor's values. */
export function writeEntry(to: Tensor, entry: Tensor | WeightEntry): void {
  if (!(entry instanceof Tensor)) {
    native().write({ to: to.handle, ...uploadable(entry) });
  } else if (entry.device === to.device) {
    native().assign({ from: entry.handle, to: to.handle });
  } else {
    using moved = entry.to({ device: to.device });
    native().assign({ from: moved.handle, to: to.handle });
  }
  to.version++;
}

/** The entry's elements, widened where the device does not know their type. */
function uploadable({ dtype, data }: WeightEntry): ReturnType<typeof hostData> {
  const elements = isHostDType(dtype) ? data : new Float64Array(data as Int32Array);
  return hostData(elements as HostArray, dtype as DType);
}

function problem(what: string, keys: string[]): string {
  return keys.length === 0 ? '' : `  ${what} (${keys.length}): ${listed(keys)}`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}
