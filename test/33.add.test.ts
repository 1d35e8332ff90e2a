import { describe } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random, randomIntegers } from './support/random.js';
import { add, conv2d } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { rounded, values } from './support/values.js';

onEveryDevice('add', (id) => {
  // found by fuzzing: a convolution with 4 or 8 channels in a group leaves its result in blocks of so many, and with an
  // activation oneDNN 2.6 added beyond them
  for (const inGroup of [1, 2, 4, 8, 16]) {
    check(
      `with an activation, to the result of a convolution with ${inGroup} channels in a group`,
      async () => {
        for (const groups of [1, 3, 5, 15]) {
          for (const height of [1, 3, 5]) {
            const channels = inGroup * groups;
            const x = randomIntegers('x', [1, channels, height, 1], -3, 3);
            const weight = randomIntegers('w', [channels, inGroup, 1, 1], -3, 3);
            const b = randomIntegers('b', [1, channels, height, 1], -3, 3);
            const y = ops.conv2d(upload(x, 'float32', id), upload(weight, 'float32', id), { groups });
            const sum = ops.add(y, upload(b, 'float32', id), { activation: 'relu' });
            expectExact(await download(sum), add(conv2d(x, weight, { groups }), b, { activation: 'relu' }));
          }
        }
      },
    );
  }

  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      for (const shape of [[1], [3, 5], [2, 17, 5, 9], [1, 64, 7, 7]]) {
        check(`[${shape}]`, async () => {
          const [a, b] = [rounded(random('a', shape), dtype), rounded(random('b', shape), dtype)];
          const [ad, bd] = [upload(a, dtype, id), upload(b, dtype, id)];
          expectClose(await download(ops.add(ad, bd)), add(a, b), perOp[dtype]);
          const activated = ops.add(ad, bd, { activation: 'relu' });
          expectClose(await download(activated), add(a, b, { activation: 'relu' }), perOp[dtype], 'relu');
          expectExact(await download(ad), a, 'a afterwards');
          expectExact(await download(bd), b, 'b afterwards');
        });
      }
    });
  }

  check('float32 sums are rounded once', async () => {
    const [a, b] = [random('a', [1000]), random('b', [1000], { scale: 1e-3 })].map((x) =>
      rounded(x, 'float32'),
    );
    const y = ops.add(upload(a!, 'float32', id), upload(b!, 'float32', id));
    expectExact(await download(y), rounded(add(a!, b!), 'float32'));
  });

  check('a tensor and itself', async () => {
    const x = Tensor.from([1, -2, 3], [3], { device: id });
    expectExact(await download(ops.add(x, x)), values([3], [2, -4, 6]));
  });

  check('tensors that were left in different layouts', async () => {
    const identity = values(
      [16, 16, 1, 1],
      Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0)),
    );
    const x = rounded(random('x', [2, 16, 5, 7]), 'float32');
    const xd = upload(x, 'float32', id);
    const convolved = ops.conv2d(xd, upload(identity, 'float32', id));
    expectExact(await download(ops.add(convolved, xd)), add(x, x));
    expectExact(await download(ops.add(xd, convolved)), add(x, x));
  });

  check('NaN and infinity', async () => {
    const a = values([4], [NaN, Infinity, Infinity, 1]);
    const b = values([4], [1, Infinity, -Infinity, -Infinity]);
    const y = ops.add(upload(a, 'float32', id), upload(b, 'float32', id));
    expectExact(await download(y), values([4], [NaN, Infinity, NaN, -Infinity]));
  });

  check('what bad input gets', () => {
    const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });
    expectThrows('ERR_SHAPE', () => ops.add(zeros(2, 3), zeros(3, 2)), /\[2, 3\]/);
    expectThrows('ERR_SHAPE', () => ops.add(zeros(2, 3), zeros(6)));
    expectThrows('ERR_SHAPE', () => ops.add(zeros(2, 3), zeros(1, 3)));
    expectThrows('ERR_DTYPE', () => ops.add(zeros(2), Tensor.zeros([2], { device: id, dtype: 'float16' })));
    expectThrows('ERR_DTYPE', () => {
      const bytes = Tensor.zeros([2], { device: id, dtype: 'uint8' });
      ops.add(bytes, bytes);
    });
    expectThrows(
      'ERR_ARGUMENT',
      () => ops.add(zeros(2), zeros(2), { activaton: 'relu' } as object),
      /'activation'/,
    );
    expectThrows('ERR_ARGUMENT', () => ops.add(zeros(2), 1 as unknown as Tensor));
  });
});
