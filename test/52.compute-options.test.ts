import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Device, device, nn, ops, ResNet, ResNet18, Tensor } from '../lib/index.js';
import { BasicBlock } from '../lib/models/basic-block.js';
import { expectExact, relativeError } from './support/compare.js';
import { deviceIds } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { returnsMemory } from './support/memory.js';
import { check } from './support/suite.js';
import { suiteFolder } from './support/temporary-folder.js';
import { download } from './support/tensors.js';

const everything = { tf32: true, tune: true, deterministic: true } as const;

returnsMemory();

describe.each(deviceIds)('how to compute, on %s', (id) => {
  let on: Device;
  let x: Tensor;
  let weight: Tensor;
  beforeAll(() => {
    on = device(id);
    x = Tensor.randn([2, 16, 9, 9], { device: on, seed: 1 });
    weight = Tensor.randn([24, 16, 3, 3], { device: on, seed: 2 });
  });
  afterAll(() => {
    x.dispose();
    weight.dispose();
  });

  check('an operation may be tuned and computed with TF32', async () => {
    const strict = await download(ops.conv2d(x, weight, { padding: 1 }));
    const given = await download(ops.conv2d(x, weight, { padding: 1, ...everything }));
    // the CPU has no use for either
    expect(relativeError(given, strict)).toBeLessThanOrEqual(id === 'cpu' ? 0 : 5e-3);
  });

  check('a layer hands it to its operation, a model to its layers', async () => {
    const conv = new nn.Conv2d(16, 8, 3, { device: on, ...everything });
    expect(conv.compute).toEqual(everything);
    expect((await conv.forward(x).data()).every(Number.isFinite)).toBe(true);
    const model = new ResNet({
      block: BasicBlock,
      layers: [1, 1, 1, 1],
      device: on,
      tf32: true,
      numClasses: 7,
    });
    expect(model.fc.compute.tf32).toBe(true);
    for (const layer of [model.layer1, model.layer4]) {
      const block = layer.children()[0]![1] as BasicBlock;
      expect(block.conv1.compute.tf32).toBe(true);
      expect(block.conv2.compute.tf32).toBe(true);
    }
    const downsample = (model.layer2.children()[0]![1] as BasicBlock).downsample!;
    expect((downsample.children()[0]![1] as nn.Conv2d).compute.tf32).toBe(true);
    conv.dispose();
    model.dispose();
  });

  test.each(['tf32', 'tune', 'deterministic'])('%s is true or false', (name) => {
    for (const value of [1, 'yes', {}]) {
      const wrong = { [name]: value };
      expectThrows(
        'ERR_ARGUMENT',
        () => ops.conv2d(x, weight, wrong),
        new RegExp(`${name} must be true or false`),
      );
    }
  });

  check('a deterministic operation takes the way that does not depend on the number of threads', async () => {
    const wide = Tensor.randn([64, 16, 3, 3], { device: on, seed: 2 });
    const fast = { padding: 1, algorithm: 'fast', deterministic: true } as const;
    expectExact(
      await download(ops.conv2d(x, wide, fast)),
      await download(ops.conv2d(x, wide, { padding: 1 })),
    );

    const rows = x.reshape([2, 1296]);
    for (const out of [3, 16, 77]) {
      const matrix = Tensor.randn([out, 1296], { device: on, seed: 3 });
      const given = { bias: Tensor.randn([out], { device: on, seed: 4 }), activation: 'relu' } as const;
      const results = [];
      for (const threads of [1, 2, 3]) {
        on.setThreads(threads);
        results.push(await download(ops.linear(rows, matrix, { ...given, deterministic: true })));
      }
      on.setThreads(availableParallelism());
      for (const result of results) expectExact(result, results[0]!);
      expect(relativeError(results[0]!, await download(ops.linear(rows, matrix, given)))).toBeLessThanOrEqual(
        1e-6,
      );
    }
  });
});

describe('plans', () => {
  const folder = suiteFolder();

  test('a folder that is not there is an error at once, on every device', () => {
    for (const id of deviceIds) {
      const missing = join(folder, 'missing');
      expectThrows(
        'ERR_ARGUMENT',
        () => new ResNet18({ device: id, plans: missing }),
        /there is no folder ".*missing"; 'cudnn-resnet plan -o FOLDER' makes one/,
      );
      expectThrows('ERR_ARGUMENT', () => new ResNet18({ device: id, plans: 3 as never }), /no folder 3/);
    }
  });

  check('a model with a folder of no use computes as ever', async () => {
    const logits = async (options: object) => {
      const model = new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 7, ...options });
      const y = await model.forward(Tensor.randn([1, 3, 32, 32])).data();
      model.dispose();
      return y;
    };
    expect(await logits({ plans: folder })).toEqual(await logits({}));
  });
});
