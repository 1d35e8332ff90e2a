import { type FloatDType, floatDTypes, type WeightEntry } from '../dtype.js';
import type { HostArray } from '../host-data.js';

/**
 * An entry's numbers in another floating-point type, each rounded to the nearest and halves to the even. Integers and
 * booleans are no weights but counters and such: entries of them are given back as they are, as are those without numbers.
 */
export async function castEntry(entry: WeightEntry, dtype: FloatDType): Promise<WeightEntry> {
  const { data, shape } = entry;
  const from = floatDTypes.find((type) => type === entry.dtype);
  if (from === dtype || (!from && entry.dtype !== 'float64') || data.length === 0) {
    return entry;
  }
  const { Tensor } = await import('../index.js');
  // converted on the host where they can be: a processor may take the least float32 for zero
  using given = Tensor.from(data as HostArray, [data.length], {
    dtype: data instanceof Uint16Array ? from : dtype,
  });
  using values = given.dtype === dtype ? given : given.to({ dtype });
  return { dtype, shape, data: await values.data() };
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
