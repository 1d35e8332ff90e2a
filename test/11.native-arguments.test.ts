import { openSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NativeDevice, NativeTensor } from '../binding.js';
import { CudnnResnetError, type DType, device as open } from '../lib/index.js';
import { native } from '../lib/native.js';
import { deviceIds } from './support/devices.js';
import { expectThrows } from './support/errors.js';

const addon = native() as unknown as Record<string, (...args: unknown[]) => unknown>;

/** Of a file that is longer than any tensor here. */
const file = openSync(import.meta.filename, 'r');

/** What a hostile getter throws: it must come out as it is. */
class Sentinel extends Error {}

/** What a call may use: all is made anew for it, since hostile arguments dispose of tensors and detach buffers. */
class Case {
  readonly made: NativeTensor[] = [];
  readonly buffer = new ArrayBuffer(16);
  reads = 0;

  constructor(readonly device: NativeDevice) {}

  tensor(shape: number[], dtype: DType = 'float32'): NativeTensor {
    const x = addon.zeros!({ device: this.device, shape, dtype }) as NativeTensor;
    this.made.push(x);
    return x;
  }

  detach(): void {
    if (this.buffer.byteLength > 0) {
      structuredClone(this.buffer, { transfer: [this.buffer] });
    }
  }

  disposeAll(): void {
    for (const x of this.made) x.dispose();
  }
}

/** A valid call of each entry point. */
const calls: Record<string, (c: Case) => Record<string, unknown>> = {
  upload: (c) => ({
    device: c.device,
    shape: [2, 2],
    dtype: 'float32',
    dataType: 'float32',
    data: new Float32Array(c.buffer),
  }),
  write: (c) => ({ to: c.tensor([2, 2]), dataType: 'float32', data: new Float32Array(c.buffer) }),
  fill: (c) => ({ to: c.tensor([2, 2]), path: 'addon', descriptor: file, position: 0, dataType: 'float32' }),
  zeros: (c) => ({ device: c.device, shape: [2, 2], dtype: 'float32' }),
  random: (c) => ({
    device: c.device,
    shape: [2, 2],
    dtype: 'float32',
    normal: true,
    a: 0,
    b: 1,
    seed: 1,
    stream: 0,
  }),
  unwritten: (c) => ({ device: c.device, shape: [2, 2], dtype: 'float32' }),
  cast: (c) => ({ x: c.tensor([2, 2]), dtype: 'bfloat16' }),
  reshape: (c) => ({ x: c.tensor([2, 2]), shape: [4, 1] }),
  assign: (c) => ({ from: c.tensor([2, 2]), to: c.tensor([2, 2], 'bfloat16') }),
  copyTo: (c) => ({ x: c.tensor([2, 2]), device: c.device }),
  conv2d: (c) => ({
    x: c.tensor([1, 2, 4, 4]),
    weight: c.tensor([2, 1, 3, 3]),
    bias: c.tensor([2]),
    add: c.tensor([1, 2, 4, 4]),
    stride: 1,
    padding: [1, 1],
    dilation: 1,
    groups: 2,
    activation: 'relu',
  }),
  linear: (c) => ({
    x: c.tensor([2, 3]),
    weight: c.tensor([4, 3]),
    bias: c.tensor([4]),
    activation: 'tanh',
  }),
  batchNorm: (c) => ({
    x: c.tensor([1, 2, 2, 2]),
    mean: c.tensor([2]),
    variance: c.tensor([2]),
    weight: c.tensor([2]),
    bias: c.tensor([2]),
    eps: 1e-5,
    activation: 'relu',
  }),
  batchNormTraining: (c) => ({
    x: c.tensor([1, 2, 2, 2]),
    runningMean: c.tensor([2]),
    runningVariance: c.tensor([2]),
    batchesTracked: c.tensor([], 'int64'),
    weight: c.tensor([2]),
    bias: c.tensor([2]),
    eps: 1e-5,
    momentum: 0.1,
  }),
  foldBatchNorm: (c) => ({
    weight: c.tensor([2, 1, 3, 3]),
    bias: c.tensor([2]),
    mean: c.tensor([2]),
    variance: c.tensor([2]),
    batchNormWeight: c.tensor([2]),
    batchNormBias: c.tensor([2]),
    eps: 1e-5,
  }),
  activation: (c) => ({ x: c.tensor([3]), kind: 'gelu' }),
  add: (c) => ({ a: c.tensor([3]), b: c.tensor([3]), activation: 'relu' }),
  maxPool2d: (c) => ({ x: c.tensor([1, 1, 4, 4]), kernelSize: 3, stride: 2, padding: 1 }),
  avgPool2d: (c) => ({
    x: c.tensor([1, 1, 4, 4]),
    kernelSize: [2, 2],
    stride: [2, 2],
    padding: 0,
    countIncludePad: false,
  }),
  globalAvgPool: (c) => ({ x: c.tensor([1, 1, 4, 4]) }),
  softmax: (c) => ({ x: c.tensor([2, 3]) }),
  normalizeImage: (c) => ({
    pixels: c.tensor([1, 2, 2, 3], 'uint8'),
    mean: [0, 0, 0],
    std: [1, 1, 1],
    dtype: 'float32',
  }),
  resample: (c) => ({
    data: new Uint8Array(c.buffer, 1, 12),
    width: 2,
    height: 2,
    columns: {
      start: 3,
      first: Int32Array.of(3),
      count: Int32Array.of(2),
      weights: Int32Array.of(7, 5),
      taps: 2,
    },
    rows: {
      start: 0,
      first: Int32Array.of(1),
      count: Int32Array.of(1),
      weights: Int32Array.of(7, 5),
      taps: 2,
    },
  }),
};

