import { expect } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectRejects } from './support/errors.js';
import { random, randomIntegers } from './support/random.js';
import { topK } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { floatDTypes, upload } from './support/tensors.js';
import { rounded, values } from './support/values.js';

onEveryDevice('topK', (id) => {
  for (const dtype of floatDTypes) {
    for (const [shape, k] of [
      [[1, 1], 1],
      [[3, 17], 5],
      [[2, 1000], 5],
      [[5, 33], 33],
    ] as const) {
      check(`${dtype} [${shape}], k ${k}`, async () => {
        const x = rounded(random('x', shape), dtype);
        expect(await upload(x, dtype, id).topK(k)).toEqual(topK(x, k));
      });
    }
  }

  check('of equal values the lower index comes first', async () => {
    const x = randomIntegers('x', [4, 200], 0, 9);
    expect(await upload(x, 'float32', id).topK(50)).toEqual(topK(x, 50));
    expect(await upload(values([1, 3], [-0, 0, -0]), 'float32', id).topK(3)).toMatchObject([
      { indices: [0, 1, 2] },
    ]);
  });

  // As in PyTorch: a broken result is seen rather than hidden behind the numbers.
  check('NaN is the greatest, infinity next', async () => {
    const x = values([1, 6], [1, NaN, Infinity, -Infinity, NaN, 2]);
    expect(await upload(x, 'float32', id).topK(6)).toEqual([
      { indices: [1, 4, 2, 5, 0, 3], values: [NaN, NaN, Infinity, 2, 1, -Infinity] },
    ]);
  });

  check('of probabilities', async () => {
    const [row] = await ops.softmax(Tensor.from([0, 0, Math.log(2)], [1, 3], { device: id })).topK(2);
    expect(row!.indices).toEqual([2, 0]);
    expect(row!.values[0]).toBeCloseTo(0.5, 6);
    expect(row!.values[1]).toBeCloseTo(0.25, 6);
  });

  check('what bad input gets', async () => {
    const x = Tensor.zeros([2, 3], { device: id });
    await expectRejects('ERR_SHAPE', x.topK(4));
    for (const k of [0, -1, NaN, 1.5, '1', undefined]) {
      await expectRejects('ERR_ARGUMENT', x.topK(k as number));
      await expectRejects('ERR_ARGUMENT', x.topK(k as number, { deadline: 1000 }));
    }
    await expectRejects('ERR_ARGUMENT', x.topK(1, { wrong: true } as object));
    await expectRejects('ERR_SHAPE', Tensor.zeros([6], { device: id }).topK(1));
    await expectRejects('ERR_DTYPE', Tensor.zeros([2, 3], { device: id, dtype: 'uint8' }).topK(1));
  });
});
