import { createHash } from 'node:crypto';
import { describe, expect, onTestFinished, vi } from 'vitest';
import { BasicBlock, Bottleneck, device, nn, ops, ResNet, ResNet18, ResNet50, Tensor } from '../lib/index.js';
import { Program, runStepwise } from '../lib/program.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { inUse } from './support/memory.js';
import { random, seed } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { floatDTypes, upload } from './support/tensors.js';

/** A digest of the values: equal where they are equal bit for bit. */
const bytes = async (x: Tensor) =>
  createHash('sha256')
    .update(await x.data())
    .digest('hex');

/** What the network gives operation by operation: programs must give the same, bit for bit. */
const stepwise = (fn: () => Tensor) => runStepwise(fn);

onEveryDevice('device.record', (id) => {
  const x = (shape: number[], key = 'x') => upload(random(key, shape), 'float32', id);

  check('runs what was recorded on other inputs; earlier results stay as they are', async () => {
    using program = device(id).record(
      (a, b) => ops.add(a!, b!, { activation: 'relu' }),
      [{ shape: [2, 3] }, { shape: [2, 3] }],
    );
    const first = program.run(x([2, 3], 'a'), x([2, 3], 'b'));
    const copy = await bytes(first);
    const second = program.run(x([2, 3], 'c'), x([2, 3], 'd'));
    expect(await bytes(second)).toEqual(
      await bytes(ops.add(x([2, 3], 'c'), x([2, 3], 'd'), { activation: 'relu' })),
    );
    expect(await bytes(first)).toEqual(copy);
    expect(copy).toEqual(await bytes(ops.add(x([2, 3], 'a'), x([2, 3], 'b'), { activation: 'relu' })));
  });

  check('cannot return what another recording makes', async () => {
    const on = device(id);
    using outer = on.record(
      (a) => {
        const y = ops.add(a!, a!);
        expectThrows('ERR_ARGUMENT', () => on.record(() => y, [{ shape: [4] }]), /another recording/);
        return y;
      },
      [{ shape: [4] }],
    );
    using input = x([4]);
    expect(await bytes(outer.run(input))).toEqual(await bytes(ops.add(input, input)));
  });

  check('folds batch norms anew where what they were folded of has other values', async () => {
    const place = { device: id } as const;
    const net = new nn.Sequential(
      new nn.Conv2d(3, 4, 3, { ...place, bias: false }),
      new nn.BatchNorm2d(4, place),
      new nn.ReLU(),
      new nn.Conv2d(4, 2, 1, place),
    ).eval();
    const input = x([2, 3, 5, 5]);
    using program = device(id).record((a) => net.forward(a!), [input]);
    const run = async () => expect(await bytes(program.run(input))).toEqual(await bytes(net.forward(input)));
    await run();
    net.loadStateDict({ '0.weight': x([4, 3, 3, 3], 'weight'), '3.bias': x([2], 'bias') }, { strict: false });
    await run();
    net.loadStateDict({ '1.running_mean': x([4], 'mean') }, { strict: false });
    await run();
    net.train().forward(input); // moves the running statistics
    net.eval();
    await run();
    const last = await bytes(program.run(input));
    net.dispose();
    expect(await bytes(program.run(input))).toEqual(last);
  });

  check('follows what it was folded of where another recording was made within', async () => {
    const place = { device: id } as const;
    using net = new nn.Sequential(new nn.Conv2d(3, 4, 3, place), new nn.BatchNorm2d(4, place)).eval();
    const input = x([2, 3, 5, 5]);
    using program = device(id).record(
      (a) => {
        device(id)
          .record((b) => b!, [{ shape: [1] }])
          .dispose();
        return net.forward(a!);
      },
      [input],
    );
    net.loadStateDict({ '1.bias': x([4], 'bias') }, { strict: false });
    const now = await bytes(program.run(input)); // before anything else folds
    expect(now).toEqual(await bytes(net.forward(input)));
  });

  check('frees what its recording made, at the end of a using', async () => {
    const constant = x([4]);
    const before = await inUse(id);
    let ended: Program | undefined;
    {
      using program = device(id).record(
        (a) => ops.add(a!, ops.activation(constant, 'tanh')),
        [{ shape: [4] }],
      );
      program.run(constant).dispose();
      ended = program;
    }
    expectThrows('ERR_DISPOSED', () => ended!.run(constant));
    expect(await inUse(id)).toEqual(before);
  });

  check('folds each batch norm of a convolution that several share', async () => {
    const place = { device: id } as const;
    const conv = new nn.Conv2d(3, 4, 3, place);
    const norms = [new nn.BatchNorm2d(4, place), new nn.BatchNorm2d(4, place)] as const;
    const [a, b] = [new nn.Sequential(conv, norms[0]).eval(), new nn.Sequential(conv, norms[1]).eval()];
    const input = x([2, 3, 5, 5]);
    const fresh = (net: nn.Module) => {
      using copy = new nn.Sequential(new nn.Conv2d(3, 4, 3, place), new nn.BatchNorm2d(4, place)).eval();
      copy.loadStateDict(net.stateDict());
      return copy.forward(input);
    };
    using alone = device(id).record((y) => a.forward(y!), [input]);
    using both = device(id).record((y) => ops.add(a.forward(y!), b.forward(y!)), [input]);
    const followed = async (what: string) => {
      expect(await bytes(alone.run(input)), what).toEqual(await bytes(fresh(a)));
      expect(await bytes(both.run(input)), what).toEqual(await bytes(ops.add(fresh(a), fresh(b))));
    };
    await followed('as they were made');
    b.forward(input);
    for (const [i, norm] of norms.entries()) {
      norm.loadStateDict({ running_mean: x([4], `mean ${i}`), bias: x([4], `bias ${i}`) }, { strict: false });
      await followed(`another batch norm ${i}`);
    }
    conv.loadStateDict({ weight: x([4, 3, 3, 3], 'weight') }, { strict: false });
    await followed('another convolution');
    const last = await bytes(both.run(input));
    const { bias } = norms[0];
    norms[0].bias = new nn.Parameter(x([4], 'another bias'));
    expect(await bytes(a.forward(input))).toEqual(await bytes(fresh(a)));
    norms[1].dispose();
    expect(await bytes(both.run(input))).toEqual(last); // of what it was recorded of
    bias.dispose();
    a.dispose();
  });

  check('a convolution keeps nothing of batch norms that are gone', async () => {
    const conv = new nn.Conv2d(3, 4, 3, { device: id });
    const input = x([1, 3, 5, 5]);
    const run = () => {
      using norm = new nn.BatchNorm2d(4, { device: id });
      new nn.Sequential(conv, norm).eval().forward(input).dispose();
    };
    run();
    const before = await inUse(id);
    for (let i = 0; i < 5; i++) run();
    expect(await inUse(id)).toEqual(before);
    conv.dispose();
  });

  check('reads the weights of a linear layer at each run, deterministic or not', async () => {
    for (const deterministic of [false, true]) {
      const net = new nn.Linear(4, 3, { device: id, deterministic });
      const input = x([2, 4]);
      using program = device(id).record((a) => net.forward(a!), [input]);
      net.loadStateDict({ weight: x([3, 4], 'weight'), bias: x([3], 'bias') });
      expect(await bytes(program.run(input))).toEqual(await bytes(net.forward(input)));
      net.dispose();
    }
  });

  check('folds batch norms again where there was no memory for it', async () => {
    const place = { device: id } as const;
    const net = new nn.Sequential(
      new nn.Conv2d(64, 256, 3, { ...place, bias: false }),
      new nn.BatchNorm2d(256, place),
    ).eval();
    const input = x([1, 64, 5, 5]);
    using program = device(id).record((a) => net.forward(a!), [input]);
    net.loadStateDict({ '1.bias': x([256], 'bias') }, { strict: false });
    device(id).trim();
    await device(id).synchronize();
    device(id).setMemoryLimit(device(id).memory().bytes);
    await expectRejects('ERR_OUT_OF_MEMORY', net.forward(input).data());
    await expectRejects('ERR_OUT_OF_MEMORY', program.run(input).data());
    // the first time that this one is folded
    const norm = new nn.BatchNorm2d(256, place);
    norm.loadStateDict(net.children()[1]![1].stateDict());
    device(id).trim();
    await device(id).synchronize();
    device(id).setMemoryLimit(0);
    const other = new nn.Sequential(net.children()[0]![1], norm).eval();
    await expectRejects('ERR_OUT_OF_MEMORY', other.forward(input).data());
    device(id).setMemoryLimit(device(id).info.memory);
    expect(await bytes(program.run(input))).toEqual(await bytes(net.forward(input)));
    expect(await bytes(other.forward(input))).toEqual(await bytes(net.forward(input)));
    norm.dispose();
    net.dispose();
  });

  check('refuses what is no input', () => {
    expectThrows('ERR_ARGUMENT', () =>
      device(id).record((a) => a!, [{ shape: [1], dtyp: 'float16' } as unknown as { shape: number[] }]),
    );
  });

  check('gives several results, its inputs and what it never computed among them', async () => {
    const constant = x([3], 'constant');
    using program = device(id).record(
      (a) => [ops.activation(a!, 'relu'), a!, constant] as const,
      [{ shape: [3] }],
    );
    const input = x([3]);
    const [relu, same, fixed] = program.run(input);
    expect(await bytes(relu)).toEqual(await bytes(ops.activation(input, 'relu')));
    expect(await bytes(same)).toEqual(await bytes(input));
    expect(await bytes(fixed)).toEqual(await bytes(constant));
  });

  check('reads its constants as they are at each run, whatever became of their handles', async () => {
    const weight = x([4, 5], 'weight');
    const linear = new nn.Linear(5, 4, { device: id, bias: false });
    linear.loadStateDict({ weight });
    const input = x([3, 5]);
    using program = device(id).record((a) => linear.forward(a!), [input]);
    expect(await bytes(program.run(input))).toEqual(await bytes(ops.linear(input, weight)));
    const other = x([4, 5], 'other');
    linear.loadStateDict({ weight: other });
    expect(await bytes(program.run(input))).toEqual(await bytes(ops.linear(input, other)));
    linear.dispose();
    expect(await bytes(program.run(input))).toEqual(await bytes(ops.linear(input, other)));
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
        const expected = await bytes(compute(algorithm)(a, w, b, v));
        expect(await bytes(program.run(a, w, b, v)), `${algorithm}, ${run}`).toBe(expected);
      }
    }
  });

  check('runs that are asked for at once queue, each with its own results', async () => {
    const conv = new nn.Conv2d(3, 16, 3, { padding: 1, device: id });
    using program = device(id).record((a) => conv.forward(a!), [{ shape: [1, 3, 9, 7] }]);
    const inputs = Array.from({ length: 20 }, (_, i) => x([1, 3, 9, 7], `x${i}`));
    const results = inputs.map((input) => program.run(input));
    for (const [i, result] of results.entries()) {
      expect(await bytes(result)).toEqual(await bytes(conv.forward(inputs[i]!)));
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
    const expected = await bytes(ops.add(ops.conv2d(y, weight, { add: y }), y));
    expect(await bytes(program.run(input))).toEqual(expected);
    expect(await bytes(program.run(input))).toEqual(expected);
  });

  check('hands on the error of an input', async () => {
    using program = device(id).record((a) => ops.activation(a!, 'relu'), [{ shape: [5] }]);
    device(id).setMemoryLimit(0);
    const input = Tensor.zeros([5], { device: id });
    await expectRejects('ERR_OUT_OF_MEMORY', input.data());
    await expectRejects('ERR_OUT_OF_MEMORY', program.run(input).data());
    device(id).setMemoryLimit(device(id).info.memory);
    expect(await program.run(Tensor.zeros([5], { device: id })).data()).toEqual(new Float32Array(5));
  });

  check('says what cannot be recorded', () => {
    const spec = [{ shape: [2, 3, 4, 4] }];
    const record = (fn: (a: Tensor) => unknown) => () => device(id).record(fn as (a: Tensor) => Tensor, spec);
    const norm = new nn.BatchNorm2d(3, { device: id });
    expectThrows(
      'ERR_ARGUMENT',
      record((a) => norm.forward(a)),
      /in place.*cannot be recorded/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record((a) => a.dataSync()),
      /has no values yet/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record(() => 1),
      /must return a Tensor/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record(async (a) => a),
      /not as a promise/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record(() => []),
      /must return a Tensor/,
    );
    norm.dispose();
    let kept: Tensor | undefined;
    device(id)
      .record((a) => {
        kept = ops.activation(a!, 'relu');
        kept.dispose = () => undefined; // the scope cannot end it
        return a!;
      }, spec)
      .dispose();
    expectThrows('ERR_ARGUMENT', () => ops.activation(kept!, 'relu'), /after the recording had ended/);
    expectThrows('ERR_ARGUMENT', () => kept!.dataSync(), /has no values yet/);
  });

  check('reads of values reject while they are recorded', async () => {
    let reading: Promise<unknown> = Promise.resolve();
    device(id)
      .record(
        (a) => {
          reading = a!.data();
          return a!;
        },
        [{ shape: [1] }],
      )
      .dispose();
    await expectRejects('ERR_ARGUMENT', reading);
  });

  check('checks what it is run on', () => {
    const program = device(id).record((a) => ops.activation(a!, 'relu'), [{ shape: [2, 3] }]);
    expectThrows(
      'ERR_SHAPE',
      () => program.run(x([3, 2])),
      /inputs\[0\] must have shape \[2, 3\], got \[3, 2\]/,
    );
    expectThrows(
      'ERR_DTYPE',
      () => program.run(Tensor.zeros([2, 3], { device: id, dtype: 'bfloat16' })),
      /float32/,
    );
    expectThrows('ERR_ARGUMENT', () => program.run(), /takes 1 tensors, got 0/);
    expectThrows('ERR_ARGUMENT', () => program.run(1 as unknown as Tensor), /must be a Tensor/);
    const gone = x([2, 3]);
    gone.dispose();
    expectThrows('ERR_DISPOSED', () => program.run(gone));
    program.dispose();
    program.dispose();
    expectThrows('ERR_DISPOSED', () => program.run(x([2, 3])), /disposed/);
    for (const spec of [[{ shape: [0] }], [{ shape: [NaN] }], [{ shape: 3 as unknown as number[] }]]) {
      expectThrows('ERR_SHAPE', () => device(id).record((a) => a!, spec));
    }
    expectThrows('ERR_DTYPE', () => device(id).record((a) => a!, [{ shape: [1], dtype: 'int3' as 'int64' }]));
  });

  check('gives its memory back when it is disposed of, and to trim()', async () => {
    const before = await inUse(id);
    const conv = new nn.Conv2d(16, 64, 3, { padding: 1, device: id });
    const program = device(id).record(
      (a) => ops.activation(conv.forward(a!), 'relu'),
      [{ shape: [4, 16, 128, 128] }],
    );
    const input = x([4, 16, 128, 128]);
    const first = program.run(input);
    const expected = await bytes(first);
    first.dispose();
    device(id).trim();
    await device(id).synchronize();
    const idle = device(id).memory().reservedBytes;
    const again = program.run(input);
    expect(await bytes(again)).toEqual(expected);
    again.dispose();
    await device(id).synchronize();
    expect(device(id).memory().reservedBytes).toBeGreaterThan(idle + 4 * 16 * 128 * 128 * 4);
    program.dispose();
    device(id).trim();
    await device(id).synchronize();
    expect(device(id).memory().reservedBytes).toBeLessThanOrEqual(idle);
    conv.dispose();
    input.dispose();
    expect(await inUse(id)).toEqual(before);
  });

  check('makes room for others when memory is short', async () => {
    const program = device(id).record(
      (a) => ops.activation(ops.activation(a!, 'relu'), 'tanh'),
      [{ shape: [2 ** 20] }],
    );
    const input = x([2 ** 20]);
    const expected = await bytes(program.run(input));
    device(id).trim();
    program.run(input).dispose();
    await device(id).synchronize();
    // what is in use now, the program's 12 MiB too, and 6 MiB more
    device(id).setMemoryLimit(device(id).memory().reservedBytes + 6 * 2 ** 20);
    const large = Tensor.zeros([2 ** 21], { device: id });
    expect((await large.data()).length).toBe(2 ** 21);
    large.dispose();
    device(id).setMemoryLimit(device(id).info.memory);
    expect(await bytes(program.run(input))).toEqual(expected);
    program.dispose();
  });
});