/** Values that were not expected; `valid` is what would have been right. */
const hostile: Record<string, (c: Case, valid: unknown) => unknown> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-0': () => -0,
  '0': () => 0,
  '-1': () => -1,
  '-2^63': () => -(2 ** 63),
  '1.5': () => 1.5,
  '1e-320': () => 1e-320,
  '2^24': () => 2 ** 24,
  '2^31': () => 2 ** 31,
  '2^32': () => 2 ** 32,
  '2^53': () => 2 ** 53,
  '2^53 - 1': () => 2 ** 53 - 1,
  '2^64': () => 2 ** 64,
  '1e308': () => 1e308,
  'a bigint': () => 2n ** 64n,
  true: () => true,
  'an empty string': () => '',
  'a long string': () => 'x'.repeat(1e6),
  'a lone surrogate': () => '\ud800',
  'a NUL': () => 'relu\0',
  'a symbol': () => Symbol('s'),
  'a function': () => () => 1,
  'an object': () => ({}),
  'no prototype': () => Object.create(null),
  'an array': () => [],
  'nine extents': () => [1, 1, 1, 1, 1, 1, 1, 1, 1],
  'a million extents': () => new Array(1e6).fill(1),
  'large extents': () => [2 ** 20, 2 ** 20],
  'extents beyond 2^64': () => [2 ** 40, 2 ** 40, 2 ** 40],
  'an extent of 2^40': () => [2 ** 40],
  'zero extents': () => [0, 0],
  'negative extents': () => [-1, -1],
  holes: () => Object.assign(new Array(3), { 0: 1, 2: 2 }),
  'only holes': () => new Array(2),
  'a length of 2^32 - 1': () => new Array(2 ** 32 - 1),
  'nested arrays': () => [[1], [1]],
  'strings as numbers': () => ['1', '1'],
  'boxed numbers': () => [new Number(1), new Number(1)],
  'a typed array as an array': () => Int32Array.of(1, 1),
  'an array whose getter throws': () =>
    Object.defineProperty([1, 1], 1, {
      get() {
        throw new Sentinel();
      },
    }),
  'an array that grows': () => {
    const array: number[] = [1, 1];
    Object.defineProperty(array, 0, {
      get() {
        array.length = 4e9;
        return 1;
      },
    });
    return array;
  },
  'an array that shrinks': () => {
    const array: number[] = [1, 1, 1];
    Object.defineProperty(array, 0, {
      get() {
        array.length = 1;
        return 1;
      },
      configurable: true,
    });
    return array;
  },
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  },
  'a proxy of what is right': (_, valid) =>
    typeof valid === 'object' && valid !== null ? new Proxy(valid, {}) : valid,
  'a device': (c) => c.device,
  'a tensor of another rank': (c) => c.tensor([1]),
  'a tensor of rank 8': (c) => c.tensor([1, 1, 1, 1, 1, 1, 1, 2]),
  'a scalar': (c) => c.tensor([]),
  'a uint8 tensor': (c) => c.tensor([2, 2], 'uint8'),
  'an int64 tensor': (c) => c.tensor([2], 'int64'),
  'a float16 tensor': (c) => c.tensor([2], 'float16'),
  'a disposed tensor': (c) => {
    const x = c.tensor([2]);
    x.dispose();
    return x;
  },
  'a large tensor without values': (c) => {
    const x = addon.unwritten!({ device: c.device, shape: [1, 2, 2 ** 19, 2 ** 19], dtype: 'float32' });
    c.made.push(x as NativeTensor);
    return x;
  },
  'an empty typed array': () => new Float32Array(0),
  'a typed array of another type': () => new BigInt64Array(2),
  'a typed array that is too long': () => new Float32Array(5),
  'odd bytes': () => new Uint8Array(7),
  'an array buffer': () => new ArrayBuffer(16),
  'a data view': () => new DataView(new ArrayBuffer(16)),
  'shared memory': () => new Float32Array(new SharedArrayBuffer(16)),
  'a detached array': () => {
    const array = new Float32Array(4);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  },
  'float64 as a dtype': () => 'float64',
  'int64 as a dtype': () => 'int64',
  'uint8 as a dtype': () => 'uint8',
};

