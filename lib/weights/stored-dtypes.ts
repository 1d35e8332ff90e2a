import {
  bytesPerElement,
  type StoredDType,
  type TypedArrayConstructor,
  typedArrayName,
  typedArrays,
  type WeightEntry,
} from '../dtype.js';
import { shapeText, sizeOf } from '../shape.js';

/** An element type by the names that the two file formats give it, and the typed array that holds it here. */
export interface StoredType {
  dtype: StoredDType;
  safetensors: string;
  torchStorage: string;
  bytes: number;
  Array: TypedArrayConstructor;
}

const names: [StoredDType, string, string][] = [
  ['float64', 'F64', 'torch.DoubleStorage'],
  ['float32', 'F32', 'torch.FloatStorage'],
  ['float16', 'F16', 'torch.HalfStorage'],
  ['bfloat16', 'BF16', 'torch.BFloat16Storage'],
  ['int64', 'I64', 'torch.LongStorage'],
  ['int32', 'I32', 'torch.IntStorage'],
  ['int16', 'I16', 'torch.ShortStorage'],
  ['int8', 'I8', 'torch.CharStorage'],
  ['uint8', 'U8', 'torch.ByteStorage'],
  ['bool', 'BOOL', 'torch.BoolStorage'],
];

/** Every element type that a file of weights may hold. */
export const storedTypes: readonly StoredType[] = names.map(([dtype, safetensors, torchStorage]) => ({
  dtype,
  safetensors,
  torchStorage,
  bytes: bytesPerElement[dtype],
  Array: typedArrays[dtype],
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
  const valid = shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  const count = valid ? elementCount(shape) : undefined;
  return count === data.length ? undefined : `shape ${shapeText(shape)} does not fit ${data.length} elements`;
}
