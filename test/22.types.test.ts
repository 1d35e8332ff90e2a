import { describe, expect, expectTypeOf } from 'vitest';
import { BasicBlock, type FloatDType, nn, ops, ResNet, Tensor, type WeightEntry } from '../lib/index.js';
import { expectThrows } from './support/errors.js';
import { withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';

// What is expected of types `tsc` looks at; nothing of it is left when the tests run.
onEveryDevice('types', (id) => {
  check('what a network gives is of numbers', () =>
    withModule(
      new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 3, device: id }),
      async (model) => {
        const x = Tensor.zeros([1, 3, 32, 32], { device: id });
        for (const y of [model.forward(x), model.features(x), model.predict(x)]) {
          expectTypeOf(y).toEqualTypeOf<Tensor<FloatDType>>();
          const data = await y.data();
          expect(Math.max(...data.map((value) => value * 2))).toBeGreaterThanOrEqual(2 * Math.min(...data));
        }
        expectTypeOf(model.dtype).toEqualTypeOf<FloatDType>();
        expect(model.dtype).toBe('float32');
      },
    ),
  );

  describe('a dtype that is none of floating-point numbers is refused', () => {
    check('by random values', () => {
      // @ts-expect-error
      expectThrows('ERR_DTYPE', () => Tensor.randn([1], { device: id, dtype: 'uint8' }), /^Tensor\.randn: /);
      expectThrows('ERR_ARGUMENT', () => Tensor.randn([1], { device: id, seed: -1 }), /^Tensor\.randn: seed/);
      // @ts-expect-error
      expectThrows('ERR_DTYPE', () => Tensor.rand([1], { device: id, dtype: 'int64' }), /^Tensor\.rand: /);
    });

    check('by normalised pixels', () => {
      const pixels = Tensor.zeros([1, 2, 2, 3], { device: id, dtype: 'uint8' });
      const wrong = { mean: [0, 0, 0], std: [1, 1, 1], dtype: 'uint8' } as const;
      // @ts-expect-error
      expectThrows('ERR_DTYPE', () => ops.normalizeImage(pixels, wrong), /^normalizeImage: dtype/);
    });
  });

  check("a tensor's shape is one of an entry of weights", async () => {
    const x = Tensor.from([1, 2], [2], { device: id });
    const entry: WeightEntry = { dtype: x.dtype, shape: x.shape, data: await x.data() };
    expect(entry.shape).toEqual([2]);
  });

  check('a dtype that may be left out leaves both', () => {
    const asked = undefined as 'float16' | undefined;
    const x = Tensor.zeros([2], { device: id, dtype: asked });
    expectTypeOf(x).toEqualTypeOf<Tensor<'float16' | 'float32'>>();
    expectTypeOf(Tensor.randn([2], { dtype: asked })).toEqualTypeOf<Tensor<'float16' | 'float32'>>();
    expectTypeOf(Tensor.from([1], [1], { dtype: asked })).toEqualTypeOf<Tensor<'float16' | 'float32'>>();
    expectTypeOf(x.to({ dtype: asked })).toEqualTypeOf<Tensor<'float16' | 'float32'>>();
    expectTypeOf(x.to({ dtype: 'bfloat16' })).toEqualTypeOf<Tensor<'bfloat16'>>();
    expectTypeOf(Tensor.from(new Uint8Array(1), [1])).toEqualTypeOf<Tensor<'uint8'>>();
    expect(x.to({ dtype: asked }).dtype).toBe('float32');
  });

  check('a parameter is no other tensor', () => {
    const linear = new nn.Linear(2, 2, { device: id });
    const { weight } = linear;
    // @ts-expect-error
    linear.weight = Tensor.zeros([2, 2], { device: id });
    linear.weight = weight;
    linear.dispose();
    expect(linear.parameters()).toContain(weight);
  });

  check('a tensor is not made of nothing', () => {
    // @ts-expect-error
    expectThrows('ERR_ARGUMENT', () => new Tensor(), /^new Tensor: expected the addon's handle/);
  });

  check('operations take the biases of layers that have none', () => {
    const x = Tensor.zeros([1, 2, 3, 3], { device: id });
    const conv = new nn.Conv2d(2, 2, 1, { bias: false, device: id });
    const linear = new nn.Linear(2, 2, { bias: false, device: id });
    expect(ops.conv2d(x, conv.weight, { bias: conv.bias }).shape).toEqual([1, 2, 3, 3]);
    expect(ops.linear(x.reshape([9, 2]), linear.weight, { bias: linear.bias }).shape).toEqual([9, 2]);
    conv.dispose();
    linear.dispose();
  });
});