/** What happens while the options are read, at the field that it is put on; the value that is read stays right. */
const interruptions: Record<string, (c: Case) => void> = {
  'disposes of every tensor': (c) => c.disposeAll(),
  'detaches the buffer': (c) => c.detach(),
  throws: () => {
    throw new Sentinel();
  },
  'calls in again': (c) => {
    (addon.softmax!({ x: c.tensor([1, 2]) }) as NativeTensor).dispose();
  },
  'trims and lowers the limit': (c) => {
    c.device.trim();
    c.device.setMemoryLimit(0);
  },
};

const manglings = fc.oneof(
  fc.record({
    kind: fc.constant('value' as const),
    which: fc.nat(),
    how: fc.constantFrom(...Object.keys(hostile)),
  }),
  fc.record({
    kind: fc.constant('interruption' as const),
    which: fc.nat(),
    how: fc.constantFrom(...Object.keys(interruptions)),
  }),
  // right at first, wrong at the look given by `after`
  fc.record({
    kind: fc.constant('change' as const),
    which: fc.nat(),
    how: fc.constantFrom(...Object.keys(hostile)),
    after: fc.integer({ min: 1, max: 4 }),
  }),
);
type Mangling = typeof manglings extends fc.Arbitrary<infer T> ? T : never;

function mangle(c: Case, options: Record<string, unknown>, mangling: Mangling): void {
  const names = Object.keys(options);
  const name = names[mangling.which % names.length]!;
  const valid = Object.getOwnPropertyDescriptor(options, name)!.value;
  if (mangling.kind === 'value') {
    Object.defineProperty(options, name, {
      value: hostile[mangling.how]!(c, valid),
      enumerable: true,
      configurable: true,
    });
    return;
  }
  let looks = 0;
  Object.defineProperty(options, name, {
    get() {
      looks++;
      if (mangling.kind === 'interruption') {
        interruptions[mangling.how]!(c);
        return valid;
      }
      return looks > mangling.after ? hostile[mangling.how]!(c, valid) : valid;
    },
    enumerable: true,
    configurable: true,
  });
}

function isOurs(error: unknown): boolean {
  return (
    (error instanceof CudnnResnetError && /^ERR_[A-Z_]+$/.test(error.code)) ||
    error instanceof Sentinel ||
    (error instanceof TypeError && error.message.includes('proxy that has been revoked'))
  );
}

