import { describe, expect } from 'vitest';
import { nn, ops, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random, randomIntegers } from './support/random.js';
import { type Activation, type Conv2dOptions, conv2d } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { map, rounded, type Values, values } from './support/values.js';

type Geometry = Pick<Conv2dOptions, 'stride' | 'padding' | 'dilation' | 'groups'>;

const geometries: [string, number[], number[], Geometry][] = [
  ['1×1', [1, 64, 7, 7], [17, 64, 1, 1], {}],
  ['1×1 of one pixel', [3, 17, 1, 1], [64, 17, 1, 1], {}],
  ['1×1 with stride', [2, 64, 7, 5], [32, 64, 1, 1], { stride: 2 }],
  ['3×3', [2, 3, 5, 9], [17, 3, 3, 3], {}],
  ['3×3 padded', [2, 64, 7, 7], [64, 64, 3, 3], { padding: 1 }],
  ['3×3 with stride', [1, 17, 5, 9], [64, 17, 3, 3], { stride: 2, padding: 1 }],
  ['3×3 with stride, leaving pixels over', [1, 17, 6, 8], [16, 17, 3, 3], { stride: 2 }],
  ['stride beyond the kernel', [1, 3, 11, 13], [5, 3, 2, 2], { stride: 4 }],
  ['to as few channels as an image has', [2, 32, 9, 7], [3, 32, 3, 3], { padding: 1 }],
  ['one channel', [3, 1, 9, 5], [1, 1, 3, 3], { padding: 1 }],
  ['the stem', [2, 3, 33, 29], [64, 3, 7, 7], { stride: 2, padding: 3 }],
  ['different in both directions', [1, 5, 9, 8], [6, 5, 2, 5], { stride: [3, 1], padding: [0, 2] }],
  ['dilation', [2, 8, 11, 9], [8, 8, 3, 3], { dilation: [2, 3], padding: [2, 3] }],
  ['dilation and stride', [1, 3, 12, 13], [4, 3, 3, 2], { dilation: 2, stride: [1, 2], padding: 1 }],
  ['two groups', [2, 34, 5, 6], [16, 17, 3, 3], { groups: 2, padding: 1 }],
  ['32 groups', [1, 64, 7, 7], [64, 2, 3, 3], { groups: 32, stride: 2, padding: 1 }],
  ['depthwise', [2, 17, 7, 6], [17, 1, 3, 3], { groups: 17, padding: 1 }],
  ['depthwise with a multiplier', [1, 5, 5, 9], [15, 1, 3, 3], { groups: 5 }],
  ['kernel larger than the input', [2, 3, 3, 2], [4, 3, 5, 7], { padding: [2, 3] }],
  ['padding beyond the kernel', [1, 2, 3, 4], [3, 2, 3, 3], { padding: [5, 4] }],
  ['windows that see padding alone', [1, 3, 2, 2], [4, 3, 1, 1], { padding: 3, stride: 2 }],
  ['rows of windows that see padding alone', [1, 3, 3, 9], [6, 3, 3, 3], { padding: [3, 0] }],
  // oneDNN 2.6's brgconv, which is avoided, is wrong for these, or writes beyond its memory
  ['3×3 with stride on a narrow image', [1, 48, 34, 9], [128, 48, 3, 3], { stride: 2 }],
  ['3×3 with stride on a narrow image, padded', [2, 64, 32, 7], [96, 64, 3, 3], { stride: 2, padding: 1 }],
  [
    'strides beyond a kernel that is padded',
    [2, 64, 22, 25],
    [96, 64, 2, 7],
    { stride: [3, 9], padding: [1, 4] },
  ],
  ['almost all of a window in padding', [3, 96, 5, 17], [64, 96, 1, 7], { padding: [0, 6] }],
  ['a dilation that steps over the input', [1, 1, 2, 3], [2, 1, 2, 1], { padding: [3, 0], dilation: [5, 1] }],
];

function inputs(x: number[], weight: number[]): { x: Values; weight: Values; bias: Values } {
  const fanIn = weight.slice(1).reduce((product, n) => product * n, 1);
  return {
    x: random('x', x),
    weight: random('weight', weight, { scale: Math.sqrt(3 / fanIn) }),
    bias: random('bias', [weight[0]!]),
  };
}

