import { bytesPerElement, type StoredDType, typedArrayName, type WeightEntry } from '../dtype.js';
import { sizeOf } from '../shape.js';

type TypedArrayConstructor = {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): WeightEntry['data'];
  readonly BYTES_PER_ELEMENT: number;
};

/** An element type by the names that the two file formats give it, and the typed array that holds it here. */
export interface StoredType {
  dtype: StoredDType;
  safetensors: string;
  torchStorage: string;
  bytes: number;
  Array: TypedArrayConstructor;
}

const rows: [StoredDType, string, string, TypedArrayConstructor][] = [
  ['float64', 'F64', 'torch.DoubleStorage', Float64Array],
  ['float32', 'F32', 'torch.FloatStorage', Float32Array],
  ['float16', 'F16', 'torch.HalfStorage', Uint16Array],
  ['bfloat16', 'BF16', 'torch.BFloat16Storage', Uint16Array],
  ['int64', 'I64', 'torch.LongStorage', BigInt64Array],
  ['int32', 'I32', 'torch.IntStorage', Int32Array],
  ['int16', 'I16', 'torch.ShortStorage', Int16Array],
  ['int8', 'I8', 'torch.CharStorage', Int8Array],
  ['uint8', 'U8', 'torch.ByteStorage', Uint8Array],
  ['bool', 'BOOL', 'torch.BoolStorage', Uint8Array],
];

/** Every element type that a file of weights may hold. */
export const storedTypes: readonly StoredType[] = rows.map(([dtype, safetensors, torchStorage, array]) => ({
  dtype,
  safetensors,
  torchStorage,
  bytes: bytesPerElement[dtype],
  Array: array,
}));

/**
 * The product of a shape of non-negative integers, or undefined where it is past 2^53 - 1: a rounded product of
 * doubles stays past it once it got there, and an infinity times zero is NaN.
 */
export function elementCount(shape: readonly number[]): number | undefined {
  const count = sizeOf(shape);
  return Number.isSafeInteger(count) ? count : undefined;
}

/** What of an entry does not fit together; undefined where all does. */
export function entryFault({ dtype, shape, data }: WeightEntry): string | undefined {
  const type = storedTypes.find((known) => known.dtype === dtype);
  if (!type) return `unknown dtype '${dtype}'`;
  if (typedArrayName(data) !== type.Array.name) {
    return `the data of ${dtype} is a ${type.Array.name}, got ${Object.prototype.toString.call(data)}`;
  }
  const valid = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  const count = valid ? elementCount(shape) : undefined;
  return count === data.length ? undefined : `shape [${shape}] does not fit ${data.length} elements`;
}

/** Most tensors that one file may hold; the largest published models have fewer than this. */
export const maxTensors = 100_000;
