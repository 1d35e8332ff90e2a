import fc from 'fast-check';
import { expect } from 'vitest';
import { ops, scope } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { random, randomIntegers } from './support/random.js';
import * as reference from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { type FloatDType, rounded, type Values } from './support/values.js';

/** Cases of each operation; FUZZ_RUNS makes it thorough. */
const runs = Number(process.env.FUZZ_RUNS ?? 60);

/** Most take a few milliseconds a case; on a GPU a plan is compiled for each. */
const timeout = 180_000 + 100 * runs;

const channels = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(32, 33, 48, 64));
const extent = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 14 }) },
  { weight: 1, arbitrary: fc.constantFrom(17, 26, 34) },
);
const dtype = fc.constantFrom(...floatDTypes);
const activation = fc.option(fc.constantFrom('relu', 'relu6', 'sigmoid', 'tanh', 'gelu', 'swish' as const), {
  nil: undefined,
});
const batch = fc.integer({ min: 1, max: 3 });
const seed = fc.integer({ min: 0, max: 2 ** 30 });

/** One side of a window: whatever is asked for is made to fit the padded extent. */
const side = fc.record({
  extent,
  kernel: fc.integer({ min: 1, max: 6 }),
  stride: fc.integer({ min: 1, max: 4 }),
  padding: fc.integer({ min: 0, max: 4 }),
  dilation: fc.integer({ min: 1, max: 3 }),
});

type Side = typeof side extends fc.Arbitrary<infer T> ? T : never;

function fitting({ extent, kernel, stride, padding, dilation }: Side): Side {
  const most = Math.floor((extent + 2 * padding - 1) / dilation) + 1;
  return { extent, kernel: Math.min(kernel, most), stride, padding, dilation };
}

const pairOf = (sides: readonly [Side, Side], name: keyof Side): [number, number] => [
  sides[0][name],
  sides[1][name],
];

/** Small whole numbers: their sums of products are exact in float32, in any order. */
const whole = (key: string, shape: number[]) => randomIntegers(key, shape, -3, 3);

/**
 * In float32 nothing may differ where the numbers are whole; in 16 bits what is rounded on the way may. An activation of a
 * large negative number is a small one, such as gelu(-4), left over where larger ones cancel: its error is measured by
 * what it was computed from, `before`.
 */
function expectRight(
  out: Values,
  expected: Values,
  type: FloatDType,
  exact: boolean,
  what: string,
  before: Values,
): void {
  if (exact && type === 'float32') {
    expectExact(out, expected, what);
    return;
  }
  const grown = Math.max(1, norm(before) / norm(expected));
  expectClose(out, rounded(expected, type), perOp[type] * (Number.isFinite(grown) ? grown : 1), what);
}

const norm = ({ data }: Values) => Math.sqrt(data.reduce((sum, element) => sum + element ** 2, 0));

const exactActivations: unknown[] = [undefined, 'relu', 'relu6'];

