import fc from 'fast-check';
import { expect } from 'vitest';
import { ops, scope, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { random, seed } from './support/random.js';
import { avgPool2d, conv2d, maxPool2d } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, upload } from './support/tensors.js';
import { rounded, type Values } from './support/values.js';

const parameters = { numRuns: 60, seed: Number(seed) % 2 ** 31 };

const upTo = (most: number) => fc.integer({ min: 1, max: most });
const pairOf = (arbitrary: fc.Arbitrary<number>) => fc.tuple(arbitrary, arbitrary);

const convolutions = fc.record({
  batch: upTo(3),
  groups: upTo(3),
  inputsPerGroup: upTo(9),
  outputsPerGroup: upTo(9),
  size: pairOf(upTo(12)),
  kernel: pairOf(upTo(4)),
  stride: pairOf(upTo(3)),
  padding: pairOf(fc.integer({ min: 0, max: 4 })),
  dilation: pairOf(upTo(3)),
  fused: fc.boolean(),
});

const poolings = fc.record({
  batch: upTo(3),
  channels: upTo(20),
  size: pairOf(upTo(12)),
  kernel: pairOf(upTo(4)),
  stride: pairOf(upTo(3)),
  halfPadding: fc.boolean(),
});

/** ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, PyTorch's formula */
function outputExtent(size: number, kernel: number, stride: number, padding: number, dilation = 1): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

onEveryDevice('for any shapes', (id) => {
  // All positive: an output of a single element has nothing but its own size to be compared with.
  const drawn = (key: string, shape: number[]) => rounded(random(key, shape, { center: 1 }), 'float32');
  const up = (x: Values) => upload(x, 'float32', id);

  check(
    'conv2d has the shape of the formula, the reference’s values, and leaves its inputs alone',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          convolutions,
          async ({ batch, groups, size, kernel, stride, padding, dilation, ...c }) => {
            const [outputs, inputs] = [groups * c.outputsPerGroup, groups * c.inputsPerGroup];
            const extents = [0, 1].map((i) =>
              outputExtent(size[i]!, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!),
            );
            const x = drawn('x', [batch, inputs, ...size]);
            const weight = drawn('weight', [outputs, c.inputsPerGroup, ...kernel]);
            const geometry = { stride, padding, dilation, groups };
            await scope(async () => {
              const [xd, wd] = [up(x), up(weight)];
              if (extents.some((extent) => extent < 1)) {
                expectThrows('ERR_SHAPE', () => ops.conv2d(xd, wd, geometry));
                return;
              }
              const shape = [batch, outputs, ...extents];
              const [bias, add] = [drawn('bias', [outputs]), drawn('add', shape)];
              const y = c.fused
                ? ops.conv2d(xd, wd, { ...geometry, bias: up(bias), add: up(add), activation: 'relu' })
                : ops.conv2d(xd, wd, geometry);
              expect(y.shape).toEqual(shape);
              const expected = conv2d(
                x,
                weight,
                c.fused ? { ...geometry, bias, add, activation: 'relu' } : geometry,
              );
              expectClose(await download(y), expected, perOp.float32);
              expectExact(await download(xd), x, 'x afterwards');
              expectExact(await download(wd), weight, 'weight afterwards');
            });
          },
        ),
        parameters,
      );
    },
  );

  check(
    'pooling has the shape of the formula, the reference’s values, and leaves its input alone',
    async () => {
      await fc.assert(
        fc.asyncProperty(poolings, async ({ batch, channels, size, kernel, stride, halfPadding }) => {
          const padding = kernel.map((k) => (halfPadding ? Math.floor(k / 2) : 0)) as [number, number];
          const extents = [0, 1].map((i) => outputExtent(size[i]!, kernel[i]!, stride[i]!, padding[i]!));
          const x = drawn('x', [batch, channels, ...size]);
          const options = { kernelSize: kernel, stride, padding };
          await scope(async () => {
            const xd = up(x);
            if (extents.some((extent) => extent < 1)) {
              expectThrows('ERR_SHAPE', () => ops.maxPool2d(xd, options));
              return;
            }
            const most = ops.maxPool2d(xd, options);
            expect(most.shape).toEqual([batch, channels, ...extents]);
            expectExact(await download(most), maxPool2d(x, options));
            for (const countIncludePad of [true, false]) {
              const y = ops.avgPool2d(xd, { ...options, countIncludePad });
              expect(y.shape).toEqual(most.shape);
              expectClose(await download(y), avgPool2d(x, { ...options, countIncludePad }), perOp.float32);
            }
            expectExact(await download(xd), x, 'x afterwards');
          });
        }),
        parameters,
      );
    },
  );

  check('a tensor of any shape is as long as its shape says, and reshapes to any that is', async () => {
    const shapes = fc.array(upTo(5), { minLength: 0, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async (shape, cut) => {
        const size = shape.reduce((product, n) => product * n, 1);
        const first = [...Array(size + 1).keys()].filter((n) => n > 0 && size % n === 0)[cut % 2] ?? 1;
        await scope(async () => {
          const data = Float32Array.from({ length: size }, (_, i) => i);
          const x = Tensor.from(data, shape, { device: id });
          expect([x.size, x.bytes]).toEqual([size, 4 * size]);
          expect(await x.reshape([first, -1]).data()).toEqual(data);
        });
      }),
      parameters,
    );
  });
});
