import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Bottleneck, nn, ops, ResNet50, Tensor } from '../lib/index.js';
import { Profile } from '../lib/profile.js';
import { expectRejects } from './support/errors.js';
import { withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';
import { temporaryFolder } from './support/temporary-folder.js';

/** A layer of a user's own, whose addition belongs to no layer of ours. */
class Twice extends nn.Module {
  inner: nn.Linear;
  constructor(features: number) {
    super();
    this.inner = new nn.Linear(features, features);
  }
  override forward(x: Tensor): Tensor {
    return ops.add(this.inner.forward(x), x);
  }
}

test('of several runs the median counts, and the trace is of the last', async () => {
  const run = (end: number) => [{ layer: '', operation: 'add', begin: 1, end, inputs: [], outputs: [[2]] }];
  const profile = new Profile([run(4), run(3), run(10)]);
  expect(profile.operations).toMatchObject([{ layer: '', output: [2], milliseconds: 3, share: 1 }]);
  const path = join(await temporaryFolder(), 'trace.json');
  await profile.writeTrace(path);
  const { traceEvents } = JSON.parse(await readFile(path, 'utf8'));
  expect(traceEvents).toMatchObject([{ name: 'add', ts: 1000, dur: 9000 }]);
});

onEveryDevice('profile', (id) => {
  check('names every layer of ResNet-50 and counts its arithmetic', () =>
    withModule(new ResNet50({ device: id }), async (model) => {
      const size = 64;
      const x = Tensor.randn([2, 3, size, size], { device: id, seed: 1 });
      const before = await model.forward(x).data();
      const profile = await model.profile(x, { runs: 3 });

      // every convolution and the linear layer, by the names of their weights
      const weights = [...model.stateDict()].filter(([, { shape }]) => shape.length > 1);
      const computing = profile.operations.filter(({ gflops }) => gflops !== undefined);
      expect(computing.map(({ layer }) => `${layer}.weight`).sort()).toEqual(
        weights.map(([key]) => key).sort(),
      );
      expect(profile.operations.map(({ layer }) => layer)).toEqual(
        expect.arrayContaining(['maxpool', 'avgpool']),
      );

      // the shortcut last: what the second convolution read needs no memory beside its result then
      const ofBlock = computing.map(({ layer }) => layer).filter((layer) => layer.startsWith('layer2.0.'));
      expect(ofBlock).toEqual(['conv1', 'conv2', 'downsample.0', 'conv3'].map((name) => `layer2.0.${name}`));

      for (const { layer, output, milliseconds, gflops } of computing) {
        const [, ...perResult] = model.stateDict().get(`${layer}.weight`)!.shape;
        const flops = [2, ...output, ...perResult].reduce((a, b) => a * b);
        expect(gflops! * milliseconds * 1e6).toBeCloseTo(flops, -2);
      }
      const find = (name: string) => profile.operations.find(({ layer }) => layer === name)!;
      expect(find('conv1')).toMatchObject({ operation: 'conv2d', output: [2, 64, 32, 32] });
      expect(find('layer4.2.conv3')).toMatchObject({ operation: 'conv2d', output: [2, 2048, 2, 2] });
      expect(find('fc')).toMatchObject({ operation: 'linear', output: [2, 1000] });

      const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
      expect(profile.operations.every(({ milliseconds }) => milliseconds > 0)).toBe(true);
      expect(sum(profile.operations.map(({ share }) => share))).toBeCloseTo(1, 10);
      expect(sum(profile.operations.map(({ milliseconds }) => milliseconds))).toBeCloseTo(
        profile.milliseconds,
        10,
      );
      expect(await model.forward(x).data()).toEqual(before);
    }),
  );

  check('leaves the module as it was, and shows what belongs to no layer of its own', () =>
    withModule(new nn.Sequential(new Twice(5), new nn.ReLU()).to({ device: id }), async (model) => {
      const x = Tensor.randn([3, 5], { device: id, seed: 1 });
      const text = String(model);
      const { operations } = await model.profile(x, { runs: 1 });
      expect(operations.map(({ layer, operation }) => `${layer} ${operation}`)).toEqual([
        '0.inner linear',
        '0 add',
        '1 activation',
      ]);
      expect(String(model)).toBe(text);
      for (const [, module] of [['', model] as const, ...model.children()]) {
        expect(Object.getOwnPropertyNames(module)).not.toContain('forward');
      }
      // a second profile has the same operations, none of the first
      expect((await model.profile(x)).operations).toHaveLength(3);
    }),
  );

  check('takes a module that has two names by the first, and leaves it as it was', async () => {
    const relu = new nn.ReLU();
    const { operations } = await new nn.Sequential(relu, relu).profile(Tensor.zeros([1], { device: id }));
    expect(operations.map(({ layer }) => layer)).toEqual(['0', '0']);
    expect(Object.getOwnPropertyNames(relu)).not.toContain('forward');
    const own = (x: Tensor) => ops.activation(x, 'tanh');
    Object.assign(relu, { forward: own });
    await relu.profile(Tensor.zeros([1], { device: id }));
    expect(relu.forward).toBe(own);
  });

  check('runs forward ten times unless told, and once before', async () => {
    class Counting extends nn.ReLU {
      runs = 0;
      override forward(x: Tensor): Tensor {
        this.runs++;
        return super.forward(x);
      }
    }
    const counting = new Counting();
    await counting.profile(Tensor.zeros([1], { device: id }));
    expect(counting.runs).toBe(11);
  });

  check('refuses a network that cannot be labelled, and leaves it and the device as they were', () =>
    withModule(new nn.Sequential(new Twice(5), new nn.ReLU()).to({ device: id }), async (model) => {
      const x = Tensor.randn([3, 5], { device: id, seed: 1 });
      const before = await model.forward(x).data();
      Object.freeze(model[1]);
      await expectRejects('ERR_ARGUMENT', model.profile(x));
      for (const module of [model, model[0]!]) {
        expect(Object.getOwnPropertyNames(module)).not.toContain('forward');
      }
      expect(await model.forward(x).data()).toEqual(before);
      expect(await x.device.handle.endProfile()).toEqual([]); // that forward was not profiled
    }),
  );

  check('prints a row for each operation, in aligned columns', () =>
    withModule(new Bottleneck(16, 64, { device: id }).eval(), async (block) => {
      const profile = await block.profile(Tensor.randn([1, 16, 9, 7], { device: id, seed: 1 }));
      const [header, ...rows] = String(profile).split('\n');
      expect(header).toMatch(/^layer +operation +output +ms +GFLOP\/s +share$/);
      expect(rows).toHaveLength(profile.operations.length + 1);
      expect(rows[0]).toMatch(/^conv1 +conv2d +\[1, 16, 9, 7\] +\d+\.\d{3} +\d+\.\d +\d+\.\d %$/);
      expect(rows.at(-1)).toMatch(new RegExp(` all +${profile.milliseconds.toFixed(3)}$`));
    }),
  );

  check('writes a trace whose events follow each other', () =>
    withModule(new Bottleneck(16, 64, { device: id }).eval(), async (block) => {
      const path = join(await temporaryFolder(), 'trace.json');
      const profile = await block.profile(Tensor.randn([1, 16, 9, 7], { device: id, seed: 1 }));
      await profile.writeTrace(path);
      const { traceEvents } = JSON.parse(await readFile(path, 'utf8')) as {
        traceEvents: {
          name: string;
          ph: string;
          ts: number;
          dur: number;
          args: { inputs: number[][]; outputs: number[][] };
        }[];
      };
      expect(traceEvents.map(({ name }) => name)).toEqual(
        profile.operations.map(({ layer, operation }) => `${layer} ${operation}`),
      );
      let end = 0;
      for (const { ph, ts, dur } of traceEvents) {
        expect(ph).toBe('X');
        expect(ts).toBeGreaterThanOrEqual(end);
        end = ts + dur;
      }
      expect(traceEvents[0]!.args.inputs.slice(0, 2)).toEqual([
        [1, 16, 9, 7],
        [16, 16, 1, 1],
      ]);
      expect(traceEvents[0]!.args.outputs).toEqual([[1, 16, 9, 7]]);
    }),
  );

  check('two at once are each of their own network', () =>
    withModule(new nn.Sequential(new nn.Linear(4, 6), new nn.Linear(6, 2)).to({ device: id }), (a) =>
      withModule(new Twice(4).to({ device: id }), async (b) => {
        const x = Tensor.randn([2, 4], { device: id, seed: 1 });
        const [ofA, ofB] = await Promise.all([a.profile(x), b.profile(x)]);
        expect(ofA.operations.map(({ layer }) => layer)).toEqual(['0', '1']);
        expect(ofB.operations.map(({ layer }) => layer)).toEqual(['inner', '']);
      }),
    ),
  );

  check('rejects where a forward does other operations than the first', async () => {
    class Changing extends nn.Module {
      runs = 0;
      constructor(readonly steps: readonly (readonly ops.Activation[])[]) {
        super();
      }
      override forward(x: Tensor): Tensor {
        return this.steps[this.runs++]!.reduce((y, kind) => ops.activation(y, kind), ops.add(x, x));
      }
    }
    const x = Tensor.randn([2, 4], { device: id, seed: 1 });
    const profile = (...steps: ops.Activation[][]) => new Changing([[], ...steps]).profile(x, { runs: 3 });
    for (const steps of [
      [['relu'], ['relu'], []],
      [['relu'], ['relu', 'tanh'], ['relu']],
    ] as ops.Activation[][][]) {
      const says = /^profile: .* operation [23] of run [23] /;
      await expectRejects('ERR_ARGUMENT', profile(...steps), says);
    }
    expect((await profile(['relu'], ['relu'], ['relu'])).operations).toHaveLength(2);

    // of as many operations in other layers
    const [first, second] = [new nn.ReLU(), new nn.ReLU()];
    class Swapping extends Changing {
      readonly first = first;
      readonly second = second;
      override forward(x: Tensor): Tensor {
        return (this.runs++ < 2 ? first : second).forward(x);
      }
    }
    await expectRejects(
      'ERR_ARGUMENT',
      new Swapping([]).profile(x, { runs: 2 }),
      /operation 1 of run 2 is 'second activation', of the first 'first activation'/,
    );
  });

  check('rejects where forward returns no tensor, or a promise of one', async () => {
    const x = Tensor.zeros([1, 2], { device: id });
    for (const [y, kind] of [
      [undefined, 'undefined'],
      [[x], 'array'],
      [Promise.resolve(x), 'Promise: await it'],
    ] as [never, string][]) {
      class Returning extends nn.Module {
        override forward(_x: Tensor): Tensor {
          return y;
        }
      }
      const says = new RegExp(`profile: forward must return a Tensor, got ${kind}`);
      await expectRejects('ERR_ARGUMENT', new Returning().profile(x), says);
    }
  });

  check('rejects what forward rejects, and what fails while it is computed', () =>
    withModule(new nn.Linear(4, 6, { device: id }), async (linear) => {
      await expectRejects('ERR_SHAPE', linear.profile(Tensor.randn([2, 5], { device: id, seed: 1 })));
      const x = Tensor.randn([2, 4], { device: id, seed: 1 });
      await expectRejects('ERR_ARGUMENT', linear.profile(x, { runs: 0 }));
      await expectRejects('ERR_ARGUMENT', linear.profile(x, { rounds: 3 } as never));
      await x.device.synchronize();
      x.device.setMemoryLimit(1);
      await expectRejects('ERR_OUT_OF_MEMORY', linear.profile(x));
      x.device.setMemoryLimit(x.device.info.memory);
      expect((await linear.profile(x)).operations).toHaveLength(1);
    }),
  );
});
