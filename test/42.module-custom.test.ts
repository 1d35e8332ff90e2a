import { describe, expect } from 'vitest';
import { device, nn, scope, Tensor } from '../lib/index.js';
import { expectExact } from './support/compare.js';
import type { DeviceId } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';
import { download } from './support/tensors.js';
import { rounded } from './support/values.js';

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
  const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });

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
});