onEveryDevice('a network’s own programs', (id) => {
  const images = (shape: number[], key = 'images') => upload(random(key, shape), 'float32', id);
  const small = () => new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 7, device: id });

  for (const dtype of floatDTypes) {
    describe(dtype, () => {
      check('give, at every run, what its operations give one by one', async () => {
        for (const Model of [ResNet18, ResNet50]) {
          using model = new Model({ device: id, dtype, numClasses: 11, seed: Number(seed) % 1000 });
          for (const shape of [
            [1, 3, 65, 50],
            [2, 3, 32, 97],
          ]) {
            const x = images(shape);
            for (const fn of ['forward', 'features', 'predict'] as const) {
              const expected = await bytes(stepwise(() => model[fn](x)));
              expect(await bytes(model[fn](x))).toEqual(expected);
              expect(await bytes(model[fn](x))).toEqual(expected);
            }
          }
        }
      });
    });
  }

  check('take pixels', async () => {
    using model = small();
    const pixels = Tensor.from(
      new Uint8Array(2 * 40 * 50 * 3).map((_, i) => (i * 7919) % 256),
      [2, 40, 50, 3],
      {
        device: id,
      },
    );
    expect(await bytes(model.forward(pixels))).toEqual(await bytes(stepwise(() => model.forward(pixels))));
  });

  check('follow every change of the network', async () => {
    using model = small();
    const x = images([2, 3, 33, 40]);
    const seen = new Set<string>();
    const expectNew = async (what: string) => {
      const now = await bytes(model.forward(x));
      expect(now, what).toEqual(await bytes(stepwise(() => model.forward(x))));
      expect(seen.has(now), what).toBe(false);
      seen.add(now);
    };
    await expectNew('as it was made');
    const state = Object.fromEntries(model.stateDict());
    const other = new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 7, device: id, seed: 5 });
    model.loadStateDict({ ...state, 'fc.weight': other.fc.weight });
    await expectNew('another weight');
    model.train();
    model.forward(x).dispose();
    model.eval();
    await expectNew('other running statistics');
    model.bn1 = other.bn1;
    await expectNew('another layer');
    Object.assign(model.layer1.children()[0]![1], { bn1: other.layer1.children()[0]![1] });
    model.layer1 = other.layer1;
    await expectNew('another group');
    Object.assign(model.bn1, { eps: 0.5 });
    await expectNew('another epsilon');
    const more = new nn.Sequential(model.fc, new nn.ReLU()).eval();
    Object.assign(model, { fc: more });
    await expectNew('a layer more');
    Reflect.deleteProperty(more, 1);
    Object.assign(more[0]!, { bias: other.fc.bias }); // else the values would be those of before
    await expectNew('a layer less');
    model.to({ dtype: 'bfloat16' });
    await expectNew('another dtype');
    other.dispose();
    expectThrows('ERR_DISPOSED', () => model.forward(x)); // layers of `other` are gone
  });

  check('give way to single operations where a part of it is in training mode', async () => {
    using model = small();
    const x = images([2, 3, 33, 40]);
    const evaluated = await bytes(model.forward(x));
    model.layer2.train();
    const trained = await bytes(model.forward(x));
    expect(trained).not.toEqual(evaluated);
    expect(trained).toEqual(await bytes(stepwise(() => model.forward(x))));
  });

  check('are recorded as part of a program of the user’s', async () => {
    using model = small();
    const x = images([1, 3, 40, 33]);
    using program = device(id).record((a) => [model.forward(a!).softmax(), model.features(a!)] as const, [x]);
    const [scores, embedding] = program.run(x);
    expect(await bytes(scores)).toEqual(await bytes(model.predict(x)));
    expect(await bytes(embedding)).toEqual(await bytes(model.features(x)));
  });

  check('stay few, and go with the network', async () => {
    const before = await inUse(id);
    const model = small();
    for (let i = 0; i < 8; i++) {
      const x = images([1, 3, 32 + i, 32]);
      expect(await bytes(model.forward(x))).toEqual(await bytes(stepwise(() => model.forward(x))));
    }
    model.dispose();
    expectThrows('ERR_DISPOSED', () => model.forward(images([1, 3, 32, 32])));
    expect((await inUse(id)).tensors - before.tensors).toBeLessThan(40); // the tensors of this test alone
  });

  check('are four, of which the one that is longest unused goes', async () => {
    const model = small();
    const on = device(id);
    const [record, dispose] = [vi.spyOn(on, 'record'), vi.spyOn(Program.prototype, 'dispose')];
    onTestFinished(() => void [record, dispose].map((spy) => spy.mockRestore()));
    const recorded = (...sides: number[]) => {
      record.mockClear();
      for (const side of sides) model.forward(images([1, 3, 32, side])).dispose();
      return record.mock.calls.length;
    };
    expect(recorded(32, 33, 34, 35, 32)).toBe(4);
    expect(dispose).toHaveBeenCalledTimes(0);
    expect(recorded(36, 32, 34, 35, 36)).toBe(1);
    expect(recorded(33)).toBe(1);
    expect(dispose).toHaveBeenCalledTimes(2);
    model.dispose();
    expect(dispose).toHaveBeenCalledTimes(6);
  });

  check('work inside blocks that a user builds', async () => {
    using block = new Bottleneck(16, 64, { device: id }).eval();
    const x = images([1, 16, 9, 9]);
    using program = device(id).record((a) => block.forward(a!), [x]);
    expect(await bytes(program.run(x))).toEqual(await bytes(block.forward(x)));
  });
});
