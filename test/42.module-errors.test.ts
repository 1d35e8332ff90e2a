import { describe, expect } from 'vitest';
import { BasicBlock, Bottleneck, nn, ops, ResNet18, Tensor } from '../lib/index.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';

onEveryDevice('nn.Module', (id) => {
  const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });

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
      for (const wrong of ['no', 1, {}, Symbol('a'), null] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.Conv2d(4, 4, 1, { bias: wrong }), /Conv2d: bias/);
        expectThrows('ERR_ARGUMENT', () => new nn.Linear(4, 4, { bias: wrong }), /Linear: bias/);
      }
      for (const wrong of ['no', 1, {}, Symbol('a')] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.ReLU({ inplace: wrong }), /ReLU: inplace/);
        expectThrows('ERR_ARGUMENT', () => new nn.ReLU().train(wrong), /train: mode/);
        expectThrows('ERR_ARGUMENT', () => new Bottleneck(4, 4, { downsample: wrong }), /downsample/);
      }
      for (const wrong of ['no', 1, {}, null] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.Conv2d(4, 4, 1, { tf32: wrong }), /Conv2d: tf32/);
        expectThrows('ERR_ARGUMENT', () => new nn.Linear(4, 4, { tune: wrong }), /Linear: tune/);
        expectThrows('ERR_ARGUMENT', () => new ResNet18({ deterministic: wrong }), /ResNet: deterministic/);
      }
      // PyTorch's momentum=None is the mean of all batches, and not the default
      for (const wrong of ['x', -1, NaN, Infinity, Symbol('a'), null] as never[]) {
        expectThrows('ERR_ARGUMENT', () => new nn.BatchNorm2d(4, { eps: wrong }), /BatchNorm2d: eps/);
        expectThrows('ERR_ARGUMENT', () => new nn.BatchNorm2d(4, { momentum: wrong }), /momentum/);
      }
    });

    check('a frozen layer is moved nowhere, and nothing of it is lost', async () => {
      using linear = Object.freeze(new nn.Linear(2, 2, { device: id }));
      const weight = [...(await linear.weight.data())];
      expectThrows('ERR_ARGUMENT', () => linear.to({ dtype: 'float16' }), /weight is read-only/);
      expect([...(await linear.weight.data())]).toEqual(weight);
      using tied = new nn.Linear(2, 2, { device: id });
      tied.weight.dispose();
      tied.weight = linear.weight;
      expectThrows(
        'ERR_ARGUMENT',
        () => new nn.Sequential(tied, linear as nn.Linear).to({ dtype: 'float16' }),
        /read-only/,
      );
      expect([...(await tied.weight.data())]).toHaveLength(4);
    });

    check('a layer too large for any memory says so where it is read', async () => {
      using layer = new nn.BatchNorm2d(2 ** 40, { device: id });
      await expectRejects('ERR_OUT_OF_MEMORY', layer.weight.data());
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
      withModule(new BasicBlock(64, 64, { device: id }), (module) => {
        expectThrows('ERR_SHAPE', () => module.forward(zeros(1, 3, 4, 4)), /channels/);
        expectThrows('ERR_SHAPE', () => module.forward(zeros(64, 4, 4)));
        expectThrows('ERR_DTYPE', () => module.forward(zeros(1, 64, 4, 4).to({ dtype: 'bfloat16' })));
        expectThrows('ERR_ARGUMENT', () => module.forward(ops as unknown as Tensor));
      }),
    );
  });
});
