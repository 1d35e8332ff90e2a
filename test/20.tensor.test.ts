import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type DType, device, devices, ops, Tensor } from '../lib/index.js';
import { deviceIds } from './support/devices.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { inUse, returnsMemory } from './support/memory.js';
import { random, randomIntegers } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { upload } from './support/tensors.js';

onEveryDevice('Tensor', (id) => {
  const dtypes: [DType, ArrayLike<number | bigint>, number][] = [
    ['float32', Float32Array.from(random('float32', [2, 3, 1, 5]).data), 4],
    ['float16', Uint16Array.from({ length: 30 }, (_, i) => 0x3c00 + i), 2],
    ['bfloat16', Uint16Array.from({ length: 30 }, (_, i) => 0x3f80 - i), 2],
    ['uint8', Uint8Array.from(randomIntegers('uint8', [30], 0, 255).data), 1],
    ['int64', BigInt64Array.from({ length: 30 }, (_, i) => 2n ** 62n - BigInt(i)), 8],
  ];

  for (const [dtype, elements, bytes] of dtypes) {
    check(`${dtype} comes back as it went in`, async () => {
      const x = Tensor.from(elements as Float32Array, [2, 3, 1, 5], { dtype, device: id });
      expect(x.shape).toEqual([2, 3, 1, 5]);
      expect([x.dtype, x.size, x.bytes, x.disposed]).toEqual([dtype, 30, 30 * bytes, false]);
      expect(x.device.id).toBe(id);
      expect(await x.data()).toEqual(elements);
      expect(x.dataSync()).toEqual(elements);
    });
  }

  check('the dtype follows from the array', async () => {
    expect(Tensor.from(new Float32Array(2), [2], { device: id }).dtype).toBe('float32');
    expect(Tensor.from(new Float64Array(2), [2], { device: id }).dtype).toBe('float32');
    expect(Tensor.from([1, 2], [2], { device: id }).dtype).toBe('float32');
    expect(Tensor.from(new Uint8Array(2), [2], { device: id }).dtype).toBe('uint8');
    expect(Tensor.from(new Uint8ClampedArray(2), [2], { device: id }).dtype).toBe('uint8');
    expect(Tensor.from(new BigInt64Array(2), [2], { device: id }).dtype).toBe('int64');
  });

  check('and its type follows too', async () => {
    const bytes: Uint8Array = await Tensor.from(new Uint8Array(2), [2], { device: id }).data();
    const integers: BigInt64Array = await Tensor.from(new BigInt64Array(2), [2], { device: id }).data();
    const numbers: Float32Array = await Tensor.from([1, 2], [2], { device: id }).data();
    const halves: Uint16Array = await Tensor.from([1, 2], [2], { device: id, dtype: 'float16' }).data();
    expect([bytes, integers, numbers, halves].map(({ length }) => length)).toEqual([2, 2, 2, 2]);
  });

  check('numbers and float64 are rounded to float32', async () => {
    const third = Float32Array.of(1 / 3);
    expect(await Tensor.from([1 / 3], [1], { device: id }).data()).toEqual(third);
    expect(await Tensor.from(Float64Array.of(1 / 3), [1], { device: id }).data()).toEqual(third);
  });

  check(
    'integers are the whole part of floats, within their range, and of larger integers the lowest bits',
    async () => {
      const floats = Float32Array.of(-2.7, 2.9, 300, -300, NaN, 2 ** 70);
      const bytes = Tensor.from(floats, [6], { device: id, dtype: 'uint8' });
      expect(await bytes.data()).toEqual(Uint8Array.of(0, 2, 255, 0, 0, 255));
      const integers = Tensor.from(floats, [6], { device: id, dtype: 'int64' });
      expect(await integers.data()).toEqual(BigInt64Array.of(-2n, 2n, 300n, -300n, 0n, 2n ** 63n - 1n));
      const lowest = Tensor.from(BigInt64Array.of(-1n, 256n, 300n), [3], { device: id, dtype: 'uint8' });
      expect(await lowest.data()).toEqual(Uint8Array.of(255, 0, 44));
    },
  );

  check('its shape is not to be changed', () => {
    const x = Tensor.zeros([2, 3], { device: id });
    expect(() => {
      (x.shape as number[])[0] = 100;
    }).toThrow(TypeError);
    expect([x.shape, x.size]).toEqual([[2, 3], 6]);
  });

  check('console.log shows what its text says', () => {
    const x = Tensor.zeros([2, 3], { device: id });
    expect(String(x)).toBe(`Tensor(float32 [2, 3] on ${id})`);
    expect(inspect({ x })).toBe(`{ x: ${x} }`);
    x.dispose();
    expect(String(x)).toBe(`Tensor(float32 [2, 3] on ${id}, disposed)`);
  });

  check('a part of a larger buffer is read where it lies', async () => {
    const whole = Float32Array.of(1, 2, 3, 4, 5);
    expect(await Tensor.from(whole.subarray(1, 4), [3], { device: id }).data()).toEqual(
      Float32Array.of(2, 3, 4),
    );
  });

  check('the array belongs to its owner before and after', async () => {
    const source = Float32Array.of(1, 2, 3);
    const x = Tensor.from(source, [3], { device: id });
    source.fill(9);
    const first = await x.data();
    expect(first).toEqual(Float32Array.of(1, 2, 3));
    first.fill(9);
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3));
  });

  check('zeros', async () => {
    expect(await Tensor.zeros([2, 3], { device: id }).data()).toEqual(new Float32Array(6));
    expect(await Tensor.zeros([2], { device: id, dtype: 'int64' }).data()).toEqual(new BigInt64Array(2));
    expect(await Tensor.zeros([2], { device: id, dtype: 'bfloat16' }).data()).toEqual(new Uint16Array(2));
  });

  check('reshape and flatten keep the order of elements', async () => {
    const x = upload(random('reshape', [2, 3, 4, 5]), 'float32', id);
    const elements = await x.data();
    for (const [y, shape] of [
      [x.reshape([6, 20]), [6, 20]],
      [x.reshape([5, -1, 2]), [5, 12, 2]],
      [x.reshape([-1]), [120]],
      [x.flatten(), [2, 60]],
      [x.flatten(2), [2, 3, 20]],
      [x.flatten(0), [120]],
    ] as const) {
      expect(y.shape).toEqual(shape);
      expect(await y.data()).toEqual(elements);
    }
  });

  check('what an operation left in a layout of its own is reshaped in NCHW order', async () => {
    const x = upload(random('layout', [2, 16, 3, 5]), 'float32', id);
    const identity = Float32Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0));
    const weight = Tensor.from(identity, [16, 16, 1, 1], { device: id });
    const y = ops.conv2d(x, weight);
    expect(await y.reshape([4, 120]).data()).toEqual(await x.data());
  });

  describe('dispose', () => {
    check('gives memory back at once, and again does nothing', async () => {
      const before = await inUse(id);
      const x = Tensor.zeros([1000], { device: id });
      expect(await inUse(id)).toEqual({ tensors: before.tensors + 1, bytes: before.bytes + 4000 });
      x.dispose();
      x.dispose();
      expect(x.disposed).toBe(true);
      expect(await inUse(id)).toEqual(before);
    });

    check('what was asked for before it still comes', async () => {
      const x = Tensor.from([1, 2], [2], { device: id });
      const y = ops.add(x.reshape([1, 2]), x.reshape([1, 2]));
      const data = y.data();
      x.dispose();
      y.dispose();
      expect(await data).toEqual(Float32Array.of(2, 4));
    });

    check('every use after it is ERR_DISPOSED', async () => {
      const x = Tensor.from([1, 2, 3, 4], [1, 1, 2, 2], { device: id });
      const live = Tensor.zeros([1, 1, 2, 2], { device: id });
      x[Symbol.dispose]();
      expectThrows('ERR_DISPOSED', () => x.reshape([4]));
      expectThrows('ERR_DISPOSED', () => x.to({ dtype: 'bfloat16' }));
      expectThrows('ERR_DISPOSED', () => x.dataSync());
      expectThrows('ERR_DISPOSED', () => ops.add(live, x));
      expectThrows('ERR_DISPOSED', () => ops.conv2d(live, x));
      expectThrows('ERR_DISPOSED', () => ops.conv2d(live, live, { add: x, padding: 1, dilation: 1 }));
      await expectRejects(
        'ERR_DISPOSED',
        settled(() => x.data()),
      );
      await expectRejects(
        'ERR_DISPOSED',
        settled(() => x.topK(1)),
      );
    });
  });

  describe('what bad input gets', () => {
    const wrongShapes: [string, unknown][] = [
      ['a length that does not fill the shape', [3]],
      ['NaN', [NaN, 2]],
      ['a negative size', [-1, -2]],
      ['a zero', [0, 2]],
      ['a fraction', [0.5, 4]],
      ['infinity', [Infinity, 2]],
      ['more elements than can be counted', [2 ** 40, 2 ** 40]],
    ];
    for (const [name, shape] of wrongShapes) {
      check(`${name} is ERR_SHAPE`, () => {
        expectThrows('ERR_SHAPE', () => Tensor.from([1, 2], shape as number[], { device: id }));
      });
    }

    check('zeros and random tensors take the same shapes', () => {
      for (const shape of [[NaN], [-1, 4], [0], [1.5], [2 ** 40, 2 ** 40]]) {
        expectThrows('ERR_SHAPE', () => Tensor.zeros(shape, { device: id }));
        expectThrows('ERR_SHAPE', () => Tensor.randn(shape, { seed: 1, device: id }));
        expectThrows('ERR_SHAPE', () => Tensor.rand(shape, { seed: 1, device: id }));
      }
    });

    check('a shape that is no list of numbers', () => {
      for (const shape of [undefined, null, 2, '2', { length: 1 }]) {
        expectThrows('ERR_SHAPE', () => Tensor.from([1, 2], shape as unknown as number[], { device: id }));
      }
      for (const shape of [['2'], [null], [2n]]) {
        expectThrows('ERR_SHAPE', () => Tensor.from([1, 2], shape as unknown as number[], { device: id }));
      }
    });

    check('an unknown dtype is ERR_DTYPE', () => {
      for (const dtype of ['float', 'float64', '', 32]) {
        expectThrows('ERR_DTYPE', () => Tensor.from([1], [1], { device: id, dtype: dtype as 'float32' }));
      }
      expectThrows('ERR_DTYPE', () => Tensor.zeros([1], { device: id, dtype: 'int8' as 'uint8' }), /int8/);
    });

    check('16-bit patterns need their dtype', () => {
      expectThrows('ERR_DTYPE', () => Tensor.from(new Uint16Array(1), [1], { device: id }), /float16/);
    });

    check('a misspelt option is answered with the nearest right one', () => {
      const options = { device: id, dtpye: 'float32' };
      expectThrows('ERR_ARGUMENT', () => Tensor.from([1], [1], options as object), /dtpye.*dtype/);
      expectThrows('ERR_ARGUMENT', () => Tensor.zeros([1], { Device: id } as object), /Device.*device/);
    });

    check('data that is no array of numbers', () => {
      for (const data of [undefined, null, 'ab', 2, {}, new Date(), new DataView(new ArrayBuffer(4))]) {
        expectThrows('ERR_DTYPE', () => Tensor.from(data as unknown as number[], [2], { device: id }));
      }
      for (const [dtype, element] of [
        ['float32', '1'],
        ['float32', undefined],
        ['int64', 1.5],
        ['uint8', 1.5],
        ['int64', NaN],
        ['int64', 'one'],
      ] as const) {
        expectThrows('ERR_DTYPE', () => Tensor.from([element as number], [1], { device: id, dtype }));
      }
      for (const [element, says] of [
        [1n, /element 0 of the data must be a number, got bigint; .*BigInt64Array/],
        [2 ** 60, /must be a whole number below 2\^53, got 1152921504606847000; .*BigInt64Array/],
      ] as const) {
        const from = () => Tensor.from([element as number], [1], { device: id, dtype: 'int64' });
        expectThrows('ERR_DTYPE', from, says);
      }
    });

    check('reshape and flatten', () => {
      const x = Tensor.zeros([2, 6], { device: id });
      for (const shape of [[5], [-1, -1], [-1, 5], [-2, -6], [NaN], [0, -1]]) {
        expectThrows('ERR_SHAPE', () => x.reshape(shape));
      }
      expectThrows('ERR_ARGUMENT', () => x.flatten(2));
      expectThrows('ERR_ARGUMENT', () => x.flatten(3));
      expectThrows('ERR_ARGUMENT', () => x.flatten(0.5));
    });
  });
});

