import { describe, expect, onTestFinished, vi } from 'vitest';
import { BasicBlock, Bottleneck, device, nn, ResNet, ResNet18, ResNet50, Tensor } from '../lib/index.js';
import { Program, runStepwise } from '../lib/program.js';
import { digestOf } from './support/digest.js';
import { expectThrows } from './support/errors.js';
import { inUse } from './support/memory.js';
import { random, seed } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { floatDTypes, upload } from './support/tensors.js';

/** What the network gives operation by operation: programs must give the same, bit for bit. */
const stepwise = (fn: () => Tensor) => runStepwise(fn);

onEveryDevice('a network’s own programs', (id) => {
  const images = (shape: number[], key = 'images') => upload(random(key, shape), 'float32', id);
  const small = () => new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 7, device: id });

  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      check('give, at every run, what its operations give one by one', async () => {
        for (const Model of [ResNet18, ResNet50]) {
          using model = new Model({ device: id, dtype, numClasses: 11, seed: Number(seed) % 1000 });
          for (const shape of [
            [1, 3, 65, 50],
            [2, 3, 32, 97],
          ]) {
            const x = images(shape);
            for (const fn of ['forward', 'features', 'predict'] as const) {
              const expected = await digestOf(stepwise(() => model[fn](x)));
              expect(await digestOf(model[fn](x))).toEqual(expected);
              expect(await digestOf(model[fn](x))).toEqual(expected);
            }
          }
        }
      });
    });
  }

  check('take pixels', async () => {
    using model = small();
    const pixels = Tensor.from(
      new Uint8Array(2 * 40 * 50 * 3).map((_, i) => (i * 7919) % 256),
      [2, 40, 50, 3],
      {
        device: id,
      },
    );
    const given = await digestOf(model.forward(pixels));
    expect(given).toEqual(await digestOf(stepwise(() => model.forward(pixels))));
  });

  check('follow every change of the network', async () => {
    using model = small();
    const x = images([2, 3, 33, 40]);
    const seen = new Set<string>();
    const expectNew = async (what: string) => {
      const now = await digestOf(model.forward(x));
      expect(now, what).toEqual(await digestOf(stepwise(() => model.forward(x))));
      expect(seen.has(now), what).toBe(false);
      seen.add(now);
    };
    await expectNew('as it was made');
    const state = Object.fromEntries(model.stateDict());
    const other = new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 7, device: id, seed: 5 });
    model.loadStateDict({ ...state, 'fc.weight': other.fc.weight });
    await expectNew('another weight');
    model.train();
    model.forward(x).dispose();
    model.eval();
    await expectNew('other running statistics');
    model.bn1 = other.bn1;
    await expectNew('another layer');
    Object.assign(model.layer1.children()[0]![1], { bn1: other.layer1.children()[0]![1] });
    model.layer1 = other.layer1;
    await expectNew('another group');
    Object.assign(model.bn1, { eps: 0.5 });
    await expectNew('another epsilon');
    const more = new nn.Sequential(model.fc, new nn.ReLU()).eval();
    Object.assign(model, { fc: more });
    await expectNew('a layer more');
    Reflect.deleteProperty(more, 1);
    Object.assign(more[0]!, { bias: other.fc.bias }); // else the values would be those of before
    await expectNew('a layer less');
    model.to({ dtype: 'bfloat16' });
    await expectNew('another dtype');
    other.dispose();
    expectThrows('ERR_DISPOSED', () => model.forward(x)); // layers of `other` are gone
  });

  check('give way to single operations where a part of it is in training mode', async () => {
    using model = small();
    const x = images([2, 3, 33, 40]);
    const evaluated = await digestOf(model.forward(x));
    model.layer2.train();
    const trained = await digestOf(model.forward(x));
    expect(trained).not.toEqual(evaluated);
    expect(trained).toEqual(await digestOf(stepwise(() => model.forward(x))));
  });

  check('are recorded as part of a program of the user’s', async () => {
    using model = small();
    const x = images([1, 3, 40, 33]);
    using program = device(id).record((a) => [model.forward(a!).softmax(), model.features(a!)] as const, [x]);
    const [scores, embedding] = program.run(x);
    expect(await digestOf(scores)).toEqual(await digestOf(model.predict(x)));
    expect(await digestOf(embedding)).toEqual(await digestOf(model.features(x)));
  });

  check('stay few, and go with the network', async () => {
    const before = await inUse(id);
    const model = small();
    for (let i = 0; i < 8; i++) {
      const x = images([1, 3, 32 + i, 32]);
      expect(await digestOf(model.forward(x))).toEqual(await digestOf(stepwise(() => model.forward(x))));
    }
    model.dispose();
    expectThrows('ERR_DISPOSED', () => model.forward(images([1, 3, 32, 32])));
    expect((await inUse(id)).tensors - before.tensors).toBeLessThan(40); // the tensors of this test alone
  });

  check('are four, of which the one that is longest unused goes', async () => {
    const model = small();
    const on = device(id);
    const [record, dispose] = [vi.spyOn(on, 'record'), vi.spyOn(Program.prototype, 'dispose')];
    onTestFinished(() => void [record, dispose].map((spy) => spy.mockRestore()));
    const recorded = (...sides: number[]) => {
      record.mockClear();
      for (const side of sides) model.forward(images([1, 3, 32, side])).dispose();
      return record.mock.calls.length;
    };
    expect(recorded(32, 33, 34, 35, 32)).toBe(4);
    expect(dispose).toHaveBeenCalledTimes(0);
    expect(recorded(36, 32, 34, 35, 36)).toBe(1);
    expect(recorded(33)).toBe(1);
    expect(dispose).toHaveBeenCalledTimes(2);
    model.dispose();
    expect(dispose).toHaveBeenCalledTimes(6);
  });

  check('work inside blocks that a user builds', async () => {
    using block = new Bottleneck(16, 64, { device: id }).eval();
    const x = images([1, 16, 9, 9]);
    using program = device(id).record((a) => block.forward(a!), [x]);
    expect(await digestOf(program.run(x))).toEqual(await digestOf(block.forward(x)));
  });
});
