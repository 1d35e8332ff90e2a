import fc from 'fast-check';
import { device, nn, ops, scope, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { randomIntegers } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import type { Values } from './support/values.js';

/** Tensors that are used several times; FUZZ_RUNS makes it thorough. */
const runs = Number(process.env.FUZZ_RUNS ?? 60);

/** Something that a tensor is used for, beside others of the given shapes. */
interface Use {
  others: number[][];
  of(x: Tensor, others: Tensor[]): Tensor;
}

class Holder extends nn.Module {
  constructor(readonly tensor: Tensor) {
    super();
  }
  override forward(): Tensor {
    return this.tensor;
  }
}

const divisors = (n: number) => [1, 2, 3, 4, 8, 16, 17, 32].filter((d) => n % d === 0);

/** By name; `groups` and `relu` are what operations take that have them. */
function usesOf(shape: readonly number[], groups: number, relu: boolean): Record<string, Use> {
  const options = relu ? ({ activation: 'relu' } as const) : {};
  const always: Record<string, Use> = {
    activation: { others: [], of: (x) => ops.activation(x, 'relu') },
    addition: { others: [[...shape]], of: (x, [y]) => ops.add(x, y!, options) },
    'addition to itself': { others: [], of: (x) => ops.add(x, x, options) },
    ...Object.fromEntries(
      floatDTypes.map((dtype): [string, Use] => [`as ${dtype}`, { others: [], of: (x) => x.to({ dtype }) }]),
    ),
  };
  if (shape.length === 2) {
    const [rows, columns] = shape as [number, number];
    const deterministic = groups > 1;
    return {
      ...always,
      'x of a linear layer': {
        others: [[7, columns], [7]],
        of: (x, [weight, bias]) => ops.linear(x, weight!, { bias, deterministic, ...options }),
      },
      'weight of a linear layer': {
        others: [[3, columns]],
        of: (weight, [x]) => ops.linear(x!, weight, { deterministic, ...options }),
      },
      softmax: { others: [], of: (x) => ops.softmax(x) },
      'another shape': { others: [], of: (x) => x.reshape([rows, columns, 1, 1]) },
    };
  }
  const [n, channels, height, width] = shape as [number, number, number, number];
  const least = (divisors: number[]) => divisors[groups % divisors.length]!;
  const [ofChannels, ofImages] = [least(divisors(channels)), least(divisors(n))];
  return {
    ...always,
    'x of a convolution': {
      others: [[2 * ofChannels, channels / ofChannels, 1, 1]],
      of: (x, [weight]) => ops.conv2d(x, weight!, { groups: ofChannels, ...options }),
    },
    'weight of a convolution': {
      others: [[2, channels * ofImages, height + 2, width + 1]],
      of: (weight, [x]) => ops.conv2d(x!, weight, { groups: ofImages, padding: 1, ...options }),
    },
    'what a convolution adds': {
      others: [
        [n, 16, height, width],
        [channels, 16, 1, 1],
      ],
      of: (add, [x, weight]) => ops.conv2d(x!, weight!, { add, ...options }),
    },
    'x of a convolution, and what it adds': {
      others: [[channels, channels, 1, 1]],
      of: (x, [weight]) => ops.conv2d(x, weight!, { add: x, ...options }),
    },
    pooling: { others: [], of: (x) => ops.maxPool2d(x, { kernelSize: 1, stride: 2 }) },
    'the mean of each channel': { others: [], of: (x) => ops.globalAvgPool(x) },
    'another shape': { others: [], of: (x) => x.reshape([width, height * n, channels]) },
  };
}

const image = fc.tuple(
  fc.constantFrom(1, 2, 3, 8, 16, 17, 32),
  fc.constantFrom(1, 2, 3, 4, 8, 16, 17, 32),
  fc.constantFrom(1, 3, 5),
  fc.constantFrom(1, 3, 7),
);
const rows = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.constantFrom(1, 3, 16, 33, 64));

const step = fc.record({
  use: fc.nat(),
  groups: fc.nat(6),
  relu: fc.boolean(),
  how: fc.constantFrom('at once', 'as a constant of a program', 'as an input of a program'),
  assigned: fc.boolean(),
});

onEveryDevice('whatever a tensor was used for before', (id) => {
  const cases = fc.record({
    shape: fc.oneof(image, rows),
    dtype: fc.constantFrom(...floatDTypes),
    steps: fc.array(step, { minLength: 2, maxLength: 6 }),
    seed: fc.nat(),
  });

  check(
    'operations give what they give of a fresh one, and leave it as it was',
    () =>
      fc.assert(
        fc.asyncProperty(cases, ({ shape, dtype, steps, seed }) =>
          scope(async () => {
            const on = (values: Values) => upload(values, dtype, id);
            let values = randomIntegers(`uses ${seed}`, shape, -3, 3);
            const tensor = on(values);
            const holder = new Holder(tensor);
            for (const [i, { use, groups, relu, how, assigned }] of steps.entries()) {
              const uses = Object.entries(usesOf(shape, groups, relu));
              const [name, { others: shapes, of }] = uses[use % uses.length]!;
              const others = shapes.map((each, k) => randomIntegers(`uses ${seed} ${i} ${k}`, each, -3, 3));
              const given = others.map(on);
              let y: Tensor;
              if (how === 'at once') {
                y = of(tensor, given);
              } else {
                const inputs = how === 'as an input of a program' ? [tensor, ...given] : given;
                // a program has an input
                const all = inputs.length > 0 ? inputs : [Tensor.zeros([1], { device: id })];
                using program = device(id).record(
                  (...its) => (inputs.length > given.length ? of(its[0]!, its.slice(1)) : of(tensor, its)),
                  all,
                );
                program.run(...all);
                y = program.run(...all);
              }
              const expected = await download(of(on(values), others.map(on)));
              const exact = dtype === 'float32' && name !== 'softmax';
              expectClose(await download(y), expected, exact ? 0 : perOp[dtype], `${name} ${how}`);
              expectExact(await download(tensor), values, `the tensor after ${name} ${how}`);
              if (assigned) {
                values = randomIntegers(`uses ${seed} ${i}`, shape, -3, 3);
                holder.loadStateDict({ tensor: on(values) });
              }
            }
            holder.dispose();
          }),
        ),
        { numRuns: runs },
      ),
    { timeout: 180_000 + 500 * runs },
  );
});
