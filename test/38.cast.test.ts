import { describe, expect } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectExact } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './support/half.js';
import { random, randomIntegers } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { map, rounded, type Values, values } from './support/values.js';

const halves = {
  float16: {
    encode: toFloat16,
    decode: fromFloat16,
    infinity: 0x7c00,
    nan: (bits: number) => (bits & 0x7fff) > 0x7c00,
  },
  bfloat16: {
    encode: toBfloat16,
    decode: fromBfloat16,
    infinity: 0x7f80,
    nan: (bits: number) => (bits & 0x7fff) > 0x7f80,
  },
};

onEveryDevice('dtype conversion', (id) => {
  for (const dtype of ['float16', 'bfloat16'] as const) {
    describe(dtype, () => {
      const { encode, decode, infinity, nan } = halves[dtype];
      // Where the processor itself converts to bfloat16, it takes float32's subnormals for zero.
      const mayFlush = (x: number) => dtype === 'bfloat16' && Math.abs(x) < 2 ** -126 && x !== 0;
      const everyPattern = Uint16Array.from({ length: 65536 }, (_, i) => i);

      check('every pattern becomes its float32', async () => {
        const x = Tensor.from(everyPattern, [65536], { dtype, device: id });
        const y = await download(x.to({ dtype: 'float32' }));
        expectExact(y, values([65536], Array.from(everyPattern, decode)));
      });

      check('every pattern survives the way to float32 and back', async () => {
        const x = Tensor.from(everyPattern, [65536], { dtype, device: id });
        const y = (await x.to({ dtype: 'float32' }).to({ dtype }).data()) as Uint16Array;
        const patterns = [...everyPattern].filter((bits) => !mayFlush(decode(bits)));
        const changed = patterns.filter((bits) => (nan(bits) ? !nan(y[bits]!) : y[bits] !== bits));
        expect(changed).toEqual([]);
      });

      // Magnitudes from below the least subnormal to beyond the largest, and every tie between two neighbours
      const magnitudes = map(random('magnitudes', [4000]), (u, i) => u * 2 ** ((i % 160) - 140));
      const ties = Array.from({ length: 2000 }, (_, i) => {
        const bits = Math.floor((i / 2000) * (infinity - 1));
        return (decode(bits) + decode(bits + 1)) / 2;
      });
      const float32 = rounded(values([6000], [...magnitudes.data, ...ties]), 'float32');

      check('float32 is rounded to nearest, ties to even', async () => {
        const x = map(float32, (element) => (mayFlush(element) ? 0 : element));
        const y = await upload(x, 'float32', id).to({ dtype }).data();
        expect(y).toEqual(Uint16Array.from(x.data, encode));
      });

      check('a Float32Array given for it is rounded alike', async () => {
        const x = Tensor.from(Float32Array.from(float32.data), [6000], { dtype, device: id });
        expect(x.dtype).toBe(dtype);
        expect(await x.data()).toEqual(Uint16Array.from(float32.data, encode));
      });

      check('overflow is infinity, NaN stays NaN, zero keeps its sign', async () => {
        const special = Float32Array.of(3.4e38, -3.4e38, Infinity, -Infinity, NaN, 0, -0);
        const y = (await Tensor.from(special, [7], { device: id }).to({ dtype }).data()) as Uint16Array;
        const negative = infinity | 0x8000;
        expect([...y.subarray(0, 4)]).toEqual([infinity, negative, infinity, negative]);
        expect(nan(y[4]!)).toBe(true);
        expect([...y.subarray(5)]).toEqual([0, 0x8000]);
      });
    });
  }

  check('from float16 to bfloat16 and back', async () => {
    const x = rounded(random('x', [1000], { scale: 100 }), 'float16');
    const y = upload(x, 'float16', id).to({ dtype: 'bfloat16' });
    expectExact(await download(y), rounded(x, 'bfloat16'));
    expectExact(await download(y.to({ dtype: 'float16' })), rounded(x, 'bfloat16'));
  });

  check('integers become floats and floats integers', async () => {
    const bytes = randomIntegers('bytes', [300], 0, 255);
    for (const dtype of floatDTypes) {
      const floats = upload(bytes, 'uint8', id).to({ dtype });
      expectExact(await download(floats), bytes, dtype);
      expectExact(await download(floats.to({ dtype: 'uint8' })), bytes, `${dtype} to uint8`);
      expectExact(await download(floats.to({ dtype: 'int64' })), bytes, `${dtype} to int64`);
    }
    const fractions = Tensor.from([1.9, -1.9, 2.5], [3], { device: id });
    expect(await fractions.to({ dtype: 'int64' }).data()).toEqual(BigInt64Array.of(1n, -1n, 2n));
  });

  check('int64 is rounded once on the way to 16 bits', async () => {
    // by float32 each would become a tie, or leave one, and end at the other neighbour
    const cases = {
      float16: [2049, -2051, 32785, 4101],
      bfloat16: [16842753, -16842753, 2n ** 62n + 2n ** 54n + 1n, 2n ** 62n + 3n * 2n ** 54n - 1n],
    };
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const integers = cases[dtype].map(BigInt);
      const x = Tensor.from(BigInt64Array.from(integers), [4], { device: id });
      const y = (await x.to({ dtype }).data()) as Uint16Array;
      const { decode } = halves[dtype];
      for (const [i, integer] of integers.entries()) {
        const distance = (bits: number) => {
          const error = BigInt(decode(bits)) - integer;
          return error < 0n ? -error : error;
        };
        const got = distance(y[i]!);
        expect([distance(y[i]! - 1), distance(y[i]! + 1)].every((other) => got <= other)).toBe(true);
      }
    }
  });

  check('int64 keeps all of its bits where it stays int64', async () => {
    const x = BigInt64Array.of(2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n);
    expect(await Tensor.from(x, [3], { device: id }).to({ dtype: 'int64' }).data()).toEqual(x);
  });

  describe('layouts', () => {
    // 16 channels invite a blocked layout, 17 one that needs padding
    for (const channels of [16, 17]) {
      for (const dtype of floatDTypes) {
        check(`${dtype}: ${channels} channels come back in NCHW order, converted or not`, async () => {
          const x = rounded(random('x', [2, channels, 5, 9]), dtype);
          const y = ops.conv2d(upload(x, dtype, id), upload(identityKernel(channels), dtype, id));
          expectExact(await download(y), x);
          for (const to of floatDTypes) {
            expectExact(await download(y.to({ dtype: to })), rounded(x, to), `to ${to}`);
          }
        });
      }
    }
  });

  check('the source keeps its dtype, and the copy its own life', async () => {
    const x = Tensor.from([1, 2], [2], { device: id });
    const same = x.to({ dtype: 'float32' });
    const other = x.to({ dtype: 'bfloat16' });
    expect([x.dtype, same.dtype, other.dtype]).toEqual(['float32', 'float32', 'bfloat16']);
    x.dispose();
    expectExact(await download(other), values([2], [1, 2]));
  });

  check('what bad input gets', () => {
    const x = Tensor.from([1, 2], [2], { device: id });
    expectThrows('ERR_DTYPE', () => x.to({ dtype: 'float8' as 'float16' }), /float8/);
    expectThrows('ERR_DEVICE', () => x.to({ device: 'tpu' as 'cpu' }), /tpu/);
    expectThrows('ERR_ARGUMENT', () => x.to({ type: 'float32' } as object), /'type'.*'dtype'/);
    expectThrows('ERR_ARGUMENT', () => x.to('float16' as unknown as object));
  });
});

function identityKernel(channels: number): Values {
  const diagonal = channels + 1;
  return values(
    [channels, channels, 1, 1],
    Array.from({ length: channels ** 2 }, (_, i) => (i % diagonal === 0 ? 1 : 0)),
  );
}
