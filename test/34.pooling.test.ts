import { describe, expect } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random, randomIntegers } from './support/random.js';
import { avgPool2d, globalAvgPool, maxPool2d, type PoolOptions } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { map, rounded, values } from './support/values.js';

const geometries: [string, number[], PoolOptions][] = [
  ['the stem', [2, 64, 13, 11], { kernelSize: 3, stride: 2, padding: 1 }],
  ['stride as the kernel', [1, 3, 8, 6], { kernelSize: 2 }],
  ['pixels left over', [3, 17, 5, 9], { kernelSize: 2 }],
  ['overlapping', [1, 1, 7, 7], { kernelSize: 3, stride: 1 }],
  ['different in both directions', [2, 5, 9, 8], { kernelSize: [2, 4], stride: [3, 1], padding: [1, 2] }],
  ['one pixel', [2, 17, 1, 1], { kernelSize: 1 }],
  ['the whole image', [1, 64, 7, 5], { kernelSize: [7, 5] }],
  ['kernel larger than the input', [1, 3, 2, 1], { kernelSize: [4, 3], padding: [1, 1] }],
  ['stride beyond the kernel', [1, 16, 11, 9], { kernelSize: 2, stride: 5 }],
];

onEveryDevice('pooling', (id) => {
  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      for (const [name, shape, options] of geometries) {
        check(`max: ${name}`, async () => {
          // All below zero, so that a zero of the padding would be seen.
          const x = rounded(random('x', shape, { center: -2 }), dtype);
          const xd = upload(x, dtype, id);
          expectExact(await download(ops.maxPool2d(xd, options)), maxPool2d(x, options));
          expectExact(await download(xd), x, 'the input afterwards');
        });

        check(`average: ${name}`, async () => {
          const x = rounded(random('x', shape), dtype);
          const xd = upload(x, dtype, id);
          for (const countIncludePad of [true, false]) {
            const y = ops.avgPool2d(xd, { ...options, countIncludePad });
            const expected = avgPool2d(x, { ...options, countIncludePad });
            expectClose(await download(y), expected, perOp[dtype], `countIncludePad ${countIncludePad}`);
          }
          expectClose(
            await download(ops.avgPool2d(xd, options)),
            avgPool2d(x, options),
            perOp[dtype],
            'default',
          );
        });
      }

      for (const shape of [
        [1, 1, 1, 1],
        [3, 17, 5, 9],
        [2, 64, 7, 7],
        [1, 2048, 7, 7],
      ]) {
        check(`global average of [${shape}]`, async () => {
          const x = rounded(random('x', shape), dtype);
          expectClose(
            await download(ops.globalAvgPool(upload(x, dtype, id))),
            globalAvgPool(x),
            perOp[dtype],
          );
        });
      }
    });
  }

  check('averages of integers are exact where the area is a power of two', async () => {
    const x = randomIntegers('x', [2, 17, 8, 12], -100, 100);
    const y = ops.avgPool2d(upload(x, 'float32', id), { kernelSize: [2, 4] });
    expectExact(await download(y), avgPool2d(x, { kernelSize: [2, 4] }));
  });

  // PyTorch's is NaN. An engine's maximum is a comparison, which NaN may lose: then it is that of the other elements.
  check('the largest of a window that sees NaN is NaN or that of the rest', async () => {
    const x = rounded(random('x', [2, 16, 6, 6]), 'float32');
    const [withNaN, without] = [NaN, -Infinity].map((special) => map(x, (e, i) => (i === 40 ? special : e)));
    const options = { kernelSize: 3, stride: 2, padding: 1 };
    const y = await download(ops.maxPool2d(upload(withNaN!, 'float32', id), options));
    const rest = maxPool2d(without!, options);
    expectExact(
      map(y, (element, i) => (Number.isNaN(element) ? rest.data[i]! : element)),
      rest,
    );
    const seesNaN = maxPool2d(withNaN!, options).data;
    expect(y.data.every((element, i) => !Number.isNaN(element) || Number.isNaN(seesNaN[i]!))).toBe(true);
  });

  check('infinity reaches the windows that see it, and NaN their averages', async () => {
    for (const special of [Infinity, -Infinity]) {
      const x = map(rounded(random('x', [2, 16, 6, 6]), 'float32'), (element, i) =>
        i === 40 ? special : element,
      );
      const options = { kernelSize: 3, stride: 2, padding: 1 };
      expectExact(
        await download(ops.maxPool2d(upload(x, 'float32', id), options)),
        maxPool2d(x, options),
        `${special}`,
      );
    }
    for (const special of [NaN, Infinity, -Infinity]) {
      const x = map(random('x', [2, 16, 6, 6]), (element, i) => (i === 40 ? special : element));
      const average = await download(ops.globalAvgPool(upload(x, 'float32', id)));
      expectExact(values([1], [average.data[1]!]), values([1], [special]));
    }
  });

  // An engine may start its maximum at the least finite number.
  check('a window of negative infinity alone is below every number that is not the least', async () => {
    const x = values([1, 1, 2, 2], [-Infinity, -Infinity, -Infinity, -Infinity]);
    const y = await download(ops.maxPool2d(upload(x, 'float32', id), { kernelSize: 2 }));
    expect(y.data[0]).toBeLessThan(-3.4028e38);
  });

  describe('what bad input gets', () => {
    const x = () => Tensor.zeros([1, 2, 5, 5], { device: id });

    for (const pool of ['maxPool2d', 'avgPool2d'] as const) {
      check(pool, () => {
        const flat = Tensor.zeros([2, 5], { device: id });
        const bytes = Tensor.zeros([1, 2, 5, 5], { device: id, dtype: 'uint8' });
        expectThrows('ERR_SHAPE', () => ops[pool](flat, { kernelSize: 2 }));
        expectThrows('ERR_SHAPE', () => ops[pool](x(), { kernelSize: 6 }), /kernel/);
        expectThrows('ERR_DTYPE', () => ops[pool](bytes, { kernelSize: 2 }));
        // PyTorch's rule: a window never lies in the padding alone.
        expectThrows('ERR_ARGUMENT', () => ops[pool](x(), { kernelSize: 3, padding: 2 }), /half/);
        for (const wrong of [0, -1, NaN, 1.5, '2', [1], [2, NaN]]) {
          const value = wrong as unknown as number;
          expectThrows('ERR_ARGUMENT', () => ops[pool](x(), { kernelSize: value }), /kernelSize/);
          expectThrows('ERR_ARGUMENT', () => ops[pool](x(), { kernelSize: 2, stride: value }), /stride/);
        }
        expectThrows('ERR_ARGUMENT', () => ops[pool](x(), {} as { kernelSize: number }), /kernelSize/);
        const misspelt = { kernelsize: 2 } as unknown as { kernelSize: number };
        expectThrows('ERR_ARGUMENT', () => ops[pool](x(), misspelt), /kernelsize.*'kernelSize'/);
      });
    }

    check('globalAvgPool', () => {
      expectThrows('ERR_SHAPE', () => ops.globalAvgPool(Tensor.zeros([2, 5], { device: id })));
      expectThrows('ERR_DTYPE', () =>
        ops.globalAvgPool(Tensor.zeros([1, 1, 2, 2], { device: id, dtype: 'int64' })),
      );
    });
  });
});
