import { describe, expect } from 'vitest';
import { ops, scope, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random, randomIntegers } from './support/random.js';
import { globalAvgPool, linear } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { rounded, values } from './support/values.js';

const sizes: [number, number, number][] = [
  [1, 1, 40],
  [1, 512, 1000],
  [3, 17, 5],
  [8, 64, 33],
  [2, 2048, 1000],
];

onEveryDevice('linear', (id) => {
  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      for (const [batch, inFeatures, outFeatures] of sizes) {
        check(`[${batch}, ${inFeatures}] to ${outFeatures}`, async () => {
          const x = rounded(random('x', [batch, inFeatures]), dtype);
          const weight = rounded(
            random('weight', [outFeatures, inFeatures], { scale: Math.sqrt(3 / inFeatures) }),
            dtype,
          );
          const bias = rounded(random('bias', [outFeatures]), dtype);
          const [xd, wd, bd] = [x, weight, bias].map((input) => upload(input, dtype, id)) as [
            Tensor,
            Tensor,
            Tensor,
          ];
          expectClose(await download(ops.linear(xd, wd)), linear(x, weight), perOp[dtype], 'without bias');
          const biased = ops.linear(xd, wd, { bias: bd });
          expectClose(await download(biased), linear(x, weight, { bias }), perOp[dtype], 'with bias');
          const activated = ops.linear(xd, wd, { bias: bd, activation: 'gelu' });
          const expected = linear(x, weight, { bias, activation: 'gelu' });
          expectClose(await download(activated), expected, perOp[dtype], 'with bias and gelu');
          expectExact(await download(xd), x, 'x afterwards');
          expectExact(await download(wd), weight, 'weight afterwards');
        });
      }
    });
  }

  check('a float32 bias beside bfloat16', async () => {
    const [x, weight] = [random('x', [3, 17]), random('weight', [5, 17])].map((input) =>
      rounded(input, 'bfloat16'),
    );
    const bias = rounded(random('bias', [5]), 'float32');
    const y = ops.linear(upload(x!, 'bfloat16', id), upload(weight!, 'bfloat16', id), {
      bias: upload(bias, 'float32', id),
    });
    expectClose(await download(y), linear(x!, weight!, { bias }), perOp.bfloat16);
  });

  check('of a tensor by itself, as of equal ones', async () => {
    for (const shape of [
      [24, 96],
      [33, 66],
      [128, 256],
      [5, 3],
      [64, 64],
    ]) {
      const x = randomIntegers(`x ${shape}`, shape, -3, 3);
      for (const deterministic of [false, true]) {
        const tensor = upload(x, 'float32', id); // not seen as a weight before
        const y = ops.linear(tensor, tensor, { deterministic });
        expectExact(await download(y), linear(x, x), `${shape}${deterministic ? ', deterministic' : ''}`);
        expectExact(await download(tensor), x, `${shape} afterwards`);
      }
    }
  });

  check('integers are exact', async () => {
    const x = randomIntegers('x', [3, 517], -20, 20);
    const weight = randomIntegers('weight', [31, 517], -20, 20);
    expectExact(
      await download(ops.linear(upload(x, 'float32', id), upload(weight, 'float32', id))),
      linear(x, weight),
    );
  });

  check('what global pooling left, flattened', async () => {
    const x = rounded(random('x', [2, 32, 7, 5]), 'float32');
    const weight = rounded(random('weight', [10, 32]), 'float32');
    const pooled = ops.globalAvgPool(upload(x, 'float32', id)).flatten();
    const y = ops.linear(pooled, upload(weight, 'float32', id));
    const features = { shape: [2, 32], data: globalAvgPool(x).data };
    expectClose(await download(y), linear(features, weight), perOp.float32);
  });

  // oneDNN's reference code, which it takes without AVX-512 (ONEDNN_MAX_CPU_ISA=AVX2), had NaN and 0
  check('ReLU of minus infinity is 0, and sigmoid of NaN is NaN', async () => {
    const x = values([3, 1], [-Infinity, NaN, Infinity]);
    const [xd, weight] = [upload(x, 'float32', id), Tensor.from([1], [1, 1], { device: id })];
    for (const deterministic of [false, true]) {
      const relu = await download(ops.linear(xd, weight, { activation: 'relu', deterministic }));
      expect([relu.data[0], relu.data[2]]).toEqual([0, Infinity]);
      const sigmoid = await download(ops.linear(xd, weight, { activation: 'sigmoid', deterministic }));
      expectExact(sigmoid, values([3, 1], [0, NaN, 1]));
    }
  });

  check('what bad input gets', () => {
    const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });
    expectThrows('ERR_SHAPE', () => ops.linear(zeros(2, 3), zeros(5, 4)), /features/);
    expectThrows('ERR_SHAPE', () => ops.linear(zeros(2, 3, 1, 1), zeros(5, 3)));
    expectThrows('ERR_SHAPE', () => ops.linear(zeros(2, 3), zeros(3)));
    expectThrows('ERR_SHAPE', () => ops.linear(zeros(2, 3), zeros(5, 3), { bias: zeros(3) }), /bias/);
    expectThrows('ERR_DTYPE', () =>
      ops.linear(zeros(2, 3), Tensor.zeros([5, 3], { device: id, dtype: 'float16' })),
    );
    expectThrows(
      'ERR_ARGUMENT',
      () => ops.linear(zeros(2, 3), zeros(5, 3), { bais: zeros(5) } as object),
      /'bias'/,
    );
    expectThrows('ERR_ARGUMENT', () => ops.linear(zeros(2, 3), undefined as unknown as Tensor), /weight/);
  });
});

onEveryDevice('a program of very many shapes', (id) => {
  // found by fuzzing: an engine keeps so many primitives or plans and then drops them, the one that it is using included
  check('computes each of them', async () => {
    for (let i = 0; i < 2100; i++) {
      const [rows, inputs, outputs] = [1 + (i % 7), 1 + (i % 229), [16, 32, 33, 64][i % 4]!];
      await scope(async () => {
        const ones = (...shape: number[]) => ops.activation(Tensor.zeros(shape, { device: id }), 'sigmoid');
        // now and then one primitive more, so that it is not always the same one of an operation that is one too many
        if (i % 300 === 0) ones(3, 5000 + i);
        const weight = Tensor.from(new Float32Array(outputs * inputs).fill(2), [outputs, inputs], {
          device: id,
        });
        const y = await ops.linear(ones(rows, inputs), weight).data();
        expect(y).toEqual(new Float32Array(rows * outputs).fill(inputs));
      });
    }
  });
});
