import type { NativeTensor } from '../../binding.js';
import { addon, type Case } from './native-calls.js';

/** What a hostile getter throws: it must come out as it is. */
export class Sentinel extends Error {}

/** Values that were not expected; `valid` is what would have been right. */
export const hostile: Record<string, (c: Case, valid: unknown) => unknown> = {
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
export const interruptions: Record<string, (c: Case) => void> = {
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
