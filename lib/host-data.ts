import { type DType, type HostDType, typedArrayName } from './dtype.js';
import { CudnnResnetError } from './errors.js';
import { classOf, kindOf } from './kind-of.js';
import { shapeText, sizeOf } from './shape.js';

/** Elements on the host that a tensor can be made of. */
export type HostArray =
  | readonly number[]
  | Float32Array
  | Float64Array
  | Uint16Array
  | Uint8Array
  | Uint8ClampedArray
  | BigInt64Array;

/** The dtype of the tensor that `Tensor.from` makes of an array, where it is not told another. */
export type DTypeOf<A extends HostArray> = A extends BigInt64Array
  ? 'int64'
  : A extends Uint8Array | Uint8ClampedArray
    ? 'uint8'
    : 'float32';

/** Throws for a plain array before it is walked, which may take long. Others are left to the addon. */
export function checkLength(data: HostArray, shape: readonly number[]): void {
  if (!Array.isArray(data) || !Array.isArray(shape)) return;
  const valid = shape.every((extent) => Number.isSafeInteger(extent) && extent > 0);
  if (valid && data.length !== sizeOf(shape)) {
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `Tensor.from: shape ${shapeText(shape)} has ${sizeOf(shape)} elements, the data has ${data.length}`,
    );
  }
}

/** The elements to copy, and what they are. */
export function hostData(
  data: HostArray,
  dtype: DType | undefined,
): { data: NodeJS.TypedArray; dataType: HostDType } {
  if (Array.isArray(data)) {
    const check = dtype === 'int64' || dtype === 'uint8' ? checkedInteger : checkedNumber;
    const numbers = new Float64Array(data.length);
    for (let i = 0; i < numbers.length; i++) numbers[i] = check((data as number[])[i]!, i);
    return { data: numbers, dataType: 'float64' };
  }
  const elements = data as NodeJS.TypedArray;
  switch (typedArrayName(data)) {
    case 'Float32Array':
      return { data: elements, dataType: 'float32' };
    case 'Float64Array':
      return { data: elements, dataType: 'float64' };
    case 'Uint8Array':
    case 'Uint8ClampedArray':
      return { data: elements, dataType: 'uint8' };
    case 'BigInt64Array':
      return { data: elements, dataType: 'int64' };
    case 'Uint16Array':
      if (dtype === 'float16' || dtype === 'bfloat16') return { data: elements, dataType: dtype };
      throw new CudnnResnetError(
        'ERR_DTYPE',
        "a Uint16Array holds the bit patterns of 'float16' or 'bfloat16': say which with the option dtype",
      );
  }
  throw new CudnnResnetError(
    'ERR_DTYPE',
    `expected a number[], Float32Array, Float64Array, Uint16Array, Uint8Array or BigInt64Array, got ${classOf(data)}`,
  );
}

function checkedNumber(value: number, index: number): number {
  if (typeof value !== 'number') {
    throw new CudnnResnetError(
      'ERR_DTYPE',
      `element ${index} of the data must be a number, got ${kindOf(value)}; int64 also comes as a BigInt64Array`,
    );
  }
  return value;
}

function checkedInteger(value: number, index: number): number {
  if (!Number.isSafeInteger(checkedNumber(value, index))) {
    throw new CudnnResnetError(
      'ERR_DTYPE',
      `element ${index} of the data must be a whole number below 2^53, got ${value}; larger ones come as a BigInt64Array`,
    );
  }
  return value;
}
