import type { DType } from '../../lib/dtype.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.js';

/** A tensor of the reference: float64 elements in C order. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type FloatDType = Extract<DType, 'float32' | 'float16' | 'bfloat16'>;

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

export function zeros(shape: readonly number[]): Values {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

/** `[2, 3]` for a shape and a row of numbers, checked against each other. */
export function values(shape: readonly number[], data: ArrayLike<number>): Values {
  if (data.length !== sizeOf(shape)) {
    throw new Error(`${data.length} elements do not fill [${shape}]`);
  }
  return { shape, data: Float64Array.from(data) };
}

export function map(x: Values, f: (element: number, index: number) => number): Values {
  return { shape: x.shape, data: x.data.map(f) };
}

/** What is left of the elements once they are stored as `dtype`: an operation is judged on what it was given. */
export function rounded(x: Values, dtype: FloatDType): Values {
  const round = {
    float32: Math.fround,
    float16: (element: number) => fromFloat16(toFloat16(element)),
    bfloat16: (element: number) => fromBfloat16(toBfloat16(element)),
  }[dtype];
  return map(x, (element) => round(element));
}
