import { MessageChannel } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { ops, ResNet18, Tensor } from '../lib/index.js';
import { lastLine, longTest, program } from './standalone/process.js';
import { deviceIds } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { random, seed } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { suiteWeights } from './support/suite-weights.js';

const weights = suiteWeights((device) => new ResNet18({ device, numClasses: 10 }));

// Each in a process of its own: a crash is then that test's failure and not the end of the run.
describe.each(deviceIds)('worker threads on %s', (id) => {
  test('load, run and end, and come to what the main thread comes to', async () => {
    expect(lastLine(await program('workers.mjs', ['load, run and end', id]))).toBe(true);
  });

  test('may be terminated at any moment of any work', async () => {
    expect(lastLine(await program('workers.mjs', ['terminate mid-run', id, weights]))).toBe(true);
  });

  test('sixteen at once that end, exit, throw and are terminated in any order', async ({ onTestFailed }) => {
    onTestFailed(() => console.error(`TEST_SEED=${seed}`));
    const moments = Array.from(random('moments', [16], { scale: 0.5, center: 0.5 }).data);
    const args = ['sixteen at once', id, JSON.stringify(moments)];
    expect(lastLine(await program('workers.mjs', args))).toBe(true);
  });

  test('have memory of their own', async () => {
    expect(lastLine(await program('workers.mjs', ['memory of its own', id]))).toBe(true);
  });

  // What a worker's engine, queue and tensors leave behind would show 30 times over, or 480 times in the nightly run: an
  // engine alone is over 1 MB, its weights 20. A GPU's driver and cuDNN keep something of their own for every handle that
  // came and went.
  test('leave nothing behind', longTest, async () => {
    const { resident, reserved } = lastLine(
      await program('workers.mjs', ['memory of many lifetimes', id]),
    ) as { resident: number[]; reserved: number[] };
    const [warm, last] = [Math.max(...resident.slice(15, 20)), Math.min(...resident.slice(-5))];
    console.log(`lifetimes of workers on ${id}: ${resident} MB resident, ${reserved} MB on the device`);
    expect(last - warm, `MB resident: ${resident}`).toBeLessThan(id === 'cpu' ? 20 : 100);
    expect(Math.min(...reserved)).toBeGreaterThan(15); // the weights
    expect(Math.max(...reserved.slice(-5))).toBeLessThanOrEqual(Math.max(...reserved.slice(0, 20)) + 1);
  });
});

onEveryDevice('tensors sent to another thread', (id) => {
  // A handle has no meaning elsewhere: what arrives is a plain object, and it is refused where it is used.
  check('arrive as objects that no operation takes', async () => {
    const x = Tensor.from([1, -2], [2], { device: id });
    const { port1, port2 } = new MessageChannel();
    const arrived = new Promise((resolve) => port2.once('message', resolve));
    port1.postMessage(x);
    for (const copy of [structuredClone(x), await arrived] as Tensor[]) {
      expect(copy).not.toBeInstanceOf(Tensor);
      expectThrows('ERR_ARGUMENT', () => ops.activation(copy, 'relu'), /must be a Tensor/);
      expectThrows('ERR_ARGUMENT', () => ops.add(x, copy), /b must be a Tensor, got object/);
    }
    port1.close();
    expect(await ops.activation(x, 'relu').data()).toEqual(Float32Array.of(1, 0));
  });

  check('cannot be transferred', () => {
    const x = Tensor.zeros([2], { device: id });
    expect(() => structuredClone(x, { transfer: [x as unknown as ArrayBuffer] })).toThrow(/transfer/i);
    expect(x.disposed).toBe(false);
  });

  check('go as their elements', async () => {
    const x = Tensor.from([1, 2, 3, 4], [2, 2], { device: id });
    const data = await x.data();
    const sent = structuredClone({ shape: x.shape, data }, { transfer: [data.buffer as ArrayBuffer] });
    expect(data.length).toBe(0);
    expect(await Tensor.from(sent.data, sent.shape, { device: id }).data()).toEqual(
      Float32Array.of(1, 2, 3, 4),
    );
  });
});
