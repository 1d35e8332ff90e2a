import type { WeightEntry } from '../dtype.js';
import { shapeText } from '../shape.js';
import { elementCount } from './stored-dtypes.js';

/** A tensor's elements within a storage, all in elements, as PyTorch describes them. */
export interface StridedView {
  offset: number;
  shape: number[];
  strides: number[];
}

/** Why the view does not lie within a storage of `length` elements; undefined where it does. */
export function misfit({ offset, shape, strides }: StridedView, length: number): string | undefined {
  if (shape.length !== strides.length) return `has ${shape.length} dimensions and ${strides.length} strides`;
  const count = elementCount(shape);
  if (count === undefined) return `of shape ${shapeText(shape)} has more than 2^53 - 1 elements`;
  if (count === 0) return undefined;
  // Sums past 2^53 are rounded, but never down below the storage's length.
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset);
  if (last >= length) return `reaches element ${last} of a storage of ${length}`;
  return undefined;
}

/** Whether the elements lie in C order without gaps. */
export function isContiguous({ shape, strides }: StridedView): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Elements copied between two chances for the event loop. */
const copiesPerStep = 16_384;

/** Copies the elements of a view, which fits the storage, to `target` in C order. */
export function* gather(
  storage: WeightEntry['data'],
  { offset, shape, strides }: StridedView,
  target: WeightEntry['data'],
): Generator<void, void, void> {
  const rowLength = shape.at(-1) ?? 1;
  const rowStride = strides.at(-1) ?? 1;
  const index = new Array<number>(Math.max(0, shape.length - 1)).fill(0);
  let source = offset;
  for (let written = 0, step = copiesPerStep; written < target.length; ) {
    for (const rowEnd = written + rowLength; written < rowEnd; ) {
      const end = Math.min(rowEnd, step);
      for (let place = source + (rowLength - (rowEnd - written)) * rowStride; written < end; written++) {
        target[written] = storage[place]!;
        place += rowStride;
      }
      if (written === step) {
        step += copiesPerStep;
        yield;
      }
    }
    // to the next row, as an odometer counts
    for (let axis = index.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}
