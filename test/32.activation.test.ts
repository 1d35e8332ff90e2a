import { describe, expect } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random } from './support/random.js';
import { type Activation, activation } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { rounded, type Values, values } from './support/values.js';

const kinds: Activation[] = ['relu', 'relu6', 'sigmoid', 'tanh', 'gelu', 'swish'];

onEveryDevice('activation', (id) => {
  for (const kind of kinds) {
    describe(kind, () => {
      for (const dtype of floatDTypes) {
        for (const shape of [[7], [3, 5], [2, 17, 5, 9], [1, 64, 1, 1]]) {
          check(`${dtype} [${shape}]`, async () => {
            const x = rounded(random('x', shape, { scale: 10 }), dtype);
            const xd = upload(x, dtype, id);
            const y = ops.activation(xd, kind);
            expectClose(await download(y), activation(x, kind), perOp[dtype]);
            expectExact(await download(xd), x, 'the input afterwards');
          });
        }
      }

      check('close to zero', async () => {
        const x = rounded(random('x', [1000], { scale: 1e-4 }), 'float32');
        const y = ops.activation(upload(x, 'float32', id), kind);
        expectClose(await download(y), activation(x, kind), perOp.float32);
      });

      check('far from zero, and at infinity', async () => {
        const x = values([6], [-1e30, -200, -80, 80, 200, 1e30]);
        const y = await download(ops.activation(upload(x, 'float32', id), kind));
        expectClose(y, activation(rounded(x, 'float32'), kind), perOp.float32);
        const limit = { relu: Infinity, relu6: 6, sigmoid: 1, tanh: 1, gelu: Infinity, swish: Infinity }[
          kind
        ];
        const atInfinity = await download(ops.activation(Tensor.from([Infinity], [1], { device: id }), kind));
        expectExact(atInfinity, values([1], [limit]));
      });

      // PyTorch hands NaN on. An engine's ReLU is a comparison with zero, which NaN may lose.
      check(kind.startsWith('relu') ? 'NaN stays NaN or becomes 0' : 'NaN stays NaN', async () => {
        const x = values([3], [1, NaN, -1]);
        const y = await download(ops.activation(upload(x, 'float32', id), kind));
        expect(kind.startsWith('relu') && y.data[1] === 0 ? NaN : y.data[1]).toBeNaN();
        const others = (v: Values) => values([2], [v.data[0]!, v.data[2]!]);
        expectClose(others(y), others(activation(x, kind)), perOp.float32);
      });
    });
  }

  check('what bad input gets', () => {
    const x = Tensor.zeros([2], { device: id });
    expectThrows('ERR_ARGUMENT', () => ops.activation(x, 'sigmiod' as 'sigmoid'), /'sigmoid'.*sigmiod/);
    expectThrows('ERR_ARGUMENT', () => ops.activation(x, undefined as unknown as 'relu'));
    expectThrows('ERR_ARGUMENT', () => ops.activation([1] as unknown as Tensor, 'relu'));
    for (const dtype of ['uint8', 'int64'] as const) {
      expectThrows('ERR_DTYPE', () => ops.activation(Tensor.zeros([2], { device: id, dtype }), 'relu'));
    }
  });
});
