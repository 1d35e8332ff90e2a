import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { castEntry, hasInfinity } from '../lib/cli/cast.js';
import type { FloatDType, WeightEntry } from '../lib/dtype.js';
import { readWeights } from '../lib/weights/read.js';
import { writeSafetensors } from '../lib/weights/write-safetensors.js';
import { cudnnResnet, jsonLines } from './support/cli-process.js';
import { suiteFolder } from './support/temporary-folder.js';

const folder = suiteFolder();

function entry(dtype: 'float32' | 'float64', values: number[]): WeightEntry {
  const data = dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
  return { dtype, shape: [values.length], data };
}

async function cast(from: WeightEntry, dtype: FloatDType) {
  return (await castEntry(from, dtype)).data as Float32Array | Uint16Array;
}

/** Rounds to `digits` binary digits, halves to the even, by exact scaling: what the bit patterns are checked against. */
function rounded(value: number, digits: number, smallestExponent: number, largest: number): number {
  if (!Number.isFinite(value) || value === 0) {
    return value;
  }
  let exponent = Math.floor(Math.log2(Math.abs(value)));
  if (2 ** exponent > Math.abs(value)) {
    exponent--;
  } else if (2 ** (exponent + 1) <= Math.abs(value)) {
    exponent++;
  }
  const step = 2 ** (Math.max(exponent, smallestExponent) - digits + 1);
  const steps = value / step;
  const below = Math.floor(steps);
  const even = below % 2 === 0 ? below : below + 1;
  const nearest = steps - below === 0.5 ? even : Math.round(steps);
  const result = Math.sign(value) * Math.abs(nearest * step); // what becomes zero keeps its sign
  return Math.abs(result) > largest ? Math.sign(value) * Number.POSITIVE_INFINITY : result;
}

const formats = [
  { dtype: 'float16', round: (value: number) => rounded(value, 11, -14, 65504) },
  { dtype: 'bfloat16', round: (value: number) => rounded(value, 8, -126, (2 - 2 ** -7) * 2 ** 127) },
] as const;

describe.each(formats)('numbers become $dtype', ({ dtype, round }) => {
  it.each(['float32', 'float64'] as const)('from %s, rounded once to the nearest even', async (source) => {
    const anyNumber = source === 'float32' ? fc.float() : fc.double();
    const ofOurSize = fc
      .double({ min: -70_000, max: 70_000 })
      .map((x) => (source === 'float32' ? Math.fround(x) : x));
    const small = fc
      .double({ min: -1e-4, max: 1e-4 })
      .map((x) => (source === 'float32' ? Math.fround(x) : x));
    const numbers = fc.array(fc.oneof(anyNumber, ofOurSize, small), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(numbers, async (values) => {
        const narrow = await castEntry(entry(source, values), dtype);
        expect(narrow.data).toBeInstanceOf(Uint16Array);
        expect([...(await cast(narrow, 'float32'))]).toEqual(values.map(round));
      }),
      { numRuns: 500 },
    );
  });

  it('and back without a change, every one of the 65536', async () => {
    const all: WeightEntry = {
      dtype,
      shape: [65536],
      data: Uint16Array.from({ length: 65536 }, (_, i) => i),
    };
    const wide = await cast(all, 'float32');
    const back = await cast(await castEntry(all, 'float32'), dtype);
    for (let i = 0; i < 65536; i++) {
      // NaN has many patterns, and one is enough
      if (!Number.isNaN(wide[i])) {
        expect(back[i]).toBe(i);
      }
    }
  });

  it('whose halfway cases double rounding would get wrong', async () => {
    const digits = dtype === 'float16' ? 11 : 8;
    const justAboveHalf = 1 + 2 ** -digits + 2 ** -50;
    const narrow = await castEntry(entry('float64', [justAboveHalf]), dtype);
    expect((await cast(narrow, 'float32'))[0]).toBe(1 + 2 ** (1 - digits));
  });
});

