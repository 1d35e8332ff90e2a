import { map, sizeOf, type Values } from './values.js';

/*
 * The numbers of test/golden/generator.py, bit for bit, from a name. Whole networks are checked on them, so that no
 * file of weights needs to be kept.
 */

function fnv1a(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

/** Numbers in (-1, 1), each an odd multiple of 2^-24 and so exact in float32. */
export function uniform(key: string, shape: readonly number[]): Values {
  const start = fnv1a(key);
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    let x = (start + Math.imul(i, 0x9e3779b9)) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x7feb352d);
    x ^= x >>> 15;
    x = Math.imul(x, 0x846ca68b);
    x ^= x >>> 16;
    data[i] = (2 * (x >>> 8) + 1 - 2 ** 24) / 2 ** 24;
  }
  return { shape, data };
}

/** An entry of a state dict, scaled so that activations neither die nor explode; `num_batches_tracked` is not one. */
export function parameter(key: string, shape: readonly number[]): Float32Array {
  const { data } = uniform(key, shape);
  const [center, scale] = range(key, shape);
  const parameter = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    parameter[i] = center + scale * data[i]!;
  }
  return parameter;
}

function range(key: string, shape: readonly number[]): [center: number, scale: number] {
  if (key.endsWith('running_mean') || key.endsWith('bias')) {
    return [0, 0.25];
  }
  if (key.endsWith('running_var')) {
    return [1, 0.5];
  }
  return shape.length === 1 ? [0.75, 0.25] : [0, Math.sqrt(6 / sizeOf(shape.slice(1)))];
}

/** Patches of 32 by 32 pixels under noise, so that networks tell one image from another. */
export function images(key: string, shape: readonly [number, number, number, number]): Values {
  const [batch, channels, height, width] = shape;
  const [rows, columns] = [Math.ceil(height / 32), Math.ceil(width / 32)];
  const patches = uniform(`${key}.patches`, [batch, channels, rows, columns]);
  return map(uniform(key, shape), (noise, i) => {
    const plane = Math.floor(i / (height * width));
    const row = Math.floor((i % (height * width)) / width / 32);
    const column = Math.floor((i % width) / 32);
    return Math.fround(noise + 2 * patches.data[(plane * rows + row) * columns + column]!);
  });
}
