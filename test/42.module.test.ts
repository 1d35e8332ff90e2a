import { describe, expect } from 'vitest';
import { Bottleneck as TutorialBottleneck } from '../examples/tutorial-bottleneck.js';
import { BasicBlock, Bottleneck, device, models, nn, ops, ResNet18, scope, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import type { DeviceId } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { goldenJson } from './support/golden.js';
import { withModule } from './support/modules.js';
import { random } from './support/random.js';
import * as reference from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, upload } from './support/tensors.js';
import { rounded, type Values } from './support/values.js';

interface Description {
  printed: string;
  state: Record<string, { shape: number[]; dtype: string }>;
}

const golden = goldenJson<Record<string, Description>>('modules.json');

const modules: Record<string, (device: DeviceId) => nn.Module> = {
  ...Object.fromEntries(
    Object.entries(models).map(([name, Network]) => [name, (device) => new Network({ device })]),
  ),
  bottleneck: (device) => new Bottleneck(64, 256, { device }),
  'bottleneck-identity': (device) => new Bottleneck(256, 256, { device }),
  'basic-block': (device) => new BasicBlock(64, 64, { device }),
  'basic-block-stride': (device) => new BasicBlock(64, 128, { stride: 2, device }),
  tutorial: (device) => new TutorialBottleneck(64, 256).to({ device }),
  conv: (device) => new nn.Conv2d(3, 8, 3, { device }),
  'conv-all': (device) =>
    new nn.Conv2d(4, 8, [3, 5], {
      stride: [2, 1],
      padding: [1, 2],
      dilation: [1, 2],
      groups: 2,
      bias: false,
      device,
    }),
  'batch-norm': (device) => new nn.BatchNorm2d(7, { eps: 1e-3, momentum: 0.01, device }),
  linear: (device) => new nn.Linear(17, 5, { bias: false, device }),
  'max-pool': () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  sequential: () =>
    new nn.Sequential(
      new nn.Sequential(),
      new nn.Identity(),
      new nn.ReLU(),
      new nn.AdaptiveAvgPool2d([1, 1]),
    ),
};

/** A user's module: a parameter and a buffer of its own between submodules. */
class Custom extends nn.Module {
  conv1: nn.Conv2d;
  seen: Tensor;
  scale: nn.Parameter;
  norm: nn.BatchNorm2d;
  readonly note = 'no part of the state';

  constructor() {
    super();
    this.conv1 = new nn.Conv2d(3, 4, 1);
    this.seen = Tensor.zeros([2]);
    this.scale = new nn.Parameter(Tensor.from([1, 2, 3], [3]));
    this.norm = new nn.BatchNorm2d(4);
  }

  forward(x: Tensor): Tensor {
    return this.norm.forward(this.conv1.forward(x));
  }
}

/** Two layers with one weight, and one buffer under two names. */
class Tied extends nn.Module {
  first: nn.Linear;
  second: nn.Linear;
  seen: Tensor;
  alias: Tensor;

  constructor(device: DeviceId) {
    super();
    this.first = new nn.Linear(3, 3, { device });
    this.second = new nn.Linear(3, 3, { device });
    this.second.weight.dispose();
    this.second.weight = this.first.weight;
    this.seen = Tensor.zeros([2], { device });
    this.alias = this.seen;
  }

  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x));
  }
}

