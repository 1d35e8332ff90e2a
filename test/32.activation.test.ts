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

  // A network whose values are beyond float16 gives NaN, and no numbers that look like classes.
  if (id === 'cpu') {
    for (const kind of ['relu', 'relu6'] as const) {
      check(`${kind} of float16 hands NaN on, wherever it is fused`, async () => {
        const x = values([1, 1, 2, 3], [NaN, -2, 7, Infinity, -Infinity, 0.5]);
        const expected = values(x.shape, [
          NaN,
          0,
          kind === 'relu' ? 7 : 6,
          kind === 'relu' ? Infinity : 6,
          0,
          0.5,
        ]);
        const half = (v: Values) => upload(v, 'float16', id);
        const [zero, one] = [0, 1].map((value) => Tensor.from([value], [1], { device: id }));
        const options = { activation: kind };
        const results = {
          activation: ops.activation(half(x), kind),
          add: ops.add(half(x), Tensor.zeros(x.shape, { device: id, dtype: 'float16' }), options),
          batchNorm: ops.batchNorm(half(x), { mean: zero!, variance: one!, eps: 0, ...options }),
          conv2d: ops.conv2d(half(x), half(values([1, 1, 1, 1], [1])), options),
          linear: ops.linear(half(x).reshape([6, 1]), half(values([1, 1], [1])), options).reshape(x.shape),
        };
        for (const [name, y] of Object.entries(results)) expectExact(await download(y), expected, name);
      });
    }
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
