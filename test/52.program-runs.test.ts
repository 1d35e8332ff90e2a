import { expect } from 'vitest';
import { device, nn, ops, type Tensor } from '../lib/index.js';
import { digestOf } from './support/digest.js';
import { random } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { upload } from './support/tensors.js';

onEveryDevice('device.record', (id) => {
  const x = (shape: number[], key = 'x') => upload(random(key, shape), 'float32', id);

  check('runs what was recorded on other inputs; earlier results stay as they are', async () => {
    const shape = [2, 3];
    using program = device(id).record(
      (a, b) => ops.add(a!, b!, { activation: 'relu' }),
      [{ shape }, { shape }],
    );
    shape[0] = 7; // the caller's own array
    expect(program.inputs.map((input) => input.shape)).toEqual([
      [2, 3],
      [2, 3],
    ]);
    const first = program.run(x([2, 3], 'a'), x([2, 3], 'b'));
    const copy = await digestOf(first);
    const second = program.run(x([2, 3], 'c'), x([2, 3], 'd'));
    expect(await digestOf(second)).toEqual(
      await digestOf(ops.add(x([2, 3], 'c'), x([2, 3], 'd'), { activation: 'relu' })),
    );
    expect(await digestOf(first)).toEqual(copy);
    expect(copy).toEqual(await digestOf(ops.add(x([2, 3], 'a'), x([2, 3], 'b'), { activation: 'relu' })));
  });

  check('reads the weights of a linear layer at each run, deterministic or not', async () => {
    for (const deterministic of [false, true]) {
      const net = new nn.Linear(4, 3, { device: id, deterministic });
      const input = x([2, 4]);
      using program = device(id).record((a) => net.forward(a!), [input]);
      net.loadStateDict({ weight: x([3, 4], 'weight'), bias: x([3], 'bias') });
      expect(await digestOf(program.run(input))).toEqual(await digestOf(net.forward(input)));
      net.dispose();
    }
  });

  check('gives several results, its inputs and what it never computed among them', async () => {
    const constant = x([3], 'constant');
    using program = device(id).record(
      (a) => [ops.activation(a!, 'relu'), a!, constant] as const,
      [{ shape: [3] }],
    );
    const input = x([3]);
    const [relu, same, fixed] = program.run(input);
    expect(await digestOf(relu)).toEqual(await digestOf(ops.activation(input, 'relu')));
    expect(await digestOf(same)).toEqual(await digestOf(input));
    expect(await digestOf(fixed)).toEqual(await digestOf(constant));
  });

  check('reads its constants as they are at each run, whatever became of their handles', async () => {
    const weight = x([4, 5], 'weight');
    const linear = new nn.Linear(5, 4, { device: id, bias: false });
    linear.loadStateDict({ weight });
    const input = x([3, 5]);
    using program = device(id).record((a) => linear.forward(a!), [input]);
    expect(await digestOf(program.run(input))).toEqual(await digestOf(ops.linear(input, weight)));
    const other = x([4, 5], 'other');
    linear.loadStateDict({ weight: other });
    expect(await digestOf(program.run(input))).toEqual(await digestOf(ops.linear(input, other)));
    linear.dispose();
    expect(await digestOf(program.run(input))).toEqual(await digestOf(ops.linear(input, other)));
  });

  check('a constant that is disposed of while it is recorded, once all else has read it', async () => {
    const [a, weight, input] = [x([1, 16, 9, 7]), x([16, 16, 3, 3], 'weight'), x([1, 16, 9, 7], 'input')];
    const expected = await digestOf(ops.add(input, ops.conv2d(a, weight, { padding: 1 })));
    using program = device(id).record(
      (z) => {
        const constant = ops.conv2d(a, weight, { padding: 1 }); // computed now: it is of no input
        const reader = ops.conv2d(a, weight, { padding: 1, add: constant }); // which may write over it
        const sum = ops.add(z!, constant);
        constant.dispose();
        reader.dataSync();
        return sum;
      },
      [input],
    );
    expect(await digestOf(program.run(input))).toEqual(expected);
  });

  check('weights that are inputs, or computed, are those of each run', async () => {
    const shapes = [[2, 16, 14, 13], [32, 16, 3, 3], [32], [20, 32]];
    const compute = (algorithm: 'direct' | 'fast') => (a: Tensor, w: Tensor, b: Tensor, v: Tensor) => {
      const folded = ops.activation(w, 'tanh');
      const y = ops.conv2d(ops.conv2d(a, w, { bias: b, algorithm }), ops.conv2d(folded, folded1x1), {
        algorithm,
      });
      return ops.linear(ops.globalAvgPool(y).flatten(), ops.activation(v, 'relu'));
    };
    const folded1x1 = x([32, 16, 1, 1], 'channels'); // to as many channels as the first convolution gives
    for (const algorithm of ['direct', 'fast'] as const) {
      using program = device(id).record(
        (a, w, b, v) => compute(algorithm)(a!, w!, b!, v!),
        shapes.map((shape) => ({ shape })),
      );
      for (const run of ['first', 'second', 'third']) {
        const given = shapes.map((shape, i) => x(shape, `${run} ${i}`));
        const [a, w, b, v] = given as [Tensor, Tensor, Tensor, Tensor];
        const expected = await digestOf(compute(algorithm)(a, w, b, v));
        expect(await digestOf(program.run(a, w, b, v)), `${algorithm}, ${run}`).toBe(expected);
      }
    }
  });

  check('runs that are asked for at once queue, each with its own results', async () => {
    const conv = new nn.Conv2d(3, 16, 3, { padding: 1, device: id });
    using program = device(id).record((a) => conv.forward(a!), [{ shape: [1, 3, 9, 7] }]);
    const inputs = Array.from({ length: 20 }, (_, i) => x([1, 3, 9, 7], `x${i}`));
    const results = inputs.map((input) => program.run(input));
    for (const [i, result] of results.entries()) {
      expect(await digestOf(result)).toEqual(await digestOf(conv.forward(inputs[i]!)));
    }
    conv.dispose();
  });

  check('keeps a residual that is read again', async () => {
    const weight = x([16, 16, 1, 1], 'weight');
    using program = device(id).record(
      (a) => {
        const y = ops.activation(a!, 'relu');
        const sum = ops.conv2d(y, weight, { add: y }); // reads y in both places
        return ops.add(sum, y);
      },
      [{ shape: [2, 16, 5, 3] }],
    );
    const input = x([2, 16, 5, 3]);
    const y = ops.activation(input, 'relu');
    const expected = await digestOf(ops.add(ops.conv2d(y, weight, { add: y }), y));
    expect(await digestOf(program.run(input))).toEqual(expected);
    expect(await digestOf(program.run(input))).toEqual(expected);
  });
});
