import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { device, ResNet18, ResNet34, saveWeights, scope, Tensor } from '../lib/index.js';
import { lastLine, longTest, program } from './standalone/process.js';
import { deviceIds } from './support/devices.js';
import { inUse, returnsMemory } from './support/memory.js';
import { onEveryDevice } from './support/suite.js';
import { suiteFolder } from './support/temporary-folder.js';

const folder = suiteFolder();

interface Measured {
  /** Resident memory at ten points of the work. */
  megabytes: number[];
  /** Tensors more than at the start. */
  tensors: number;
  /** What the device has taken from the system at the same points. */
  reserved: number[];
  count: number;
}

interface FailedLoads {
  /** Of the errors that each file gave. */
  codes: string[];
  /** The most tensors that were there after a load. */
  left: number;
  /** The most megabytes that the device had in use. */
  peak: number;
}

/**
 * From the third point on nothing may be added but what V8 and malloc come to hold while they settle. A leak of one
 * activation of the smallest network used here, 64 KB, is 20 MB over what is left of 500 forwards.
 */
const settling = 16;

/** What a GPU's driver and cuDNN may come to hold of the host's memory beside that. */
const ofTheDriver = 32;

// scripts/test-sanitize.sh runs it where a leak of any byte shows.
test.each(deviceIds)('a program that uses most of the package once leaves no tensor on %s', async (id) => {
  expect(lastLine(await program('leaks.mjs', [id]))).toEqual({ tensors: 0, wrong: [] });
});

describe.each(deviceIds)('resident memory on %s', (id) => {
  returnsMemory();

  async function measure(name: string, args: string[] = [], node: string[] = []): Promise<Measured> {
    // What is kept does not depend on the threads of the engine, and one does not wait for others on a busy machine.
    const env = { OMP_NUM_THREADS: '1' };
    return lastLine(await program('memory.mjs', [name, id, ...args], { node, env })) as Measured;
  }

  function expectFlat({ count, megabytes, reserved }: Measured, bound = settling): void {
    console.log(`${count} times on ${id}: ${megabytes} MB resident, ${reserved} MB on the device`);
    const growth = Math.min(...megabytes.slice(-2)) - Math.max(...megabytes.slice(1, 3));
    expect(growth, `MB resident: ${megabytes}`).toBeLessThan(id === 'cpu' ? bound : bound + ofTheDriver);
    expect(Math.min(...reserved.slice(-2)), `MB reserved: ${reserved}`).toBeLessThanOrEqual(
      Math.max(...reserved.slice(1, 3)) + bound,
    );
  }

  test('is flat over many forwards with dispose', longTest, async () => {
    const measured = await measure('forwards with dispose');
    expectFlat(measured);
    expect(measured.tensors).toBe(0);
  });

  test('is flat over forwards of ResNet-50 with dispose', longTest, async () => {
    const measured = await measure('forwards of ResNet-50 with dispose');
    expectFlat(measured);
    expect(measured.tensors).toBe(0);
  });

  test('is flat over many forwards without dispose that are collected', longTest, async () => {
    const measured = await measure('forwards without dispose, collected by hand', [], ['--expose-gc']);
    expectFlat(measured);
    expect(measured.tensors).toBeLessThan(60); // what came after the last collection, of every fiftieth forward
  });

  test('is flat over many forwards without dispose that nobody collects by hand', longTest, async () => {
    expectFlat(await measure('forwards without dispose'));
  });

  // 3 GB pass through; V8 collects each time that about 64 MB have come, and the queue frees them after that. CUDA and cuDNN
  // take hundreds of MB by themselves.
  test.each(['large tensors without dispose', 'reads without dispose'])(
    'is bounded by pressure: %s',
    async (name) => {
      const { megabytes } = await measure(name);
      expect(Math.max(...megabytes), `MB resident: ${megabytes}`).toBeLessThan(id === 'cpu' ? 600 : 1200);
    },
  );

  test('is flat over models made and disposed of', longTest, async () => {
    const measured = await measure('models made and disposed of');
    expectFlat(measured, 45); // a leaked ResNet-18 is 45 MB, and there are 14 after the third point
    expect(measured.tensors).toBe(0);
  });

  test('is flat over failed loads, which leave no tensor', longTest, async () => {
    using model = new ResNet18({ device: id, numClasses: 10 });
    const whole = join(folder, 'whole.safetensors');
    await saveWeights(whole, model.stateDict());
    const bytes = await readFile(whole);
    const files = {
      cut: bytes.subarray(0, bytes.length / 2),
      empty: Buffer.alloc(0),
      header: Buffer.concat([Buffer.alloc(8, 0xff), bytes.subarray(8)]),
    };
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(folder, `${name}.safetensors`), content);
    }
    using other = new ResNet34({ device: id, numClasses: 10 });
    await saveWeights(join(folder, 'other.safetensors'), other.stateDict());
    const paths = [...Object.keys(files), 'other', 'missing', 'whole'].map((name) =>
      join(folder, `${name}.safetensors`),
    );
    const measured = (await measure('failed loads', paths)) as Measured & FailedLoads;
    // all but the last are refused before a value is read, which has filled many tensors when there is no room for more
    expect(measured.codes).toEqual([...paths.slice(1).map(() => 'ERR_WEIGHTS'), 'ERR_OUT_OF_MEMORY']);
    expect(measured.peak).toBeGreaterThan(10);
    // 4 to 13 were measured: V8 lets what was read of the files lie for a while
    expectFlat(measured, 40);
    expect(measured.left).toBe(0);
  });
});

onEveryDevice('memory of the device', (id) => {
  const on = device(id);

  test('a model frees everything when it is disposed of, packed and folded weights too', async () => {
    on.trim();
    const before = await inUse(id);
    const { reservedBytes: reserved } = on.memory();
    const model = new ResNet18({ device: id, numClasses: 10 });
    const made = await inUse(id);
    expect(made.tensors - before.tensors).toBe(122);
    expect(made.bytes - before.bytes).toBeGreaterThan(44e6);
    for (const side of [32, 48]) {
      await scope(() => model.forward(Tensor.zeros([1, 3, side, side], { device: id })).data());
    }
    model.dispose();
    model.dispose();
    on.trim();
    expect(await inUse(id)).toEqual(before);
    expect(on.memory().reservedBytes - reserved).toBeLessThan(2 ** 20);
  });

  test('forward, features and predict leave their result and nothing else', async () => {
    using model = new ResNet18({ device: id, numClasses: 10 });
    using x = Tensor.zeros([1, 3, 32, 32], { device: id });
    model.forward(x).dispose(); // the folded weights stay with the model
    const before = await inUse(id);
    for (const run of [() => model.forward(x), () => model.features(x), () => model.predict(x)]) {
      const y = run();
      expect((await inUse(id)).tensors).toBe(before.tensors + 1);
      y.dispose();
      expect(await inUse(id)).toEqual(before);
    }
    expect(() => model.forward(Tensor.prototype)).toThrow();
    await expect(model.classify(Buffer.from('no image'))).rejects.toThrow();
    expect(await inUse(id)).toEqual(before);
  });

  test('a forward that fails half way leaves nothing', async () => {
    using model = new ResNet18({ device: id, numClasses: 10 });
    using x = Tensor.zeros([1, 3, 7, 7], { device: id });
    using wrong = Tensor.zeros([1, 4, 32, 32], { device: id });
    await scope(() => model.forward(x).data());
    const before = (await inUse(id)).tensors;
    expect(() => model.forward(wrong)).toThrow();
    expect(() => model.layer4.forward(x)).toThrow();
    expect((await inUse(id)).tensors).toBe(before);
  });
});