onEveryDevice('random', (id) => {
  /** Runs a property so often; the tensors of a case are disposed of at its end. */
  function property<T>(name: string, cases: fc.Arbitrary<T>, body: (one: T) => Promise<void>): void {
    const run = fc.asyncProperty(cases, (one) => scope(() => body(one)));
    check(name, () => fc.assert(run, { numRuns: runs }), { timeout });
  }

  property(
    'convolutions',
    fc.record({
      batch,
      inputs: channels,
      outputs: channels,
      groups: fc.integer({ min: 1, max: 8 }),
      sides: fc.tuple(side, side),
      bias: fc.boolean(),
      add: fc.boolean(),
      activation,
      algorithm: fc.constantFrom('direct', 'fast'),
      dtype,
      seed,
    }),
    async (one) => {
      const sides = [fitting(one.sides[0]), fitting(one.sides[1])] as const;
      const { groups } = one;
      // as many channels in a group as there are in all, but not too much work for the loop
      const perGroup = Math.max(1, Math.floor(one.inputs / groups));
      const outputs = groups * Math.max(1, Math.floor(one.outputs / groups));
      const geometry = {
        stride: pairOf(sides, 'stride'),
        padding: pairOf(sides, 'padding'),
        dilation: pairOf(sides, 'dilation'),
        groups,
      };
      const key = `conv ${one.seed}`;
      const x = whole(`${key} x`, [one.batch, perGroup * groups, ...pairOf(sides, 'extent')]);
      const weight = whole(`${key} w`, [outputs, perGroup, ...pairOf(sides, 'kernel')]);
      const plain = reference.conv2d(x, weight, geometry);
      const bias = one.bias ? whole(`${key} b`, [outputs]) : undefined;
      const add = one.add ? whole(`${key} a`, [...plain.shape]) : undefined;
      const linear = { ...geometry, ...(bias && { bias }), ...(add && { add }) };
      const expected = reference.conv2d(x, weight, {
        ...linear,
        ...(one.activation && { activation: one.activation }),
      });
      const y = ops.conv2d(upload(x, one.dtype, id), upload(weight, one.dtype, id), {
        ...geometry,
        activation: one.activation,
        algorithm: one.algorithm,
        bias: bias && upload(bias, one.dtype, id),
        add: add && upload(add, one.dtype, id),
      });
      expectRight(
        await download(y),
        expected,
        one.dtype,
        one.algorithm === 'direct' && exactActivations.includes(one.activation),
        'conv2d',
        reference.conv2d(x, weight, linear),
      );
    },
  );

  property(
    'pooling',
    fc.record({
      batch,
      channels,
      sides: fc.tuple(side, side),
      kind: fc.constantFrom('max', 'avg'),
      countIncludePad: fc.boolean(),
      dtype,
      seed,
    }),
    async (one) => {
      const sides = one.sides.map((given) => {
        const kernel = Math.min(given.kernel, given.extent + 2 * Math.floor(given.kernel / 2));
        return { ...given, kernel, padding: Math.min(given.padding, Math.floor(kernel / 2)) };
      }) as [Side, Side];
      // a window that is larger than the padded extent after all is another test's
      if (sides.some(({ extent, kernel, padding }) => kernel > extent + 2 * padding)) return;
      const x = whole(`pool ${one.seed}`, [one.batch, one.channels, ...pairOf(sides, 'extent')]);
      const window = {
        kernelSize: pairOf(sides, 'kernel'),
        stride: pairOf(sides, 'stride'),
        padding: pairOf(sides, 'padding'),
      };
      const device = upload(x, one.dtype, id);
      if (one.kind === 'max') {
        expectExact(
          await download(ops.maxPool2d(device, window)),
          reference.maxPool2d(x, window),
          'maxPool2d',
        );
      } else {
        const options = { ...window, countIncludePad: one.countIncludePad };
        const y = await download(ops.avgPool2d(device, options));
        expectClose(y, reference.avgPool2d(x, options), perOp[one.dtype], 'avgPool2d');
      }
      const mean = await download(ops.globalAvgPool(device));
      expectClose(mean, reference.globalAvgPool(x), perOp[one.dtype], 'globalAvgPool');
    },
  );

  property(
    'linear layers, additions, softmax and top-k',
    fc.record({
      batch: fc.integer({ min: 1, max: 9 }),
      inputs: fc.integer({ min: 1, max: 300 }),
      outputs: channels,
      activation,
      dtype,
      seed,
    }),
    async (one) => {
      const key = `linear ${one.seed}`;
      const x = whole(`${key} x`, [one.batch, one.inputs]);
      const weight = whole(`${key} w`, [one.outputs, one.inputs]);
      const bias = whole(`${key} b`, [one.outputs]);
      const exact = exactActivations.includes(one.activation);
      const named = one.activation ? { activation: one.activation } : {};
      const [xd, wd, bd] = [
        upload(x, one.dtype, id),
        upload(weight, one.dtype, id),
        upload(bias, one.dtype, id),
      ];
      const y = ops.linear(xd, wd, { bias: bd, ...named });
      expectRight(
        await download(y),
        reference.linear(x, weight, { bias, ...named }),
        one.dtype,
        exact,
        'linear',
        reference.linear(x, weight, { bias }),
      );
      const sum = await download(ops.add(xd, xd, named));
      expectRight(sum, reference.add(x, x, named), one.dtype, exact, 'add', reference.add(x, x, {}));

      const scores = rounded(random(`${key} s`, [one.batch, one.outputs], { scale: 9 }), one.dtype);
      const device = upload(scores, one.dtype, id);
      expectClose(
        await download(ops.softmax(device)),
        reference.softmax(scores),
        perOp[one.dtype],
        'softmax',
      );
      const k = 1 + (one.seed % one.outputs);
      expect(await device.topK(k)).toEqual(reference.topK(scores, k));
    },
  );

  property(
    'batch norms',
    fc.record({
      batch,
      channels,
      height: extent,
      width: extent,
      affine: fc.boolean(),
      activation,
      eps: fc.constantFrom(1e-5, 1e-3, 0.1),
      momentum: fc.constantFrom(0, 0.1, 0.5, 1),
      dtype,
      seed,
    }),
    async (one) => {
      const key = `norm ${one.seed}`;
      const x = rounded(
        random(`${key} x`, [one.batch, one.channels, one.height, one.width], { scale: 3, center: 1 }),
        one.dtype,
      );
      const of = (name: string, center: number) =>
        rounded(random(`${key} ${name}`, [one.channels], { scale: 0.9, center }), 'float32');
      const statistics = { mean: of('mean', 1), variance: of('variance', 2) };
      const affine = one.affine ? { weight: of('weight', 1), bias: of('bias', 0) } : {};
      const onDevice = (tensors: Record<string, Values>) =>
        Object.fromEntries(
          Object.entries(tensors).map(([name, value]) => [name, upload(value, 'float32', id)]),
        );
      const xd = upload(x, one.dtype, id);
      const { eps, momentum } = one;
      const named = one.activation ? { activation: one.activation } : {};
      const y = ops.batchNorm(xd, {
        ...(onDevice({ ...statistics, ...affine }) as never as ops.BatchNormOptions),
        eps,
        ...named,
      });
      expectClose(
        await download(y),
        reference.batchNorm(x, { ...statistics, ...affine, eps, ...named }),
        perOp[one.dtype],
        'batchNorm',
      );

      if (one.batch * one.height * one.width < 4) return; // the variance of so few values is mostly rounding
      const running = { runningMean: statistics.mean, runningVariance: statistics.variance };
      const runningOnDevice = onDevice(running);
      const trained = ops.batchNormTraining(xd, {
        ...(runningOnDevice as never as ops.BatchNormTrainingOptions),
        ...onDevice(affine),
        eps,
        momentum,
      });
      const expected = reference.batchNormTraining(x, { ...running, ...affine, eps, momentum });
      expectClose(await download(trained), expected.y, Math.max(perOp[one.dtype], 1e-4), 'batchNormTraining');
      for (const name of ['runningMean', 'runningVariance'] as const) {
        expectClose(await download(runningOnDevice[name]!), expected[name], 1e-5, name);
      }
    },
  );

  property(
    'activations and image normalisation',
    fc.record({
      batch,
      height: extent,
      width: extent,
      kind: fc.constantFrom('relu', 'relu6', 'sigmoid', 'tanh', 'gelu', 'swish' as const),
      scale: fc.constantFrom(0.01, 1, 8),
      dtype,
      seed,
    }),
    async (one) => {
      const key = `activation ${one.seed}`;
      const x = rounded(random(key, [one.batch, 3, one.height, one.width], { scale: one.scale }), one.dtype);
      const y = await download(ops.activation(upload(x, one.dtype, id), one.kind));
      expectRight(
        y,
        reference.activation(x, one.kind),
        one.dtype,
        exactActivations.includes(one.kind),
        one.kind,
        x,
      );

      const pixels = randomIntegers(`${key} pixels`, [one.batch, one.height, one.width, 3], 0, 255);
      const scaling = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
      const images = ops.normalizeImage(upload(pixels, 'uint8', id), {
        ...(scaling as never as { mean: [number, number, number]; std: [number, number, number] }),
        dtype: one.dtype,
      });
      expectClose(
        await download(images),
        reference.normalizeImage(pixels, scaling),
        perOp[one.dtype],
        'normalizeImage',
      );
    },
  );
});
