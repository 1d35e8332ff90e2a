import { describe, expect } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random } from './support/random.js';
import { batchNorm, batchNormTraining } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { map, rounded, type Values, values } from './support/values.js';

const shapes = [
  [1, 1, 5, 9],
  [2, 3, 7, 7],
  [3, 17, 1, 1],
  [2, 64, 5, 9],
];

function parameters(channels: number) {
  const float32 = (key: string, options: { scale?: number; center?: number }) =>
    rounded(random(key, [channels], options), 'float32');
  return {
    mean: float32('mean', { scale: 2, center: 3 }),
    variance: float32('variance', { scale: 0.9, center: 1 }),
    weight: float32('weight', { scale: 2 }),
    bias: float32('bias', { scale: 2 }),
  };
}

onEveryDevice('batch norm', (id) => {
  const up = (x: Values) => upload(x, 'float32', id);

  for (const dtype of floatDTypes) {
    describe(`${dtype}, inference`, () => {
      for (const shape of shapes) {
        check(`[${shape}], with and without weight, bias and activation`, async () => {
          const x = rounded(random('x', shape, { scale: 3, center: 1 }), dtype);
          const { mean, variance, weight, bias } = parameters(shape[1]!);
          const [md, vd, wd, bd] = [up(mean), up(variance), up(weight), up(bias)];
          const xd = upload(x, dtype, id);
          const close = async (y: Tensor, expected: Values, what: string) =>
            expectClose(await download(y), expected, perOp[dtype], what);
          await close(
            ops.batchNorm(xd, { mean: md, variance: vd }),
            batchNorm(x, { mean, variance }),
            'plain',
          );
          await close(
            ops.batchNorm(xd, { mean: md, variance: vd, weight: wd }),
            batchNorm(x, { mean, variance, weight }),
            'weight',
          );
          await close(
            ops.batchNorm(xd, { mean: md, variance: vd, bias: bd, eps: 0.1 }),
            batchNorm(x, { mean, variance, bias, eps: 0.1 }),
            'bias, eps',
          );
          await close(
            ops.batchNorm(xd, { mean: md, variance: vd, weight: wd, bias: bd, activation: 'relu' }),
            batchNorm(x, { mean, variance, weight, bias, activation: 'relu' }),
            'relu',
          );
          expectExact(await download(xd), x, 'the input afterwards');
        });
      }
    });

    describe(`${dtype}, training`, () => {
      for (const shape of shapes) {
        check(`[${shape}]: output and running statistics, twice`, async () => {
          const { mean, variance, weight, bias } = parameters(shape[1]!);
          const [runningMean, runningVariance] = [up(mean), up(variance)];
          const [wd, bd] = [up(weight), up(bias)];
          let statistics = { runningMean: mean, runningVariance: variance };
          for (const step of ['first', 'second']) {
            const x = rounded(random(`x-${step}`, shape, { scale: 3, center: 1 }), dtype);
            const xd = upload(x, dtype, id);
            const y = ops.batchNormTraining(xd, { runningMean, runningVariance, weight: wd, bias: bd });
            const expected = batchNormTraining(x, { ...statistics, weight, bias });
            statistics = expected;
            expectClose(await download(y), expected.y, perOp[dtype], `${step} output`);
            // The statistics are float32 whatever the activations are.
            expectClose(await download(runningMean), expected.runningMean, perOp.float32, `${step} mean`);
            expectClose(
              await download(runningVariance),
              expected.runningVariance,
              perOp.float32,
              `${step} variance`,
            );
            expectExact(await download(xd), x, 'the input afterwards');
          }
        });
      }
    });
  }

  check('training without weight and bias, with its own momentum and eps', async () => {
    const x = random('x', [3, 5, 4, 7], { scale: 0.1 });
    const { mean, variance } = parameters(5);
    for (const momentum of [0, 0.25, 1]) {
      const [runningMean, runningVariance] = [up(mean), up(variance)];
      const y = ops.batchNormTraining(up(x), { runningMean, runningVariance, momentum, eps: 1e-2 });
      const options = { runningMean: mean, runningVariance: variance, momentum, eps: 1e-2 };
      const expected = batchNormTraining(rounded(x, 'float32'), options);
      expectClose(await download(y), expected.y, perOp.float32);
      expectClose(await download(runningMean), expected.runningMean, perOp.float32, `mean at ${momentum}`);
      expectClose(
        await download(runningVariance),
        expected.runningVariance,
        perOp.float32,
        `variance at ${momentum}`,
      );
    }
  });

  check('a mean far from zero does not drown the variance', async () => {
    const x = rounded(random('x', [4, 3, 7, 7], { center: 300 }), 'float32');
    const { mean, variance } = parameters(3);
    const [runningMean, runningVariance] = [up(mean), up(variance)];
    ops.batchNormTraining(up(x), { runningMean, runningVariance, momentum: 1 });
    const expected = batchNormTraining(x, { runningMean: mean, runningVariance: variance, momentum: 1 });
    // By E[x²] − E[x]² in float32 this error would be near 1e-2.
    expectClose(await download(runningVariance), expected.runningVariance, 1e-4);
  });

  check('a constant channel becomes the bias', async () => {
    const { mean, variance, weight, bias } = parameters(2);
    const x = values([2, 2, 1, 2], [5, 5, -7, -7, 5, 5, -7, -7]);
    const y = ops.batchNormTraining(up(x), {
      runningMean: up(mean),
      runningVariance: up(variance),
      weight: up(weight),
      bias: up(bias),
    });
    expectClose(
      await download(y),
      map(x, (_, i) => bias.data[Math.floor(i / 2) % 2]!),
      perOp.float32,
    );
  });

  check('NaN stays within its channel', async () => {
    const x = map(random('x', [2, 3, 4, 5]), (element, i) => (i === 25 ? NaN : element));
    const { mean, variance } = parameters(3);
    const [runningMean, runningVariance] = [up(mean), up(variance)];
    const y = await download(ops.batchNormTraining(up(x), { runningMean, runningVariance }));
    const channelOf = (i: number) => Math.floor(i / 20) % 3;
    expect(y.data.every((element, i) => Number.isNaN(element) === (channelOf(i) === 1))).toBe(true);
    expect(Array.from((await download(runningMean)).data, Number.isNaN)).toEqual([false, true, false]);
    expect(Array.from((await download(runningVariance)).data, Number.isNaN)).toEqual([false, true, false]);
  });

  describe('what bad input gets', () => {
    const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });
    const training = (x: Tensor, options: object) =>
      ops.batchNormTraining(x, { runningMean: zeros(3), runningVariance: zeros(3), ...options });
    const inference = (x: Tensor, options: object) =>
      ops.batchNorm(x, { mean: zeros(3), variance: zeros(3), ...options });

    check('shapes and dtypes that do not fit', () => {
      const x = zeros(2, 3, 4, 4);
      for (const normalize of [training, inference]) {
        expectThrows('ERR_SHAPE', () => normalize(zeros(2, 4, 4, 4), {}));
        expectThrows('ERR_SHAPE', () => normalize(zeros(2, 3), {}));
        expectThrows('ERR_SHAPE', () => normalize(x, { weight: zeros(4) }), /weight/);
        expectThrows('ERR_SHAPE', () => normalize(x, { bias: zeros(1, 3) }), /bias/);
        const bfloat16 = Tensor.zeros([3], { device: id, dtype: 'bfloat16' });
        expectThrows('ERR_DTYPE', () => normalize(x, { weight: bfloat16 }), /weight/);
        expectThrows('ERR_DTYPE', () =>
          normalize(Tensor.zeros([2, 3, 4, 4], { device: id, dtype: 'uint8' }), {}),
        );
      }
    });

    check('statistics of a single value', () => {
      expectThrows('ERR_SHAPE', () => training(zeros(1, 3, 1, 1), {}), /more than 1 value per channel/);
    });

    check('options', () => {
      const x = zeros(2, 3, 4, 4);
      for (const eps of [-1, NaN, '1']) {
        expectThrows('ERR_ARGUMENT', () => inference(x, { eps }), /eps/);
        expectThrows('ERR_ARGUMENT', () => training(x, { eps }), /eps/);
      }
      expectThrows('ERR_ARGUMENT', () => training(x, { momentum: NaN }), /momentum/);
      expectThrows('ERR_ARGUMENT', () => inference(x, { running_mean: x }), /running_mean/);
      expectThrows('ERR_ARGUMENT', () => training(x, { momentun: 0.1 }), /momentun.*'momentum'/);
      expectThrows('ERR_ARGUMENT', () => ops.batchNorm(x, { mean: zeros(3) } as never), /variance/);
      expectThrows('ERR_ARGUMENT', () => ops.batchNormTraining(x, {} as never), /runningMean/);
    });
  });
});
