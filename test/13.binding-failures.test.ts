import { afterAll, expect, test } from 'vitest';
import { native } from '../lib/native.js';
import { expectRejects } from './support/errors.js';

/** The bytes of the one buffer that JavaScript has no memory for. */
const refused = 3 * 7 * 11;

/** The addon, which takes JavaScript's constructor of buffers as it is when it is loaded. */
function addon(): ReturnType<typeof native> {
  const original = globalThis.ArrayBuffer;
  globalThis.ArrayBuffer = class extends original {
    constructor(bytes: number) {
      if (bytes === refused) {
        throw new RangeError('Array buffer allocation failed');
      }
      super(bytes);
    }
  } as typeof ArrayBuffer;
  try {
    return native();
  } finally {
    globalThis.ArrayBuffer = original;
  }
}

const { devices, openDevice, holdQueues, zeros, record, copyTo, foldBatchNorm, resample } = addon();

// As support/memory.ts has it, which loads the addon before this file can.
afterAll(async () => {
  const device = openDevice(devices()[0]!.id);
  await device.synchronize();
  expect(device.memory()).toMatchObject({ tensors: 0, bytes: 0 });
});

test('a promise rejects where what it gives cannot be made', async () => {
  const axis = (length: number) => ({
    start: 0,
    first: Int32Array.from({ length }, (_, i) => i),
    count: new Int32Array(length).fill(1),
    weights: new Int32Array(length).fill(1 << 22),
    taps: 1,
  });
  const scaled = (width: number, height: number) =>
    resample({
      data: new Uint8Array(width * height * 3).fill(9),
      width,
      height,
      columns: axis(width),
      rows: axis(height),
    });
  await expectRejects('ERR_OUT_OF_MEMORY', scaled(7, 11));
  expect(new Uint8Array(await scaled(2, 1))).toEqual(new Uint8Array(6).fill(9));
});

test('a device that is opened while the queues are held waits with the others', async () => {
  holdQueues({ held: true });
  const device = openDevice(devices()[0]!.id);
  const x = zeros({ device, shape: [1000], dtype: 'float32' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(device.memory()).toMatchObject({ tensors: 1, reservedBytes: 0 });
  holdQueues({ held: false });
  await device.synchronize();
  expect(device.memory().reservedBytes).toBeGreaterThan(0);
  x.dispose();
});

test('what cannot be queued leaves no tensor behind', () => {
  const device = openDevice(devices()[0]!.id);
  const vector = zeros({ device, shape: [4], dtype: 'float32' });
  const before = device.memory();
  record({
    device,
    inputs: [{ shape: [4, 4, 1, 1], dtype: 'float32' }],
    body: ([weight]) => {
      const changesTensors = { code: 'ERR_ARGUMENT', message: expect.stringContaining('cannot be recorded') };
      const folded = { foldedWeight: weight!, foldedBias: vector };
      expect(() => foldBatchNorm({ weight: weight!, mean: vector, variance: vector, ...folded })).toThrow(
        expect.objectContaining(changesTensors),
      );
      expect(() => copyTo({ x: weight!, device })).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
      return [];
    },
  }).dispose();
  expect(device.memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
  vector.dispose();
});