test('an unknown device is ERR_DEVICE', () => {
  expectThrows('ERR_DEVICE', () => Tensor.zeros([1], { device: 'gpu' as 'cpu' }), /gpu/);
  expectThrows('ERR_DEVICE', () => device('cuda:99'), /cuda:99/);
});

// The devices under test, and the CPU beside a GPU that is tested alone.
const present = devices()
  .map(({ id }) => id)
  .filter((id) => id === 'cpu' || deviceIds.includes(id));

describe.each(present.flatMap((a) => present.filter((b) => a !== b).map((b) => [a, b])))(
  '%s and %s',
  (a, b) => {
    returnsMemory();

    check('tensors of two devices do not mix', () => {
      const [x, y] = [a, b].map((id) => Tensor.zeros([1, 1, 1, 1], { device: id! }));
      expectThrows('ERR_DEVICE', () => ops.add(x!, y!));
      expectThrows('ERR_DEVICE', () => ops.conv2d(x!, y!));
    });

    check('a tensor moves from one to the other', async () => {
      const x = Tensor.from([1, 2, 3], [3], { device: a! });
      const y = x.to({ device: b! });
      expect(y.device.id).toBe(b);
      expect(await y.data()).toEqual(Float32Array.of(1, 2, 3));
    });
  },
);

/** A call that may throw as well as reject, as one promise. */
async function settled(call: () => Promise<unknown>): Promise<unknown> {
  return call();
}
