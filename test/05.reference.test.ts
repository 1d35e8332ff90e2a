import { describe, expect, test } from 'vitest';
import { expectClose } from './support/compare.js';
import { erf } from './support/erf.js';
import { uniform } from './support/generator.js';
import { goldenJson } from './support/golden.js';
import * as reference from './support/reference.js';
import { type FloatDType, map, rounded, type Values, values } from './support/values.js';

/* The loops that every operation is judged by, themselves judged by PyTorch in float64. */

interface Case {
  op: keyof typeof compute;
  name: string;
  scale: number;
  inputs: Record<string, number[]>;
  options: Record<string, unknown>;
  outputs: Record<string, { shape: number[]; data: number[] }>;
}

/** Inputs and options of a case, under the names that the reference functions give them. */
// biome-ignore lint/suspicious/noExplicitAny: what a golden file holds has the types of no single operation
type Given = any;

const compute = {
  conv2d: ({ x, weight, ...options }: Given) => ({ y: reference.conv2d(x, weight, options) }),
  batchNorm: ({ x, ...options }: Given) => ({ y: reference.batchNorm(x, options) }),
  batchNormTraining: ({ x, ...options }: Given) => reference.batchNormTraining(x, options),
  activation: ({ x, kind }: Given) => ({ y: reference.activation(x, kind) }),
  add: ({ a, b, ...options }: Given) => ({ y: reference.add(a, b, options) }),
  maxPool2d: ({ x, ...options }: Given) => ({ y: reference.maxPool2d(x, options) }),
  avgPool2d: ({ x, ...options }: Given) => ({ y: reference.avgPool2d(x, options) }),
  globalAvgPool: ({ x }: Given) => ({ y: reference.globalAvgPool(x) }),
  linear: ({ x, weight, ...options }: Given) => ({ y: reference.linear(x, weight, options) }),
  softmax: ({ x }: Given) => ({ y: reference.softmax(x) }),
  normalizeImage: ({ pixels, ...options }: Given) => ({
    y: reference.normalizeImage(
      map(pixels, (p) => Math.floor((p + 1) * 128)),
      options,
    ),
  }),
  rounded: ({ x, dtype }: Given) => ({ y: rounded(x, dtype as FloatDType) }),
};

const cases = goldenJson<Case[]>('primitives.json');

function drawn({ name, scale }: Case, key: string, shape: number[]): Values {
  const isVariance = key.toLowerCase().includes('variance');
  return map(uniform(`${name}.${key}`, shape), (u) => (isVariance ? 1 + u / 2 : scale * u));
}

describe('the reference agrees with PyTorch', () => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_name, golden) => {
    const inputs = Object.entries(golden.inputs).map(([key, shape]) => [key, drawn(golden, key, shape)]);
    const outputs: Record<string, Values> = compute[golden.op]({
      ...golden.options,
      ...Object.fromEntries(inputs),
    });
    expect(Object.keys(outputs)).toEqual(Object.keys(golden.outputs));
    for (const [key, { shape, data }] of Object.entries(golden.outputs)) {
      expectClose(outputs[key]!, values(shape, data), golden.op === 'rounded' ? 0 : 1e-14, key);
    }
  });

  test('every primitive has a golden case', () => {
    expect(new Set(cases.map(({ op }) => op))).toEqual(new Set(Object.keys(compute)));
  });
});

// From Abramowitz and Stegun's table 7.1 and, beyond it, 1 − erfc
test.each([
  [0, 0],
  [0.5, 0.5204998778130465],
  [-1, -0.8427007929497149],
  [2, 0.9953222650189527],
  [2.5, 0.999593047982555],
  [3, 0.9999779095030014],
  [9, 1],
])('erf(%d)', (x, expected) => {
  expect(Math.abs(erf(x) - expected)).toBeLessThan(2e-15);
});

describe('comparison', () => {
  const one = values([1, 2], [1, 2]);

  test.each([
    ['NaN', values([1, 2], [1, NaN])],
    ['infinity', values([1, 2], [1, Infinity])],
    ['another shape', values([2, 1], [1, 2])],
    ['too large an error', values([1, 2], [1, 2.1])],
  ])('%s does not pass', (_name, out) => {
    expect(() => expectClose(out, one, 1e-2)).toThrow();
  });

  test('NaN does not pass where the reference has NaN, nor anything where the reference is zero', () => {
    expect(() => expectClose(values([1], [NaN]), values([1], [NaN]), 1)).toThrow();
    expect(() => expectClose(values([1], [1e-9]), values([1], [0]), 1)).toThrow();
  });

  test('names the worst element', () => {
    expect(() => expectClose(values([2, 2], [1, 2, 3, 5]), values([2, 2], [1, 2, 3, 4]), 1e-2)).toThrow(
      '[1,1]: 5, not 4',
    );
  });
});
