import { describe, expect } from 'vitest';
import { device, ops, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random } from './support/random.js';
import { softmax } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { rounded, values } from './support/values.js';

onEveryDevice('softmax', (id) => {
  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      for (const shape of [
        [1, 1],
        [1, 1000],
        [3, 17],
        [2, 3, 5, 9],
        [1, 64, 1, 1],
      ]) {
        check(`[${shape}]`, async () => {
          const x = rounded(random('x', shape, { scale: 10 }), dtype);
          const xd = upload(x, dtype, id);
          expectClose(await download(ops.softmax(xd)), softmax(x), perOp[dtype]);
          expectClose(await download(xd.softmax()), softmax(x), perOp[dtype], 'as a method');
          expectExact(await download(xd), x, 'the input afterwards');
        });
      }
    });
  }

  // oneDNN's reference implementation, which is what it has for C order, takes thirty times as long
  if (id === 'cpu') {
    check('the classes of pixels take no longer than a few additions', async () => {
      const x = Tensor.randn([4, 64, 56, 56], { device: id });
      const fastest = async (operation: () => Tensor) => {
        const times: number[] = [];
        for (let run = 0; run < 4; run++) {
          const start = performance.now();
          operation();
          await device(id).synchronize();
          times.push(performance.now() - start);
        }
        return Math.min(...times);
      };
      const addition = await fastest(() => ops.add(x, x));
      expect(await fastest(() => ops.softmax(x))).toBeLessThan(30 * addition + 5);
    });
  }

  check('large logits neither overflow nor lose their order', async () => {
    const x = values([3, 3], [1e30, 0, -1e30, 5000, 5000, 4999, -5000, -5001, -5002]);
    const y = await download(ops.softmax(upload(x, 'float32', id)));
    expectClose(y, softmax(rounded(x, 'float32')), perOp.float32);
  });

  check('rows are independent: NaN in one leaves the others alone', async () => {
    const x = values([2, 3], [1, NaN, 3, 1, 2, 3]);
    const y = await download(ops.softmax(upload(x, 'float32', id)));
    // In PyTorch each of the row's elements is NaN. What matters is that it is no distribution.
    expect(y.data[0]! + y.data[1]! + y.data[2]!).toBeNaN();
    const second = { shape: [1, 3], data: y.data.slice(3) };
    expectClose(second, softmax(values([1, 3], [1, 2, 3])), perOp.float32);
  });

  check('negative infinity has no share', async () => {
    const x = values([1, 3], [-Infinity, 0, 0]);
    expectExact(await download(ops.softmax(upload(x, 'float32', id))), values([1, 3], [0, 0.5, 0.5]));
  });

  check('what bad input gets', () => {
    expectThrows('ERR_SHAPE', () => ops.softmax(Tensor.zeros([3], { device: id })));
    expectThrows('ERR_SHAPE', () => ops.softmax(Tensor.zeros([2, 3, 4], { device: id })));
    expectThrows('ERR_DTYPE', () => ops.softmax(Tensor.zeros([2, 3], { device: id, dtype: 'int64' })));
    expectThrows('ERR_ARGUMENT', () => ops.softmax(null as unknown as Tensor));
  });
});
