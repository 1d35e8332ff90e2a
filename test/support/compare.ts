import type { FloatDType, Values } from './values.js';

/** ‖out − ref‖/‖ref‖ that one operation may reach. */
export const perOp: Readonly<Record<FloatDType, number>> = { float32: 1e-5, float16: 5e-3, bfloat16: 3e-2 };

/** The same for what a whole network gives. */
export const perNetwork: Readonly<Record<FloatDType, number>> = { ...perOp, float32: 1e-4 };

/** ‖out − ref‖/‖ref‖; NaN where either holds one, Infinity where the reference is zero and `out` is not. */
export function relativeError(out: Values, reference: Values): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < reference.data.length; i++) {
    difference += (out.data[i]! - reference.data[i]!) ** 2;
    norm += reference.data[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

/** Throws unless shapes are equal and the relative error is within the tolerance. NaN and infinity never pass. */
export function expectClose(out: Values, reference: Values, tolerance: number, what = 'output'): void {
  expectShape(out, reference.shape, what);
  const error = relativeError(out, reference);
  if (!(error <= tolerance)) {
    throw new Error(
      `${what}: relative error ${error} exceeds ${tolerance}; worst is ${worst(out, reference)}`,
    );
  }
}

/** Throws unless every element is the reference's, NaN and infinities included; zeros of both signs are equal. */
export function expectExact(out: Values, reference: Values, what = 'output'): void {
  expectShape(out, reference.shape, what);
  const differs = out.data.findIndex((element, i) => !same(element, reference.data[i]!));
  if (differs >= 0) {
    const count = out.data.filter((element, i) => !same(element, reference.data[i]!)).length;
    throw new Error(`${what}: ${count} elements differ; first is ${element(out, reference, differs)}`);
  }
}

function same(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

function expectShape(out: Values, shape: readonly number[], what: string): void {
  if (out.shape.length !== shape.length || out.shape.some((n, i) => n !== shape[i])) {
    throw new Error(`${what}: shape is [${out.shape}], not [${shape}]`);
  }
}

function worst(out: Values, reference: Values): string {
  let index = 0;
  let largest = -1;
  for (let i = 0; i < reference.data.length; i++) {
    const difference = Math.abs(out.data[i]! - reference.data[i]!);
    if (!Number.isFinite(difference)) {
      return element(out, reference, i);
    }
    if (difference > largest) {
      [index, largest] = [i, difference];
    }
  }
  return element(out, reference, index);
}

/** `[1,0,3]: 0.5, not 0.25` */
function element(out: Values, reference: Values, index: number): string {
  const position = [];
  let rest = index;
  for (const n of reference.shape.toReversed()) {
    position.unshift(rest % n);
    rest = Math.floor(rest / n);
  }
  return `[${position}]: ${out.data[index]}, not ${reference.data[index]}`;
}
