import { CudnnResnetError } from './errors.js';
import { shown } from './kind-of.js';

/** Element types of a tensor on a device. `float16` and `bfloat16` are read and written as their 16-bit patterns. */
export type DType = 'float32' | 'float16' | 'bfloat16' | 'uint8' | 'int64';

/** Element types that networks compute in. */
export type FloatDType = 'float32' | 'float16' | 'bfloat16';

export const floatDTypes: readonly FloatDType[] = ['float32', 'float16', 'bfloat16'];

export function isFloatDType(dtype: unknown): dtype is FloatDType {
  return floatDTypes.includes(dtype as FloatDType);
}

/** Throws `ERR_DTYPE` where networks do not compute in `dtype`. */
export function checkFloatDType(where: string, dtype: unknown): void {
  if (!isFloatDType(dtype)) {
    throw new CudnnResnetError(
      'ERR_DTYPE',
      `${where}: dtype must be float32, float16 or bfloat16, got ${shown(dtype)}`,
    );
  }
}

/** The typed array that holds elements of a dtype on the host. */
export interface TypedArrayOf {
  /** Numbers. */
  float32: Float32Array;
  /** Bit patterns. */
  float16: Uint16Array;
  /** Bit patterns: the upper halves of float32's. */
  bfloat16: Uint16Array;
  /** Bytes. */
  uint8: Uint8Array;
  /** BigInts. */
  int64: BigInt64Array;
}

/** Element types that a file of weights may hold beside those a device computes with. */
export type StoredDType = DType | 'float64' | 'int32' | 'int16' | 'int8' | 'bool';

/** Element types that a device takes from the host. */
export type HostDType = DType | 'float64';

export function isHostDType(dtype: StoredDType): dtype is HostDType {
  return ['float64', 'float32', 'float16', 'bfloat16', 'int64', 'uint8'].includes(dtype);
}

/** One entry of a file of weights: elements in C order. `bool` and `int8` keep their bytes. */
export interface WeightEntry {
  /** What the elements are. */
  dtype: StoredDType;
  /** The extents, outermost first; `[]` of a single number. */
  shape: readonly number[];
  /** As many elements as the shape says. 16-bit floats are bit patterns in a `Uint16Array`. */
  data:
    | Float32Array
    | Float64Array
    | Uint16Array
    | Uint8Array
    | Int8Array
    | Int16Array
    | Int32Array
    | BigInt64Array;
}

const tagOfTypedArray = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** `'Float32Array'` and so on, also for arrays of a `vm` context, which are instances of other classes. */
export function typedArrayName(value: unknown): string | undefined {
  return tagOfTypedArray.call(value);
}

/** What makes the typed arrays that hold elements on the host. */
export type TypedArrayConstructor = {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): WeightEntry['data'];
  readonly BYTES_PER_ELEMENT: number;
};

/** The typed array of each dtype: {@link TypedArrayOf}, at run time. */
export const typedArrays: Readonly<Record<StoredDType, TypedArrayConstructor>> = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Bytes of one element. */
export const bytesPerElement = Object.fromEntries(
  Object.entries(typedArrays).map(([dtype, array]) => [dtype, array.BYTES_PER_ELEMENT]),
) as Readonly<Record<StoredDType, number>>;
