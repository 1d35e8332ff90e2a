import { describe, expect } from 'vitest';
import { nn } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { withModule } from './support/modules.js';
import { random } from './support/random.js';
import * as reference from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, upload } from './support/tensors.js';
import { rounded, type Values } from './support/values.js';

onEveryDevice('nn.Module', (id) => {
  const up = (x: Values) => upload(x, 'float32', id);

  describe('layers compute what the operations do', () => {
    const x = () => rounded(random('x', [2, 4, 9, 7]), 'float32');
    const valuesOf = async (module: nn.Module, key: string) => download(module.stateDict().get(key)!);

    check('Conv2d', () => {
      const options = {
        stride: [2, 1],
        padding: [1, 2],
        dilation: [1, 2],
        groups: 2,
      } satisfies reference.Conv2dOptions;
      return withModule(
        new nn.Conv2d(4, 8, [3, 5], { ...options, bias: false, device: id }),
        async (module) => {
          const expected = reference.conv2d(x(), await valuesOf(module, 'weight'), options);
          expectClose(await download(module.forward(up(x()))), expected, perOp.float32);
        },
      );
    });

    check('Linear', () =>
      withModule(new nn.Linear(17, 5, { device: id }), async (module) => {
        const input = rounded(random('x', [3, 17]), 'float32');
        const [weight, bias] = [await valuesOf(module, 'weight'), await valuesOf(module, 'bias')];
        expectClose(
          await download(module.forward(up(input))),
          reference.linear(input, weight, { bias }),
          perOp.float32,
        );
      }),
    );

    check('ReLU, Identity, MaxPool2d, AdaptiveAvgPool2d', async () => {
      const run = (module: nn.Module) => download(module.forward(up(x())));
      expectExact(await run(new nn.ReLU()), reference.activation(x(), 'relu'));
      expectExact(await run(new nn.Identity()), x());
      const options = { stride: 2, padding: 1 };
      expectExact(
        await run(new nn.MaxPool2d(3, options)),
        reference.maxPool2d(x(), { kernelSize: 3, ...options }),
      );
      expectClose(await run(new nn.AdaptiveAvgPool2d([1, 1])), reference.globalAvgPool(x()), perOp.float32);
      const thirds = reference.avgPool2d(x(), { kernelSize: [3, 7] });
      expectClose(await run(new nn.AdaptiveAvgPool2d([3, 1])), thirds, perOp.float32);
    });

    // The engine of the CPU may keep folded weights in halves, which not every convolution can take.
    check('a folded batch norm in a dilated convolution', () =>
      withModule(
        new nn.Sequential(
          new nn.Conv2d(16, 32, 3, { dilation: 2, device: id }),
          new nn.BatchNorm2d(32, { device: id }),
        ),
        async (module) => {
          const input = rounded(random('x', [2, 16, 8, 7]), 'float32');
          const [weight, bias] = [await valuesOf(module, '0.weight'), await valuesOf(module, '0.bias')];
          const [zeros, ones] = [
            await valuesOf(module, '1.running_mean'),
            await valuesOf(module, '1.running_var'),
          ];
          const convolved = reference.conv2d(input, weight, { bias, dilation: 2 });
          const expected = reference.batchNorm(convolved, { mean: zeros, variance: ones });
          expectClose(await download(module.eval().forward(up(input))), expected, perOp.float32);
        },
      ),
    );

    check('a Sequential of any layers, fused or not, in eval and in train', () =>
      withModule(
        new nn.Sequential(
          new nn.Conv2d(4, 6, 3),
          new nn.ReLU(),
          new nn.BatchNorm2d(6),
          new nn.Conv2d(6, 8, 1),
          new nn.BatchNorm2d(8, { eps: 0.5 }),
          new nn.MaxPool2d(2),
        ).to({ device: id }),
        async (module) => {
          const dict = new Map<string, Values>();
          for (const [key, tensor] of module.stateDict()) {
            const positive = key.endsWith('running_var');
            const drawn = random(key, tensor.shape, { scale: 0.9, center: positive ? 1 : 0 });
            if (tensor.dtype === 'float32') {
              dict.set(key, rounded(drawn, 'float32'));
            }
          }
          module.loadStateDict(new Map([...dict].map(([key, value]) => [key, up(value)])), { strict: false });
          const given = (key: string) => dict.get(key)!;
          const norm = (i: number) => ({ weight: given(`${i}.weight`), bias: given(`${i}.bias`) });
          const [mean, variance] = ['running_mean', 'running_var'];

          let y = reference.conv2d(x(), given('0.weight'), { bias: given('0.bias'), activation: 'relu' });
          y = reference.batchNorm(y, {
            mean: given(`2.${mean}`),
            variance: given(`2.${variance}`),
            ...norm(2),
          });
          y = reference.conv2d(y, given('3.weight'), { bias: given('3.bias') });
          y = reference.batchNorm(y, {
            mean: given(`4.${mean}`),
            variance: given(`4.${variance}`),
            ...norm(4),
            eps: 0.5,
          });
          const evaluated = reference.maxPool2d(y, { kernelSize: 2 });
          expectClose(await download(module.eval().forward(up(x()))), evaluated, perOp.float32, 'eval');

          y = reference.conv2d(x(), given('0.weight'), { bias: given('0.bias'), activation: 'relu' });
          const running = (i: number) => ({
            runningMean: given(`${i}.${mean}`),
            runningVariance: given(`${i}.${variance}`),
          });
          y = reference.batchNormTraining(y, { ...running(2), ...norm(2) }).y;
          y = reference.conv2d(y, given('3.weight'), { bias: given('3.bias') });
          y = reference.batchNormTraining(y, { ...running(4), ...norm(4), eps: 0.5 }).y;
          const trained = reference.maxPool2d(y, { kernelSize: 2 });
          expectClose(await download(module.train().forward(up(x()))), trained, perOp.float32, 'train');
        },
      ),
    );
  });

  check('layers keep nothing that a caller can change', async () => {
    type Pair = [number, number];
    const [window, stride, padding, size]: [Pair, Pair, Pair, Pair] = [
      [2, 3],
      [2, 1],
      [1, 1],
      [3, 1],
    ];
    const pools = [
      new nn.MaxPool2d(window, { stride, padding }),
      new nn.MaxPool2d(window),
      new nn.AdaptiveAvgPool2d(size),
    ];
    const x = up(rounded(random('x', [1, 2, 9, 7]), 'float32'));
    const state = () =>
      Promise.all(pools.map(async (pool) => [String(pool), await download(pool.forward(x))]));
    const before = await state();
    for (const pair of [window, stride, padding, size]) pair.fill(5);
    expect(await state()).toEqual(before);
    for (const pool of pools) expect(Object.values(pool).every(Object.isFrozen)).toBe(true);

    for (const layer of [new nn.Conv2d(2, 2, 1, { device: id }), new nn.Linear(2, 2, { device: id })]) {
      expect(Object.isFrozen(layer.compute)).toBe(true);
      layer.dispose();
    }
  });
});
