import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { BasicBlock, nn, ResNet18, Tensor } from '../lib/index.js';
import { manualSeed } from '../lib/nn/initialize.js';
import { deviceIds } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { check, onEveryDevice } from './support/suite.js';

function hash(...arrays: ArrayBufferView[]): string {
  const sum = createHash('sha256');
  for (const array of arrays) {
    sum.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return sum.digest('hex').slice(0, 16);
}

const deviation = (x: Float32Array) => {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length);
};

onEveryDevice('random tensors', (id) => {
  const options = { device: id };

  // The seeds are part of what is promised: a change of these lines is a change of every seeded model.
  check('have the bits that their seed always gave', async () => {
    const normal = await Tensor.randn([1001], { ...options, seed: 42 }).data();
    const uniform = await Tensor.rand([1001], { ...options, seed: 42 }).data();
    expect(hash(normal)).toBe('c6772784eb967d7b');
    expect(hash(uniform)).toBe('2995005fe7265dad');
  });

  check('are the same for the same seed, and other for another', async () => {
    const draw = async (seed?: number) => hash(await Tensor.randn([64], { ...options, seed }).data());
    expect(await draw(7)).toBe(await draw(7));
    expect(await draw()).toBe(await draw(0));
    const seeds = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    expect(new Set(await Promise.all(seeds.map(draw))).size).toBe(seeds.length);
  });

  check('do not depend on the shape or on what else is drawn', async () => {
    const flat = await Tensor.randn([24], { ...options, seed: 3 }).data();
    Tensor.randn([1000], { ...options, seed: 4 });
    expect(await Tensor.randn([2, 3, 4], { ...options, seed: 3 }).data()).toEqual(flat);
    const longer = await Tensor.randn([100_000], { ...options, seed: 3 }).data();
    expect(longer.subarray(0, 24)).toEqual(flat);
  });

  check('of 16 bits are those of float32, rounded', async () => {
    const wide = Tensor.randn([512], { ...options, seed: 5 });
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const drawn = await Tensor.randn([512], { ...options, seed: 5, dtype }).data();
      expect(drawn).toEqual(await wide.to({ dtype }).data());
    }
  });

  // Within five standard errors: the seed is fixed, so a failure is a change.
  check('have the moments, the shares and the range of their distribution', async () => {
    const n = 100_000;
    const normal = await Tensor.randn([n], { ...options, seed: 1 }).data();
    for (const [power, moment, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) {
      const mean = normal.reduce((sum, x) => sum + x ** power, 0) / n;
      expect(Math.abs(mean - moment), `moment ${power}`).toBeLessThan(5 * Math.sqrt(variance / n));
    }
    const uniform = await Tensor.rand([n], { ...options, seed: 1 }).data();
    expect(Math.abs(uniform.reduce((sum, x) => sum + x, 0) / n - 0.5)).toBeLessThan(
      5 * Math.sqrt(1 / 12 / n),
    );
    expect(uniform.every((x) => x >= 0 && x < 1)).toBe(true);
    const tenths = new Array<number>(10).fill(0);
    for (const x of uniform) tenths[Math.floor(10 * x)]! += 1;
    for (const count of tenths) expect(Math.abs(count - n / 10)).toBeLessThan(5 * Math.sqrt(n * 0.1 * 0.9));
  });

  check('of a wrong seed or dtype are refused', async () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53, '1' as unknown as number]) {
      expectThrows('ERR_ARGUMENT', () => Tensor.randn([1], { ...options, seed }), /seed/);
    }
    const wrong = { ...options, dtype: 'uint8' as never };
    expectThrows('ERR_DTYPE', () => Tensor.randn([1], wrong), /^Tensor\.randn: dtype must be float32/);
    expectThrows('ERR_DTYPE', () => Tensor.rand([1], wrong), /^Tensor\.rand: dtype must be float32/);
  });

  check('start what is made after a ResNet as if there had been none', async () => {
    const draw = async () => {
      using conv = new nn.Conv2d(3, 4, 3, options);
      return hash(await conv.weight.data(), await conv.bias!.data());
    };
    manualSeed(3);
    const expected = [await draw(), await draw()];
    manualSeed(3);
    const first = await draw();
    new ResNet18(options).dispose();
    expect([first, await draw()]).toEqual(expected);
  });

  check('start a ResNet: equal seeds, equal weights; layers differ from each other', async () => {
    const weights = async (seed: number) => {
      using model = new ResNet18({ ...options, seed, numClasses: 10 });
      const state = model.stateDict();
      const arrays = await Promise.all([...state.values()].map((x) => x.data()));
      return new Map([...state.keys()].map((key, i) => [key, arrays[i]!]));
    };
    const [first, again, other] = [await weights(1), await weights(1), await weights(2)];
    expect(hash(...first.values())).toBe('44f060fcfc29c616');
    expect([...again.values()].map((array) => hash(array))).toEqual(
      [...first.values()].map((array) => hash(array)),
    );
    const drawn = [...first.keys()].filter((key) => /conv|fc|downsample\.0/.test(key));
    for (const key of drawn) expect(hash(first.get(key)!), key).not.toBe(hash(other.get(key)!));
    expect(new Set(drawn.map((key) => hash(first.get(key)!))).size).toBe(drawn.length);

    // Kaiming normal over the fan out; five standard errors of a deviation
    for (const key of drawn.filter((name) => !name.startsWith('fc'))) {
      const array = first.get(key) as Float32Array;
      const [out, , height, width] = shapes.get(key)!;
      const expected = Math.sqrt(2 / (out! * height! * width!));
      expect(Math.abs(deviation(array) / expected - 1), key).toBeLessThan(5 * Math.sqrt(0.5 / array.length));
      const largest = array.reduce((most, w) => Math.max(most, w), 0);
      expect(largest / expected, `${key} is not uniform`).toBeGreaterThan(3);
    }
    const bound = 1 / Math.sqrt(512);
    for (const [key, share] of [
      ['fc.weight', 0.99],
      ['fc.bias', 0.5],
    ] as const) {
      const array = first.get(key) as Float32Array;
      expect(Math.max(...array), key).toBeLessThanOrEqual(bound);
      expect(Math.min(...array), key).toBeGreaterThanOrEqual(-bound);
      expect(Math.max(...array), key).toBeGreaterThan(share * bound);
    }
    expect([...(first.get('bn1.weight') as Float32Array)]).toEqual(new Array(64).fill(1));
    for (const key of ['layer1.0.bn2.bias', 'layer1.0.bn2.running_mean']) {
      expect([...(first.get(key) as Float32Array)], key).toEqual(new Array(64).fill(0));
    }
  });

  check('start modules from the seed that was set', async () => {
    const draw = async () => {
      using conv = new nn.Conv2d(3, 8, 3, { device: id });
      using block = new BasicBlock(8, 8, { device: id });
      return hash(await conv.weight.data(), await conv.bias!.data(), await block.conv1.weight.data());
    };
    manualSeed(9);
    const first = await draw();
    const second = await draw();
    manualSeed(9);
    expect(await draw()).toBe(first);
    expect(second).not.toBe(first);
  });
});

const shapes = new Map<string, readonly number[]>();
{
  using model = new ResNet18({ device: deviceIds[0]!, numClasses: 10 });
  for (const [key, tensor] of model.stateDict()) shapes.set(key, tensor.shape);
}