describe.each(deviceIds)('hostile arguments on %s', (id) => {
  // An operation that asks for much fails by this limit, and not by taking the machine's memory.
  const limit = 64 * 2 ** 20;
  const device = native().openDevice(id);

  function attempt(c: Case, call: () => unknown): void {
    let result: unknown;
    try {
      result = call();
    } catch (error) {
      if (!isOurs(error)) {
        throw error;
      }
    }
    const made =
      result && typeof result === 'object' ? [result, ...Object.values(result as object)] : [result];
    for (const handle of made as Partial<NativeTensor>[]) {
      handle?.dispose?.();
    }
    if (result instanceof Promise) {
      result.catch((error: unknown) => expect(isOurs(error), String(error)).toBe(true));
    }
    c.disposeAll();
    device.setMemoryLimit(limit);
  }

  async function stillWorks(): Promise<void> {
    device.setMemoryLimit(limit);
    const x = native().upload({
      device,
      shape: [2],
      dtype: 'float32',
      dataType: 'float32',
      data: Float32Array.of(1, -2),
    });
    const y = native().activation({ x, kind: 'relu' });
    expect(new Float32Array(await y.data())).toEqual(Float32Array.of(1, 0));
    x.dispose();
    y.dispose();
  }

  const restored = () => device.setMemoryLimit(open(id).info.memory);

  test.each(Object.keys(calls))('%s', async (name) => {
    device.setMemoryLimit(limit);
    const before = device.memory().tensors;
    fc.assert(
      fc.property(fc.array(manglings, { minLength: 1, maxLength: 3 }), (list) => {
        const c = new Case(device);
        const options = calls[name]!(c);
        for (const mangling of list.filter((m, i) => list.findIndex((o) => o.which === m.which) === i)) {
          try {
            mangle(c, options, mangling);
          } catch (error) {
            if (!(error instanceof TypeError)) throw error; // a property that is a getter already
          }
        }
        attempt(c, () => addon[name]!(options));
      }),
      { numRuns: 250 },
    );
    await stillWorks();
    expect(device.memory().tensors).toBe(before);
    restored();
  });

  test('every value at every option of every entry point', async () => {
    device.setMemoryLimit(limit);
    for (const [name, valid] of Object.entries(calls)) {
      const fields = Object.keys(valid(new Case(device))).length;
      for (let which = 0; which < fields; which++) {
        for (const how of Object.keys(hostile)) {
          const c = new Case(device);
          const options = valid(c);
          mangle(c, options, { kind: 'value', which, how });
          attempt(c, () => addon[name]!(options));
        }
        for (const how of Object.keys(interruptions)) {
          const c = new Case(device);
          const options = valid(c);
          mangle(c, options, { kind: 'interruption', which, how });
          attempt(c, () => addon[name]!(options));
        }
      }
      await device.synchronize();
    }
    await stillWorks();
    restored();
  });

  test('what is asked of a large tensor without values leaves room in the queue for others', async () => {
    const size = [1, 2, 2 ** 19, 2 ** 19]; // 2 TB, were there any
    const x = native().unwritten({ device, shape: size, dtype: 'float32' });
    const rows = native().unwritten({ device, shape: [2 ** 20, 2 ** 19], dtype: 'float32' });
    // work that the rest waits for
    const busy = { normal: true, a: 0, b: 1, seed: 1, stream: 0, dtype: 'float32' } as const;
    native()
      .random({ device, shape: [2 ** 23], ...busy })
      .dispose();
    for (let i = 0; i < 20; i++) {
      native().copyTo({ x, device }).dispose();
      rows.topK(1).catch(() => undefined);
      native()
        .zeros({ device, shape: [2], dtype: 'float32' })
        .dispose();
    }
    x.dispose();
    rows.dispose();
    await stillWorks();
    restored();
  });

  test('anything in the place of the options, of a method and of too many arguments', async () => {
    device.setMemoryLimit(limit);
    for (const name of [...Object.keys(calls), 'openDevice', 'setup']) {
      for (const [how, value] of Object.entries(hostile)) {
        if (name === 'setup' && how === 'a function') continue; // would be taken for the class of errors
        const c = new Case(device);
        attempt(c, () => addon[name]!(value(c, undefined), value(c, undefined)));
      }
      attempt(new Case(device), () => addon[name]!());
    }
    for (const value of Object.values(hostile)) {
      const c = new Case(device);
      const x = c.tensor([2, 3]);
      attempt(c, () => x.topK(value(c, 1) as number));
      attempt(c, () => device.setMemoryLimit(value(c, 1) as number));
      attempt(c, () => (device.memory as (...args: unknown[]) => unknown)(value(c, 1)));
    }
    await stillWorks();
    restored();
  });

  test('a disposed handle answers every method', async () => {
    const x = native().zeros({ device, shape: [2, 2], dtype: 'float32' });
    x.dispose();
    x.dispose();
    expect(x.disposed()).toBe(true);
    expectThrows('ERR_DISPOSED', () => x.data());
    expectThrows('ERR_DISPOSED', () => x.dataSync());
    expectThrows('ERR_DISPOSED', () => x.topK(1));
    await stillWorks();
    restored();
  });

  test('a tensor larger than any memory is an error at its reading, not the end of the process', async () => {
    const x = native().unwritten({ device, shape: [2 ** 38], dtype: 'int64' });
    expectThrows('ERR_OUT_OF_MEMORY', () => x.data());
    expectThrows('ERR_OUT_OF_MEMORY', () => x.dataSync());
    x.dispose();
    await stillWorks();
    restored();
  });

  test('a getter that takes an option back does not pass the check with another value', () => {
    let looks = 0;
    const c = new Case(device);
    const options = { ...calls.conv2d!(c), add: undefined };
    Object.defineProperty(options, 'stride', { get: () => (++looks < 3 ? 1 : undefined) });
    const y = addon.conv2d!(options) as NativeTensor;
    expect(looks).toBe(1);
    expect(y.shape).toEqual([1, 2, 4, 4]);
    y.dispose();
    c.disposeAll();
  });
});
