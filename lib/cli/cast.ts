import { type FloatDType, floatDTypes, type WeightEntry } from '../dtype.js';

/**
 * An entry's numbers in another floating-point type, each rounded to the nearest and halves to the even. Integers and
 * booleans are no weights but counters and such: entries of them are given back as they are.
 */
export function castEntry(entry: WeightEntry, dtype: FloatDType): WeightEntry {
  if (entry.dtype === dtype || !['float64', ...floatDTypes].includes(entry.dtype)) {
    return entry;
  }
  if (dtype === 'float32') {
    return { dtype, shape: entry.shape, data: singles(entry) };
  }
  const bits = new Uint32Array(entry.dtype === 'float64' ? roundedToOdd(entry) : singles(entry).buffer);
  const narrow = dtype === 'float16' ? float16Bits : bfloat16Bits;
  return { dtype, shape: entry.shape, data: Uint16Array.from(bits, narrow) };
}

/** Whether an entry of floating-point numbers holds an infinity. */
export function hasInfinity({ dtype, data }: WeightEntry): boolean {
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const infinity = dtype === 'float16' ? 0x7c00 : 0x7f80;
    return (data as Uint16Array).some((bits) => (bits & 0x7fff) === infinity);
  }
  if (dtype === 'float32' || dtype === 'float64') {
    return (data as Float32Array).some((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
  }
  return false;
}

/** The numbers as float32, in a buffer of their own. */
function singles({ dtype, data }: WeightEntry): Float32Array<ArrayBuffer> {
  switch (dtype) {
    case 'float16':
      return new Float32Array(Uint32Array.from(data as Uint16Array, float32BitsOfFloat16).buffer);
    case 'bfloat16':
      return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
    default:
      return Float32Array.from(data as Float32Array | Float64Array);
  }
}

/**
 * The float32 patterns of float64 numbers, cut off and with the last bit set where anything was lost. A second rounding
 * to 16 bits then gives what one rounding would have given.
 */
function roundedToOdd({ data }: WeightEntry): ArrayBuffer {
  const values = data as Float64Array;
  const nearest = Float32Array.from(values);
  const bits = new Uint32Array(nearest.buffer);
  for (let i = 0; i < values.length; i++) {
    const [value, rounded] = [values[i]!, nearest[i]!];
    if (rounded !== value && !Number.isNaN(value)) {
      const cut = Math.abs(rounded) > Math.abs(value) ? bits[i]! - 1 : bits[i]!;
      bits[i] = cut | 1;
    }
  }
  return nearest.buffer;
}

function bfloat16Bits(single: number): number {
  if ((single & 0x7fffffff) > 0x7f800000) {
    return (single >>> 16) | 0x40;
  }
  return (single + 0x7fff + ((single >>> 16) & 1)) >>> 16;
}

function float16Bits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & 0x7fffffff;
  if (magnitude >= 0x477ff000) {
    // 65520 and more, infinities, NaN
    return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  }
  if (magnitude >= 0x38800000) {
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  // below 2^-14 float16 counts in steps of 2^-24
  const exponent = magnitude >>> 23;
  if (exponent < 102) {
    return sign;
  }
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const steps = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (steps + (rest > half || (rest === half && steps & 1) ? 1 : 0));
}

function float32BitsOfFloat16(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) {
    return sign | 0x7f800000 | (fraction << 13);
  }
  if (exponent > 0) {
    return sign | ((exponent + 112) << 23) | (fraction << 13);
  }
  if (fraction === 0) {
    return sign;
  }
  const leading = 31 - Math.clz32(fraction);
  return sign | ((leading + 103) << 23) | ((fraction << (23 - leading)) & 0x7fffff);
}
