import { openSync } from 'node:fs';
import type { NativeDevice, NativeTensor } from '../../binding.js';
import type { DType } from '../../lib/index.js';
import { native } from '../../lib/native.js';

export const addon = native() as unknown as Record<string, (...args: unknown[]) => unknown>;

/** Of a file that is longer than any tensor here. */
const file = openSync(import.meta.filename, 'r');

/** What a call may use: all is made anew for it, since hostile arguments dispose of tensors and detach buffers. */
export class Case {
  readonly made: NativeTensor[] = [];
  readonly buffer = new ArrayBuffer(16);
  reads = 0;

  constructor(readonly device: NativeDevice) {}

  tensor(shape: number[], dtype: DType = 'float32'): NativeTensor {
    const x = addon.zeros!({ device: this.device, shape, dtype }) as NativeTensor;
    this.made.push(x);
    return x;
  }

  detach(): void {
    if (this.buffer.byteLength > 0) {
      structuredClone(this.buffer, { transfer: [this.buffer] });
    }
  }

  disposeAll(): void {
    for (const x of this.made) x.dispose();
  }
}

/** Entry points that take no options, or one string. */
export const callsWithoutOptions = [
  ...['setup', 'holdQueues', 'findDevices', 'devices', 'diagnose', 'deviceProperties', 'openDevice'],
];

/** A valid call of each other entry point, with all its options. */
export const calls: Record<string, (c: Case) => Record<string, unknown>> = {
  openPlanner: () => ({ properties: '{}', capability: 9, multiprocessors: 132, folder: '' }),
  record: (c) => ({
    device: c.device,
    inputs: [
      { shape: [2, 3], dtype: 'float32' },
      { shape: [2, 3], dtype: 'float32' },
    ],
    body: ([a, b]: NativeTensor[]) => [addon.add!({ a, b })],
  }),
  upload: (c) => ({
    device: c.device,
    shape: [2, 2],
    dtype: 'float32',
    dataType: 'float32',
    data: new Float32Array(c.buffer),
  }),
  write: (c) => ({ to: c.tensor([2, 2]), dataType: 'float32', data: new Float32Array(c.buffer) }),
  fill: (c) => ({ to: c.tensor([2, 2]), path: 'addon', descriptor: file, position: 0, dataType: 'float32' }),
  zeros: (c) => ({ device: c.device, shape: [2, 2], dtype: 'float32' }),
  random: (c) => ({
    device: c.device,
    shape: [2, 2],
    dtype: 'float32',
    normal: true,
    a: 0,
    b: 1,
    seed: 1,
    stream: 0,
  }),
  unwritten: (c) => ({ device: c.device, shape: [2, 2], dtype: 'float32' }),
  cast: (c) => ({ x: c.tensor([2, 2]), dtype: 'bfloat16' }),
  reshape: (c) => ({ x: c.tensor([2, 2]), shape: [4, 1] }),
  assign: (c) => ({ from: c.tensor([2, 2]), to: c.tensor([2, 2], 'bfloat16') }),
  copyTo: (c) => ({ x: c.tensor([2, 2]), device: c.device }),
  conv2d: (c) => ({
    x: c.tensor([1, 2, 4, 4]),
    weight: c.tensor([2, 1, 3, 3]),
    bias: c.tensor([2]),
    add: c.tensor([1, 2, 4, 4]),
    stride: 1,
    padding: [1, 1],
    dilation: 1,
    groups: 2,
    activation: 'relu',
    algorithm: 'fast',
    tf32: false,
    tune: false,
    deterministic: false,
  }),
  linear: (c) => ({
    x: c.tensor([2, 3]),
    weight: c.tensor([4, 3]),
    bias: c.tensor([4]),
    activation: 'tanh',
    tf32: false,
    tune: false,
    deterministic: false,
  }),
  batchNorm: (c) => ({
    x: c.tensor([1, 2, 2, 2]),
    mean: c.tensor([2]),
    variance: c.tensor([2]),
    weight: c.tensor([2]),
    bias: c.tensor([2]),
    eps: 1e-5,
    activation: 'relu',
  }),
  batchNormTraining: (c) => ({
    x: c.tensor([1, 2, 2, 2]),
    runningMean: c.tensor([2]),
    runningVariance: c.tensor([2]),
    batchesTracked: c.tensor([], 'int64'),
    weight: c.tensor([2]),
    bias: c.tensor([2]),
    eps: 1e-5,
    momentum: 0.1,
  }),
  foldBatchNorm: (c) => ({
    weight: c.tensor([2, 1, 3, 3]),
    bias: c.tensor([2]),
    mean: c.tensor([2]),
    variance: c.tensor([2]),
    batchNormWeight: c.tensor([2]),
    batchNormBias: c.tensor([2]),
    eps: 1e-5,
    foldedWeight: c.tensor([2, 1, 3, 3]),
    foldedBias: c.tensor([2]),
  }),
  activation: (c) => ({ x: c.tensor([3]), kind: 'gelu' }),
  add: (c) => ({ a: c.tensor([3]), b: c.tensor([3]), activation: 'relu' }),
  maxPool2d: (c) => ({ x: c.tensor([1, 1, 4, 4]), kernelSize: 3, stride: 2, padding: 1 }),
  avgPool2d: (c) => ({
    x: c.tensor([1, 1, 4, 4]),
    kernelSize: [2, 2],
    stride: [2, 2],
    padding: 0,
    countIncludePad: false,
  }),
  globalAvgPool: (c) => ({ x: c.tensor([1, 1, 4, 4]) }),
  softmax: (c) => ({ x: c.tensor([2, 3]) }),
  normalizeImage: (c) => ({
    pixels: c.tensor([1, 2, 2, 3], 'uint8'),
    mean: [0, 0, 0],
    std: [1, 1, 1],
    dtype: 'float32',
  }),
  resample: (c) => ({
    data: new Uint8Array(c.buffer, 1, 12),
    width: 2,
    height: 2,
    columns: {
      start: 3,
      first: Int32Array.of(3),
      count: Int32Array.of(2),
      weights: Int32Array.of(7, 5),
      taps: 2,
    },
    rows: {
      start: 0,
      first: Int32Array.of(1),
      count: Int32Array.of(1),
      weights: Int32Array.of(7, 5),
      taps: 2,
    },
  }),
};