it('one of the 16-bit types becomes the other', async () => {
  const half: WeightEntry = { dtype: 'float16', shape: [2, 1], data: Uint16Array.of(0x3c01, 0xc000) };
  const brain: WeightEntry = { dtype: 'bfloat16', shape: [2, 1], data: Uint16Array.of(0x3f80, 0xc000) };
  expect(await castEntry(half, 'bfloat16')).toEqual(brain);
  expect(await castEntry(brain, 'float16')).toEqual({ ...half, data: Uint16Array.of(0x3c00, 0xc000) });
});

it('what holds no floating-point numbers stays as it is', async () => {
  const empty: WeightEntry = { dtype: 'float32', shape: [3, 0], data: new Float32Array() };
  const counter: WeightEntry = { dtype: 'int64', shape: [], data: BigInt64Array.of(7n) };
  expect(await castEntry(empty, 'float16')).toBe(empty);
  expect(await castEntry(counter, 'float16')).toBe(counter);
});

it('infinities are found', async () => {
  expect(hasInfinity(await castEntry(entry('float32', [1, 70_000]), 'float16'))).toBe(true);
  expect(hasInfinity(await castEntry(entry('float32', [1, 70_000, Number.NaN]), 'bfloat16'))).toBe(false);
  expect(hasInfinity(entry('float64', [1, Number.NEGATIVE_INFINITY]))).toBe(true);
});

describe('convert', () => {
  const weights = new Map<string, WeightEntry>([
    ['conv1.weight', { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1.5, -0.1) }],
    ['bn1.num_batches_tracked', { dtype: 'int64', shape: [], data: BigInt64Array.of(7n) }],
  ]);

  it('writes what it read', async () => {
    const [from, to] = [join(folder, 'from.safetensors'), join(folder, 'to.safetensors')];
    await writeSafetensors(from, weights);
    const { code, stdout, stderr } = await cudnnResnet(['convert', from, to]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`${to}: 2 tensors, 0.0 MB, int64, float32\n`);
    expect(await readWeights(to)).toEqual(await readWeights(from));
  });

  it('converts the floating-point numbers and leaves the counters', async () => {
    const [from, to] = [join(folder, 'from.safetensors'), join(folder, 'half.safetensors')];
    await writeSafetensors(from, weights);
    const { code, stdout } = await cudnnResnet(['convert', from, to, '--dtype', 'float16', '--json']);
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toEqual([{ file: to, tensors: 2, bytes: 12, dtypes: ['int64', 'float16'] }]);
    const half = await readWeights(to);
    expect(half.get('conv1.weight')).toEqual({
      dtype: 'float16',
      shape: [2, 1],
      data: Uint16Array.of(0x3e00, 0xae66),
    });
    expect(half.get('bn1.num_batches_tracked')?.data).toEqual(BigInt64Array.of(7n));
  });

  it('says which numbers do not fit the type', async () => {
    const [from, to] = [join(folder, 'large.safetensors'), join(folder, 'infinite.safetensors')];
    await writeSafetensors(from, new Map([['large', entry('float32', [1e6])]]));
    const { code, stderr } = await cudnnResnet(['convert', from, to, '--dtype', 'float16']);
    expect(code).toBe(0);
    expect(stderr).toContain("'large' holds numbers beyond float16");
    await writeSafetensors(from, new Map([['endless', entry('float32', [Number.POSITIVE_INFINITY])]]));
    expect(await cudnnResnet(['convert', from, to, '--dtype', 'float16'])).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  it('fails with exit code 1 on a file that is not there or damaged, and writes nothing', async () => {
    const to = join(folder, 'never.safetensors');
    const absent = await cudnnResnet(['convert', join(folder, 'absent.pth'), to]);
    expect([absent.code, absent.stdout]).toEqual([1, '']);
    expect(absent.stderr).toMatch(/absent\.pth.*\[ERR_WEIGHTS\]/);
    const damaged = join(folder, 'damaged.safetensors');
    writeFileSync(damaged, readFileSync(join(folder, 'from.safetensors')).subarray(0, 40));
    expect(await cudnnResnet(['convert', damaged, to])).toMatchObject({ code: 1, stdout: '' });
    expect(existsSync(to)).toBe(false);
  });
});