onEveryDevice('nn.Module', (id) => {
  const up = (x: Values) => upload(x, 'float32', id);
  const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });

  describe('prints what PyTorch prints, and has its keys, shapes and dtypes', () => {
    for (const [name, { printed, state }] of Object.entries(golden)) {
      check(name, () =>
        withModule(modules[name]!(id), (module) => {
          expect(String(module)).toBe(printed);
          const found = [...module.stateDict()].map(([key, { shape, dtype }]) => [key, { shape, dtype }]);
          expect(found).toEqual(Object.entries(state));
        }),
      );
    }
  });

  check('prints numbers as Python does', () => {
    for (const [eps, text] of [
      [0, '0.0'],
      [1e-4, '0.0001'],
      [1.5e-5, '1.5e-05'],
      [1e15, '1000000000000000.0'],
      [1e16, '1e+16'],
    ] as const) {
      using norm = new nn.BatchNorm2d(1, { eps, device: id });
      expect(String(norm)).toContain(`eps=${text}, `);
    }
  });

  describe('layers compute what the operations do', () => {
    const x = () => rounded(random('x', [2, 4, 9, 7]), 'float32');
    const valuesOf = async (module: nn.Module, key: string) => download(module.stateDict().get(key)!);

    check('Conv2d', () =>
      withModule(modules['conv-all']!(id), async (module) => {
        const expected = reference.conv2d(x(), await valuesOf(module, 'weight'), {
          stride: [2, 1],
          padding: [1, 2],
          dilation: [1, 2],
          groups: 2,
        });
        expectClose(await download(module.forward(up(x()))), expected, perOp.float32);
      }),
    );

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

  describe('a class of the user’s own', () => {
    check('has its keys: parameters before buffers, then submodules in order', () =>
      withModule(new Custom().to({ device: id }), (module) => {
        expect([...module.stateDict().keys()]).toEqual([
          'scale',
          'seen',
          'conv1.weight',
          'conv1.bias',
          'norm.weight',
          'norm.bias',
          'norm.running_mean',
          'norm.running_var',
          'norm.num_batches_tracked',
        ]);
        expect(module.parameters().length).toBe(5);
        expect(module.buffers().length).toBe(4);
      }),
    );

    check('prints its submodules', () =>
      withModule(new Custom().to({ device: id }), (module) => {
        expect(String(module)).toBe(
          [
            'Custom(',
            '  (conv1): Conv2d(3, 4, kernel_size=(1, 1), stride=(1, 1))',
            '  (norm): BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)',
            ')',
          ].join('\n'),
        );
      }),
    );

    check('prints its options before its submodules', () => {
      class Named extends nn.Module {
        relu = new nn.ReLU();
        forward(x: Tensor): Tensor {
          return this.relu.forward(x);
        }
        protected override describeOptions(): string {
          return 'p=0.5';
        }
      }
      expect(String(new Named())).toBe('Named(\n  p=0.5\n  (relu): ReLU()\n)');
    });

    check('is switched, and disposed of, with all it holds', async () => {
      const module = new Custom().to({ device: id });
      expect([module.training, module.norm.training]).toEqual([true, true]);
      expect(module.eval()).toBe(module);
      expect([module.training, module.norm.training]).toEqual([false, false]);
      module.train();
      expect([module.training, module.norm.training]).toEqual([true, true]);
      const tensors = [...module.stateDict().values()];
      module.dispose();
      expect(tensors.every((x) => x.disposed)).toBe(true);
      expectThrows('ERR_DISPOSED', () => module.forward(zeros(1, 3, 2, 2)));
    });

    check('keeps parameters and buffers that were made in a scope', () =>
      withModule(
        scope(() => new Custom()),
        (module) => {
          const disposed = [...module.stateDict()].filter(([, x]) => x.disposed);
          expect(disposed.map(([key]) => key)).toEqual([]);
        },
      ),
    );
  });

  check('to() converts floating-point parameters, and batch norms stay float32', () =>
    withModule(new Custom().to({ device: id }), async (module) => {
      const before = await download(module.conv1.weight);
      module.to({ dtype: 'bfloat16' });
      const dtypes = Object.fromEntries([...module.stateDict()].map(([key, { dtype }]) => [key, dtype]));
      expect(dtypes).toMatchObject({
        'conv1.weight': 'bfloat16',
        'conv1.bias': 'bfloat16',
        'norm.weight': 'float32',
        'norm.num_batches_tracked': 'int64',
      });
      expectExact(await download(module.conv1.weight), rounded(before, 'bfloat16'));
      const x = zeros(1, 3, 2, 2).to({ dtype: 'bfloat16' });
      expect(module.eval().forward(x).dtype).toBe('bfloat16');
    }),
  );

  check('to() leaves integers as they are', async () => {
    class Counter extends nn.Module {
      scale = Tensor.zeros([1], { device: id });
      count = Tensor.from(BigInt64Array.of(2n ** 40n), [1], { device: id });
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    using module = new Counter().to({ dtype: 'float16' });
    expect([module.scale.dtype, module.count.dtype]).toEqual(['float16', 'int64']);
    expect(await module.count.data()).toEqual(BigInt64Array.of(2n ** 40n));
  });

  check('to() leaves tensors alone that are there already', () =>
    withModule(new Custom().to({ device: id }), async (module) => {
      const before = [...module.stateDict().values()];
      module
        .to({})
        .to({ dtype: 'float32' })
        .to({ device: id })
        .to({ device: device(id) });
      expect([...module.stateDict().values()].every((tensor, i) => tensor === before[i])).toBe(true);
      expect(before.some((tensor) => tensor.disposed)).toBe(false);
    }),
  );

  describe('a tensor of several names', () => {
    check('is listed once, and under each name in the state dict', () =>
      withModule(new Tied(id), (module) => {
        const { first, second, seen } = module;
        expect(module.parameters()).toEqual([first.weight, first.bias, second.bias]);
        expect(module.buffers()).toEqual([seen]);
        const names = ['seen', 'alias', 'first.weight', 'first.bias', 'second.weight', 'second.bias'];
        expect([...module.stateDict().keys()]).toEqual(names);
      }),
    );

    check('stays one tensor when the module is moved', () =>
      withModule(new Tied(id), async (module) => {
        const before = await download(module.first.weight);
        module.to({ dtype: 'bfloat16' });
        expect(module.second.weight).toBe(module.first.weight);
        expect(module.alias).toBe(module.seen);
        expect(module.seen.dtype).toBe('bfloat16');
        expectExact(await download(module.first.weight), rounded(before, 'bfloat16'));
        const x = zeros(1, 3).to({ dtype: 'bfloat16' });
        expect(module.forward(x).shape).toEqual([1, 3]);
      }),
    );
  });

  check('to() refuses a dtype that nothing computes in, and changes nothing', () =>
    withModule(new Custom().to({ device: id }), async (module) => {
      for (const dtype of ['uint8', 'int64', 'float'] as never[]) {
        expectThrows('ERR_DTYPE', () => module.to({ dtype }), /Module\.to: .*float32, float16 or bfloat16/);
        expectThrows('ERR_DTYPE', () => module.norm.to({ dtype }), /Module\.to: .*float32/);
        expectThrows('ERR_DTYPE', () => new nn.Linear(2, 2, { dtype, device: id }), /Linear: dtype/);
      }
      expect(module.conv1.weight.dtype).toBe('float32');
    }),
  );

  describe('what bad input gets', () => {
    check('sizes that are no sizes', () => {
      for (const wrong of [0, -1, NaN, 1.5, '3', undefined]) {
        const n = wrong as number;
        expectThrows('ERR_SHAPE', () => new nn.Conv2d(n, 4, 1), /inChannels/);
        expectThrows('ERR_SHAPE', () => new nn.Conv2d(4, n, 1), /outChannels/);
        expectThrows('ERR_SHAPE', () => new nn.Conv2d(4, 4, n), /kernelSize/);
        expectThrows('ERR_SHAPE', () => new nn.BatchNorm2d(n), /features/);
        expectThrows('ERR_SHAPE', () => new nn.Linear(n, 4), /inFeatures/);
        expectThrows('ERR_SHAPE', () => new nn.Linear(4, n), /outFeatures/);
        expectThrows('ERR_SHAPE', () => new Bottleneck(n, 4));
        expectThrows('ERR_SHAPE', () => new BasicBlock(4, n));
      }
      expectThrows('ERR_SHAPE', () => new nn.Conv2d(4, 6, 1, { groups: 4 }), /groups/);
      expectThrows('ERR_SHAPE', () => new Bottleneck(64, 66));
    });

    check('misspelt options', () => {
      expectThrows(
        'ERR_ARGUMENT',
        () => new nn.Conv2d(4, 4, 1, { paddng: 1 } as object),
        /paddng.*'padding'/,
      );
      expectThrows('ERR_ARGUMENT', () => new nn.BatchNorm2d(4, { epsilon: 1 } as object), /epsilon/);
      expectThrows('ERR_ARGUMENT', () => new nn.ReLU({ inPlace: true } as object), /'inplace'/);
      expectThrows('ERR_ARGUMENT', () => new Bottleneck(4, 4, { strides: 1 } as object), /'stride'/);
      expectThrows('ERR_ARGUMENT', () => new ResNet18({ numclasses: 3 } as object), /'numClasses'/);
    });

    check('options of the wrong kind', () => {
      for (const wrong of ['no', 1, {}, Symbol('a')] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.Conv2d(4, 4, 1, { bias: wrong }), /Conv2d: bias/);
        expectThrows('ERR_ARGUMENT', () => new nn.Linear(4, 4, { bias: wrong }), /Linear: bias/);
        expectThrows('ERR_ARGUMENT', () => new nn.ReLU({ inplace: wrong }), /ReLU: inplace/);
        expectThrows('ERR_ARGUMENT', () => new nn.ReLU().train(wrong), /train: mode/);
        expectThrows('ERR_ARGUMENT', () => new Bottleneck(4, 4, { downsample: wrong }), /downsample/);
      }
      for (const wrong of ['x', -1, NaN, Infinity, Symbol('a')] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.BatchNorm2d(4, { eps: wrong }), /BatchNorm2d: eps/);
        expectThrows('ERR_ARGUMENT', () => new nn.BatchNorm2d(4, { momentum: wrong }), /momentum/);
      }
    });

    check('a Sequential is gone through in order', () => {
      const modules = Array.from({ length: 12 }, () => new nn.ReLU());
      const sequential = new nn.Sequential(...modules);
      expect(sequential.length).toBe(12);
      expect([...sequential]).toEqual(modules);
      for (const [i, module] of [...sequential].entries()) expect(module).toBe(modules[i]);
      expect([...new nn.Sequential()]).toEqual([]);
    });

    check('what is no module in a Sequential, and no tensor in a Parameter', () => {
      for (const wrong of [undefined, null, 1, {}, () => 1, nn.ReLU, Tensor] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.Sequential(new nn.ReLU(), wrong), /modules.*place 1$/);
        expectThrows('ERR_ARGUMENT', () => new nn.Parameter(wrong), /Parameter: expected a Tensor/);
      }
      const modules = [new nn.ReLU(), new nn.Identity()] as never;
      expectThrows('ERR_ARGUMENT', () => new nn.Sequential(modules), /array in place 0; spread it/);
      expectThrows('ERR_ARGUMENT', () => new nn.Parameter([1, 2] as never), /got array/);
    });

    check('what AdaptiveAvgPool2d cannot divide', () => {
      for (const size of [1, 2]) {
        const pool = new nn.AdaptiveAvgPool2d(size);
        for (const wrong of [undefined, null, [1], {}] as never[]) {
          expectThrows('ERR_ARGUMENT', () => pool.forward(wrong), /AdaptiveAvgPool2d: x must be a Tensor/);
        }
        expectThrows('ERR_SHAPE', () => pool.forward(zeros(4, 4)), /AdaptiveAvgPool2d: .*got \[4, 4\]/);
      }
      for (const [height, width] of [
        [4, 5],
        [5, 4],
      ] as const) {
        const pool = new nn.AdaptiveAvgPool2d(2);
        const says = new RegExp(`${height}×${width} does not divide into 2×2`);
        expectThrows('ERR_SHAPE', () => pool.forward(zeros(1, 1, height, width)), says);
      }
    });

    check('an input that does not fit', () =>
      withModule(modules['basic-block']!(id), (module) => {
        expectThrows('ERR_SHAPE', () => module.forward(zeros(1, 3, 4, 4)), /channels/);
        expectThrows('ERR_SHAPE', () => module.forward(zeros(64, 4, 4)));
        expectThrows('ERR_DTYPE', () => module.forward(zeros(1, 64, 4, 4).to({ dtype: 'bfloat16' })));
        expectThrows('ERR_ARGUMENT', () => module.forward(ops as unknown as Tensor));
      }),
    );
  });
});