onEveryDevice('conv2d', (id) => {
  // found by fuzzing: oneDNN 2.6 could not make some of them
  for (const activation of ['relu', 'relu6', 'sigmoid', 'tanh', 'gelu', 'swish'] satisfies Activation[]) {
    check(`${activation} fused with grouped bfloat16 convolutions of few channels`, async () => {
      for (const [shape, kernel, padding, dilation] of [
        [
          [1, 8, 1, 7],
          [32, 4, 1, 3],
          [0, 3],
          [1, 2],
        ],
        [
          [1, 8, 1, 9],
          [16, 4, 1, 3],
          [0, 0],
          [1, 1],
        ],
      ] satisfies [number[], number[], [number, number], [number, number]][]) {
        const [x, weight] = [randomIntegers('x', shape, -3, 3), randomIntegers('w', kernel, -3, 3)];
        const options = { groups: 2, padding, dilation, activation };
        const y = ops.conv2d(upload(x, 'bfloat16', id), upload(weight, 'bfloat16', id), options);
        expectClose(await download(y), conv2d(x, weight, options), perOp.bfloat16);
      }
    });
  }

  check('of a tensor by itself, as of equal ones', async () => {
    for (const shape of [
      [5, 1, 3, 3],
      [17, 3, 3, 3],
      [32, 32, 3, 3],
      [16, 64, 1, 1],
      [48, 16, 5, 5],
    ]) {
      const x = randomIntegers(`x ${shape}`, shape, -2, 2);
      const bias = randomIntegers('bias', [shape[0]!], -8, 8);
      const padding = (shape[2]! - 1) / 2;
      for (const algorithm of ['direct', 'fast'] as const) {
        const tensor = upload(x, 'float32', id); // not seen as a weight before
        const y = ops.conv2d(tensor, tensor, { bias: upload(bias, 'float32', id), padding, algorithm });
        expectClose(
          await download(y),
          conv2d(x, x, { bias, padding }),
          perOp.float32,
          `${shape} ${algorithm}`,
        );
        expectExact(await download(tensor), x, `${shape} afterwards`);
      }
    }
  });

  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      const ready = (shape: number[], kernel: number[]) => {
        const { x, weight, bias } = inputs(shape, kernel);
        return { x: rounded(x, dtype), weight: rounded(weight, dtype), bias: rounded(bias, dtype) };
      };

      for (const [name, shape, kernel, geometry] of geometries) {
        check(name, async () => {
          const { x, weight, bias } = ready(shape, kernel);
          const [xd, wd, bd] = [upload(x, dtype, id), upload(weight, dtype, id), upload(bias, dtype, id)];
          const plain = await download(ops.conv2d(xd, wd, geometry));
          expectClose(plain, conv2d(x, weight, geometry), perOp[dtype], 'without bias');
          const biased = await download(ops.conv2d(xd, wd, { ...geometry, bias: bd }));
          expectClose(biased, conv2d(x, weight, { ...geometry, bias }), perOp[dtype], 'with bias');
          const add = rounded(random('add', [...plain.shape]), dtype);
          const fused = { ...geometry, activation: 'relu' } as const;
          const y = await download(ops.conv2d(xd, wd, { ...fused, bias: bd, add: upload(add, dtype, id) }));
          const expected = conv2d(x, weight, { ...fused, bias, add });
          expectClose(y, expected, perOp[dtype], 'fused');
          const fast = { ...fused, bias: bd, add: upload(add, dtype, id), algorithm: 'fast' } as const;
          expectClose(await download(ops.conv2d(xd, wd, fast)), expected, perOp[dtype], 'fused and fast');
        });
      }

      for (const activation of ['relu', 'relu6', 'sigmoid', 'tanh', 'gelu', 'swish'] satisfies Activation[]) {
        check(`fused with bias, residual and ${activation}`, async () => {
          const geometry = { stride: [2, 1], padding: 1 } satisfies Geometry;
          const { x, weight, bias } = ready([2, 17, 5, 9], [24, 17, 3, 3]);
          const add = rounded(random('add', [2, 24, 3, 9], { scale: 5, center: 2 }), dtype);
          const y = ops.conv2d(upload(x, dtype, id), upload(weight, dtype, id), {
            ...geometry,
            bias: upload(bias, dtype, id),
            add: upload(add, dtype, id),
            activation,
          });
          const expected = conv2d(x, weight, { ...geometry, bias, add, activation });
          expectClose(await download(y), expected, perOp[dtype]);
        });
      }

      check('a float32 bias, a residual without bias, an activation alone', async () => {
        const { x, weight } = ready([1, 3, 5, 5], [64, 3, 3, 3]);
        const bias = rounded(random('bias', [64]), 'float32');
        const add = rounded(random('add', [1, 64, 3, 3]), dtype);
        const [xd, wd] = [upload(x, dtype, id), upload(weight, dtype, id)];
        const biased = ops.conv2d(xd, wd, { bias: upload(bias, 'float32', id) });
        expectClose(await download(biased), conv2d(x, weight, { bias }), perOp[dtype], 'bias');
        const added = ops.conv2d(xd, wd, { add: upload(add, dtype, id) });
        expectClose(await download(added), conv2d(x, weight, { add }), perOp[dtype], 'add');
        const activated = ops.conv2d(xd, wd, { activation: 'relu' });
        expectClose(
          await download(activated),
          conv2d(x, weight, { activation: 'relu' }),
          perOp[dtype],
          'relu',
        );
      });

      // Images large enough for Winograd's transform, or of many channels, in numbers that its variants differ in; layers
      // that are split into halves for AMX, one in parts of its batch; and neighbours that are neither.
      for (const [shape, channels, kernel, stride] of [
        [[1, 16, 14, 14], 16, 3, 1],
        [[1, 64, 17, 13], 80, 3, 1],
        [[2, 48, 12, 31], 32, 3, 1],
        [[8, 32, 15, 15], 48, 3, 1],
        [[5, 16, 28, 12], 64, 3, 1],
        [[3, 17, 14, 14], 16, 3, 1],
        [[2, 3, 21, 13], 16, 3, 1],
        [[2, 32, 7, 7], 32, 3, 1],
        [[1, 144, 7, 7], 128, 3, 1],
        [[5, 112, 6, 9], 160, 3, 1],
        [[3, 32, 15, 12], 48, 3, 2],
        [[2, 3, 33, 29], 64, 7, 2],
        [[1, 64, 13, 9], 16, 1, 2],
        [[2, 16, 1, 1], 32, 1, 1],
        [[2, 32, 3, 3], 16, 5, 1],
        [[5, 16, 170, 150], 16, 1, 1],
      ] satisfies [number[], number, number, number][]) {
        check(
          `'fast' ${kernel}×${kernel} on [${shape}] to ${channels} channels, stride ${stride}, fused`,
          async () => {
            const { x, weight, bias } = ready(shape, [channels, shape[1]!, kernel, kernel]);
            const fused = { stride, padding: (kernel - 1) / 2, activation: 'relu' } as const;
            const [xd, wd] = [upload(x, dtype, id), upload(weight, dtype, id)];
            const fast = { ...fused, bias: upload(bias, dtype, id), algorithm: 'fast' } as const;
            const plain = await download(ops.conv2d(xd, wd, fast));
            expectClose(plain, conv2d(x, weight, { ...fused, bias }), perOp[dtype], 'without residual');
            const add = rounded(random('add', [...plain.shape]), dtype);
            const { bias: _, ...unbiased } = fast;
            const added = await download(ops.conv2d(xd, wd, { ...unbiased, add: upload(add, dtype, id) }));
            expectClose(added, conv2d(x, weight, { ...fused, add }), perOp[dtype], 'with residual');
            expectExact(await download(wd), weight);
          },
        );
      }

      check("'fast' on small integers, and beside what is no number", async () => {
        const x = randomIntegers('x', [2, 32, 7, 7], -200, 200);
        const weight = randomIntegers('weight', [16, 32, 1, 1], -3, 3);
        x.data[32 * 49 + 5] = Number.NaN; // the first channel of the second image's sixth pixel
        const expected = conv2d(rounded(x, dtype), weight, {});
        const fast = { algorithm: 'fast' } as const;
        const y = await download(ops.conv2d(upload(x, dtype, id), upload(weight, dtype, id), fast));
        for (const [i, value] of expected.data.entries()) {
          expect(Number.isNaN(y.data[i]!), `element ${i}`).toBe(Number.isNaN(value));
        }
        const numbers = (of: Values) => map(of, (v) => (Number.isNaN(v) ? 0 : v));
        expectClose(numbers(y), numbers(expected), dtype === 'float32' ? 0 : perOp[dtype]);
      });

      check('leaves its inputs as they were', async () => {
        const { x, weight, bias } = ready([2, 16, 5, 5], [16, 16, 3, 3]);
        const given = [x, weight, bias, rounded(random('add', [2, 16, 5, 5]), dtype)];
        const [xd, wd, bd, ad] = given.map((input) => upload(input, dtype, id)) as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        ops.conv2d(xd, wd, { bias: bd, add: ad, activation: 'relu', padding: 1 });
        for (const [i, input] of [xd, wd, bd, ad].entries()) {
          expectExact(await download(input), given[i]!);
        }
      });

      check('leaves weights that other operations, and other dtypes, can be made of', async () => {
        for (const groups of [1, 4, 32]) {
          const shape = [32, 32 / groups, 3, 3];
          const { x, weight } = ready([2, 32, 5, 5], shape);
          const weightOf = async (use: (used: Tensor) => Tensor) => {
            const [used, fresh] = [upload(weight, dtype, id), upload(weight, dtype, id)];
            ops.conv2d(upload(x, dtype, id), used, { groups });
            expectExact(await download(use(used)), await download(use(fresh)));
          };
          await weightOf((used) => ops.add(used, used, { activation: 'relu' }));
          await weightOf((used) => used.reshape([3, 3, 32, shape[1]!]));
          await weightOf((used) => ops.globalAvgPool(used));
          for (const other of floatDTypes) await weightOf((used) => used.to({ dtype: other }));
          await weightOf((used) => {
            const other = upload(
              map(weight, (value) => -value),
              dtype,
              id,
            );
            const module = new nn.Conv2d(32, 32, 3, { groups, bias: false, device: id, dtype });
            module.loadStateDict({ weight: used });
            module.forward(upload(x, dtype, id));
            module.loadStateDict({ weight: other });
            const y = module.forward(upload(x, dtype, id));
            module.dispose();
            return y;
          });
        }
      });

      check('a residual that is the input itself', async () => {
        const { x, weight } = ready([2, 16, 5, 5], [16, 16, 3, 3]);
        const xd = upload(x, dtype, id);
        const y = ops.conv2d(xd, upload(weight, dtype, id), { add: xd, padding: 1, activation: 'relu' });
        // From here on nothing else reads x, and an engine may write over it: but not while it still convolves it.
        xd.dispose();
        const expected = conv2d(x, weight, { add: x, padding: 1, activation: 'relu' });
        expectClose(await download(y), expected, perOp[dtype]);
      });

      check('a residual that is disposed of while others still read it', async () => {
        const { x, weight } = ready([2, 16, 5, 5], [16, 16, 3, 3]);
        const residual = rounded(random('residual', [2, 16, 5, 5]), dtype);
        const [xd, wd, rd] = [upload(x, dtype, id), upload(weight, dtype, id), upload(residual, dtype, id)];
        const before = download(rd);
        const [first, second] = [1, 2].map(() => ops.conv2d(xd, wd, { add: rd, padding: 1 }));
        const doubled = ops.add(rd, rd);
        rd.dispose();
        const expected = conv2d(x, weight, { add: residual, padding: 1 });
        expectClose(await download(first!), expected, perOp[dtype], 'first');
        expectClose(await download(second!), expected, perOp[dtype], 'second');
        expectExact(await before, residual, 'read before');
        expectExact(
          await download(doubled),
          map(residual, (element) => 2 * element),
          'doubled',
        );
      });

      check('a residual that another convolution gave, and that is read again', async () => {
        const { x, weight } = ready([2, 16, 5, 5], [16, 16, 3, 3]);
        const [xd, wd] = [upload(x, dtype, id), upload(weight, dtype, id)];
        const residual = ops.conv2d(xd, wd, { padding: 1 });
        const before = await download(residual);
        const y = ops.conv2d(xd, wd, { add: residual, padding: 1 });
        expectClose(await download(y), conv2d(x, weight, { add: before, padding: 1 }), perOp[dtype]);
        expectExact(await download(residual), before);
      });

      check('convolutions follow one another, in whatever layout the first one left', async () => {
        const { x, weight } = ready([2, 3, 9, 7], [17, 3, 3, 3]);
        const second = rounded(random('second', [8, 17, 1, 1], { scale: 0.4 }), dtype);
        const middle = ops.conv2d(upload(x, dtype, id), upload(weight, dtype, id), { activation: 'relu' });
        const y = ops.conv2d(middle, upload(second, dtype, id), { stride: 2 });
        const expected = conv2d(conv2d(x, weight, { activation: 'relu' }), second, { stride: 2 });
        expectClose(await download(y), expected, perOp[dtype]);
      });

      // Products and sums stay below 2^8, so that every dtype holds each of them exactly.
      for (const [name, shape, kernel, geometry] of geometries) {
        check(`integers are exact: ${name}`, async () => {
          const x = randomIntegers('x', shape, -1, 1);
          const fanIn = kernel.slice(1).reduce((product, n) => product * n, 1);
          const dense = randomIntegers('weight', kernel, -1, 1);
          const weight = map(dense, (w, i) => (i % Math.ceil(fanIn / 100) === 0 ? w : 0));
          const bias = randomIntegers('bias', [kernel[0]!], -8, 8);
          const y = ops.conv2d(upload(x, dtype, id), upload(weight, dtype, id), {
            ...geometry,
            bias: upload(bias, dtype, id),
          });
          expectExact(await download(y), conv2d(x, weight, { ...geometry, bias }));
        });
      }
    });
  }

  check('larger integers are exact in float32, also at the sizes of a network', async () => {
    const x = randomIntegers('x', [1, 64, 28, 28], -16, 16);
    const weight = randomIntegers('weight', [64, 64, 3, 3], -16, 16);
    const y = ops.conv2d(upload(x, 'float32', id), upload(weight, 'float32', id), { padding: 1 });
    expectExact(await download(y), conv2d(x, weight, { padding: 1 }));
  });

  check('many shapes in turn do not disturb one another', async () => {
    const runs = geometries
      .slice(0, 8)
      .map(([, shape, kernel, geometry]) => ({ ...inputs(shape, kernel), geometry }));
    for (let round = 0; round < 2; round++) {
      const outputs = runs.map(({ x, weight, geometry }) =>
        ops.conv2d(upload(x, 'float32', id), upload(weight, 'float32', id), geometry),
      );
      for (const [i, { x, weight, geometry }] of runs.entries()) {
        expectClose(await download(outputs[i]!), conv2d(x, weight, geometry), perOp.float32);
      }
    }
  });

  // oneDNN's reference implementation, which computes one of such shapes where it is not free to choose, takes a
  // hundred times as long
  if (id === 'cpu') {
    check('a result of few channels takes no longer than one of more', async () => {
      const x = Tensor.randn([1, 64, 56, 56], { device: id });
      const fastest = async (channels: number) => {
        const weight = Tensor.randn([channels, 64, 3, 3], { device: id });
        const times: number[] = [];
        for (let run = 0; run < 4; run++) {
          const start = performance.now();
          await ops.conv2d(x, weight, { padding: 1 }).data();
          times.push(performance.now() - start);
        }
        return Math.min(...times);
      };
      const ofMore = await fastest(16);
      for (const channels of [1, 3]) expect(await fastest(channels)).toBeLessThan(15 * ofMore + 5);
    });
  }

  describe('what is not finite', () => {
    check('NaN and infinity reach the windows that see them, and no other image', async () => {
      const x = map(random('x', [2, 16, 6, 6]), (element, i) =>
        i === 14 ? NaN : i === 35 ? Infinity : element,
      );
      const weight = random('weight', [16, 16, 3, 3]);
      const y = await download(
        ops.conv2d(upload(x, 'float32', id), upload(weight, 'float32', id), { padding: 1 }),
      );
      const expected = conv2d(x, weight, { padding: 1 });
      const second = (v: Values) => values([1, 16, 6, 6], v.data.subarray(16 * 36));
      expect([...y.data.keys()].filter((i) => !Number.isFinite(y.data[i]!))).toEqual(
        [...expected.data.keys()].filter((i) => !Number.isFinite(expected.data[i]!)),
      );
      expectClose(second(y), second(expected), perOp.float32);
    });

    check('overflow is infinity', async () => {
      const x = values([1, 2, 1, 2], [3e38, 1, 3e38, 1]);
      const y = ops.conv2d(upload(x, 'float32', id), Tensor.from([1, 1], [1, 2, 1, 1], { device: id }));
      expectExact(await download(y), values([1, 1, 1, 2], [Infinity, 2]));
    });

    // oneDNN's gemm, which is taken for one channel, had NaN and 0
    check('ReLU of minus infinity is 0, and sigmoid of NaN is NaN', async () => {
      for (const channels of [1, 16]) {
        const x = map(random('x', [1, channels, 3, 3]), (element, i) =>
          i === 0 ? -Infinity : i === 4 ? NaN : element,
        );
        const weight = values([1, channels, 1, 1], Array(channels).fill(1));
        const [xd, wd] = [upload(x, 'float32', id), upload(weight, 'float32', id)];
        const relu = await download(ops.conv2d(xd, wd, { activation: 'relu' }));
        expect(relu.data[0]).toBe(0);
        const sigmoid = await download(ops.conv2d(xd, wd, { activation: 'sigmoid' }));
        expect(sigmoid.data[0]).toBe(0);
        expect([...sigmoid.data.keys()].filter((i) => Number.isNaN(sigmoid.data[i]!))).toEqual([4]);
      }
    });

    check('a large value that float16 cannot hold is infinity', async () => {
      const x = values([1, 2, 1, 2], [60000, 1, 60000, 1]);
      const y = ops.conv2d(upload(x, 'float16', id), upload(values([1, 2, 1, 1], [1, 1]), 'float16', id));
      expectExact(await download(y), values([1, 1, 1, 2], [Infinity, 2]));
    });
  });

  describe('what bad input gets', () => {
    const x = () => Tensor.zeros([2, 4, 5, 5], { device: id });
    const weight = () => Tensor.zeros([6, 4, 3, 3], { device: id });

    check('shapes that do not fit', () => {
      const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), zeros(6, 3, 3, 3)), /channels/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(zeros(4, 5, 5), weight()), /\[4, 5, 5\]/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), zeros(6, 4, 9)));
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), zeros(6, 4, 7, 3)), /kernel/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), weight(), { dilation: 3 }), /kernel/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), zeros(5, 2, 3, 3), { groups: 2 }), /groups/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), weight(), { groups: 2 }));
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), weight(), { bias: zeros(5) }), /bias/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), weight(), { bias: zeros(1, 6) }), /bias/);
      expectThrows('ERR_SHAPE', () => ops.conv2d(x(), weight(), { add: zeros(2, 6, 5, 5) }), /add/);
    });

    check('dtypes that do not fit', () => {
      const as = (dtype: 'bfloat16' | 'uint8', ...shape: number[]) =>
        Tensor.zeros(shape, { dtype, device: id });
      expectThrows('ERR_DTYPE', () => ops.conv2d(x(), as('bfloat16', 6, 4, 3, 3)), /weight/);
      expectThrows('ERR_DTYPE', () => ops.conv2d(as('uint8', 2, 4, 5, 5), as('uint8', 6, 4, 3, 3)));
      expectThrows('ERR_DTYPE', () => ops.conv2d(x(), weight(), { bias: as('bfloat16', 6) }), /bias/);
      expectThrows('ERR_DTYPE', () => ops.conv2d(x(), weight(), { add: as('bfloat16', 2, 6, 3, 3) }), /add/);
    });

    for (const option of ['stride', 'padding', 'dilation', 'groups'] as const) {
      const wrong: unknown[] = [-1, NaN, 1.5, Infinity, '1', [1], [1, 2, 3], [1, NaN], 2 ** 40];
      check(`${option} of ${wrong.map((value) => JSON.stringify(value)).join(', ')}`, () => {
        for (const value of option === 'padding' ? wrong : [...wrong, 0]) {
          expectThrows(
            'ERR_ARGUMENT',
            () => ops.conv2d(x(), weight(), { [option]: value }),
            new RegExp(option),
          );
        }
      });
    }

    check('misspelt options and activations', () => {
      expectThrows(
        'ERR_ARGUMENT',
        () => ops.conv2d(x(), weight(), { strides: 2 } as object),
        /strides.*'stride'/,
      );
      const activation = 'rleu' as 'relu';
      expectThrows('ERR_ARGUMENT', () => ops.conv2d(x(), weight(), { activation }), /'relu'.*rleu/);
    });

    check('what is no tensor', () => {
      for (const wrong of [undefined, null, 1, [1], new Float32Array(4), {}]) {
        expectThrows('ERR_ARGUMENT', () => ops.conv2d(wrong as unknown as Tensor, weight()), /x/);
        expectThrows('ERR_ARGUMENT', () => ops.conv2d(x(), wrong as unknown as Tensor), /weight/);
      }
      expectThrows(
        'ERR_ARGUMENT',
        () => ops.conv2d(x(), weight(), { bias: [1] as unknown as Tensor }),
        /bias/,
      );
    });
  });
});
