import { native } from '../native.js';

/** Pixels of 8 bits, three interleaved channels, row after row. */
interface RgbPixels {
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * What one output line of pixels needs of the input along one axis: for each output pixel the first input pixel and the
 * weights of the ones from there on, as fixed-point integers that sum to one.
 */
interface Filter {
  /** First input pixel that any output pixel reads. */
  start: number;
  /** One past the last input pixel that any output pixel reads. */
  end: number;
  /** Per output pixel: its first input pixel. */
  first: Int32Array;
  /** Per output pixel: how many weights it uses of its `taps`. */
  count: Int32Array;
  weights: Int32Array;
  taps: number;
}

/** Fraction bits of a weight: 255 times a sum of weights that are one still fits 32 bits. */
const precision = 22;

/**
 * The bilinear filter of Pillow's `Image.resize` (a triangle, widened by the scale when shrinking, that is with
 * antialias), for the output pixels `from` to `from + length` of an axis that goes from `input` to `output` pixels.
 * Rounded as Pillow's `ImagingResample` rounds, so that its results are met to the bit.
 */
export function bilinearFilter(input: number, output: number, from: number, length: number): Filter {
  const scale = input / output;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * taps);
  const exact = new Float64Array(taps);
  for (let i = 0; i < length; i++) {
    const center = (from + i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - support + 0.5));
    const used = Math.min(input, Math.trunc(center + support + 0.5)) - begin;
    let sum = 0;
    for (let t = 0; t < used; t++) {
      const weight = Math.max(0, 1 - Math.abs((t + begin - center + 0.5) * (1 / support)));
      exact[t] = weight;
      sum += weight;
    }
    for (let t = 0; t < used; t++) {
      weights[i * taps + t] = Math.trunc(0.5 + (exact[t]! / sum) * (1 << precision));
    }
    first[i] = begin;
    count[i] = used;
  }
  return { start: first[0]!, end: first[length - 1]! + count[length - 1]!, first, count, weights, taps };
}

/**
 * Applies one filter along the rows and one along the columns, in Pillow's order and with its 8-bit picture between, on
 * a thread of the addon's. `image` holds only the input pixels from the filters' `start` to their `end`.
 */
export async function resample(image: RgbPixels, columns: Filter, rows: Filter): Promise<Uint8Array> {
  return new Uint8Array(await native().resample({ ...image, columns, rows }));
}
