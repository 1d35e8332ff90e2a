/**
 * The surface of the native addon (`build/Release/cudnn_resnet.node`), which only `lib/native.ts` loads. It exports
 * exactly these functions. Each checks its arguments at once, throws the class of errors given to {@link setup}, and
 * queues the work: a returned handle stands for a result that may not have been computed yet.
 */
import type { ComputeOptions } from './lib/compute-options.js';
import type { DType, HostDType } from './lib/dtype.js';
import type { Activation, Conv2dOptions, Pair } from './lib/ops.js';

/** Elements on the host, in C order. */
type HostData = { data: NodeJS.TypedArray; dataType: HostDType };
type Maker = { device: NativeDevice; shape: readonly number[]; dtype: DType };

export interface NativeTensor {
  readonly shape: number[];
  /** A copy of the elements in C order, in the tensor's dtype. Rejects with the error of the operation that failed. */
  data(): Promise<ArrayBuffer>;
  dataSync(): ArrayBuffer;
  /** `k` of each row, one row behind the other. */
  topK(k: number): Promise<{ indices: Float64Array; values: Float32Array }>;
  /** What is queued for this tensor alone, and for one reading of it, is not computed; it then has the error ERR_ABORTED. */
  cancel(): void;
  dispose(): void;
  disposed(): boolean;
  /** Whether the last operation that was to write it has failed, as far as they have run. */
  failed(): boolean;
}

export interface NativeDevice {
  memory(): { tensors: number; bytes: number; peakBytes: number; reservedBytes: number };
  synchronize(): Promise<void>;
  trim(): void;
  setMemoryLimit(bytes: number): void;
  /** Operations and readings that wait or run. */
  pending(): number;
  /** Resolves when no more than half of the limit waits; nothing to wait for where that is so. */
  ready(): Promise<void> | undefined;
  setQueueLimit(limit: { operations?: number | undefined; bytes?: number | undefined }): void;
  /** Where the engine may find what it would compile. */
  usePlans(folder: string): void;
  setThreads(threads: number): void;
  /** From now on what operations take is noted. */
  startProfile(): void;
  /** The layer that the operations called next belong to. */
  profileLayer(name: string): void;
  /** Ends what `startProfile` began: the operations called since, once they have been computed. */
  endProfile(): Promise<NativeTiming[]>;
}

/** What an operation took, in milliseconds since the start of the profile. */
export interface NativeTiming {
  layer: string;
  operation: string;
  inputs: number[][];
  outputs: number[][];
  begin: number;
  end: number;
}

/** A graph that was compiled, or that cuDNN refused: then `refusal` says why, and the engine is ''. */
export interface PlannedGraph {
  graph: string;
  engine: string;
  refusal: string;
  /** What running it will take. */
  workspaceBytes: number;
  /** Of the plan in a file; 0 where cuDNN cannot write it down. */
  bytes: number;
  seconds: number;
}

export interface NativeProgram {
  run(inputs: readonly NativeTensor[]): NativeTensor[];
  dispose(): void;
}

export function setup(errorClass: new (code: never, message: string) => Error): void;

/** Waits for the operations under way, and has no other begin but for `dataSync()`; or has all go on. */
export function holdQueues(options: { held: boolean }): void;
/** Looks for devices on another thread: starting a GPU's driver takes a while, which the first `devices()` would wait for. */
export function findDevices(): Promise<void>;
export function devices(): { id: string; name: string; engine: string; memory: number }[];
export function diagnose(): string;
/** Of a GPU that is there, as JSON. */
export function deviceProperties(id: string): string;
/**
 * A device that computes nothing, and compiles the plans that the operations on it would need on a GPU with these
 * properties, which need not be there. They go to `folder`, or nowhere where that is ''.
 */
export function openPlanner(options: {
  properties: string;
  capability: number;
  multiprocessors: number;
  folder: string;
}): {
  device: NativeDevice;
  /** What was planned since the last call. */
  planned(): PlannedGraph[];
};
export function openDevice(id: string): NativeDevice;

/** Calls `body` once, with tensors that stand for the inputs; what it does with them is noted instead of run. */
export function record(options: {
  device: NativeDevice;
  inputs: readonly { shape: readonly number[]; dtype: DType }[];
  body: (inputs: NativeTensor[]) => NativeTensor[];
}): NativeProgram;

export function upload(options: Maker & HostData): NativeTensor;
/** Replaces the values of `to`. */
export function write(options: HostData & { to: NativeTensor }): void;
/**
 * Replaces the values of `to` by what lies in a file from `position` on. It may be closed meanwhile; `path` is for messages.
 */
export function fill(options: {
  to: NativeTensor;
  path: string;
  descriptor: number;
  position: number;
  dataType: HostDType;
}): Promise<void>;
export function zeros(options: Maker): NativeTensor;
/** Normal with mean `a` and deviation `b`, or else uniform over [a, b). */
export function random(
  options: Maker & { normal: boolean; a: number; b: number; seed: number; stream: number },
): NativeTensor;
/** A tensor without values: reading it fails until `write`, `fill`, `assign` or `foldBatchNorm` gives it some. */
export function unwritten(options: Maker): NativeTensor;
export function cast(options: { x: NativeTensor; dtype: DType }): NativeTensor;
export function reshape(options: { x: NativeTensor; shape: readonly number[] }): NativeTensor;
/** Replaces the values of `to` by those of `from`. */
export function assign(options: { from: NativeTensor; to: NativeTensor }): void;
export function copyTo(options: { x: NativeTensor; device: NativeDevice }): NativeTensor;

export function conv2d(
  options: ComputeOptions & {
    x: NativeTensor;
    weight: NativeTensor;
    bias?: NativeTensor | undefined;
    add?: NativeTensor | undefined;
    stride?: Pair | undefined;
    padding?: Pair | undefined;
    dilation?: Pair | undefined;
    groups?: number | undefined;
    activation?: Activation | undefined;
    algorithm?: Conv2dOptions['algorithm'];
  },
): NativeTensor;
export function linear(
  options: ComputeOptions & {
    x: NativeTensor;
    weight: NativeTensor;
    bias?: NativeTensor | undefined;
    activation?: Activation | undefined;
  },
): NativeTensor;
export function batchNorm(options: {
  x: NativeTensor;
  mean: NativeTensor;
  variance: NativeTensor;
  weight?: NativeTensor | undefined;
  bias?: NativeTensor | undefined;
  eps?: number | undefined;
  activation?: Activation | undefined;
}): NativeTensor;
/** Moves `runningMean` and `runningVariance`, and counts in `batchesTracked`, in place. */
export function batchNormTraining(options: {
  x: NativeTensor;
  runningMean: NativeTensor;
  runningVariance: NativeTensor;
  batchesTracked?: NativeTensor | undefined;
  weight?: NativeTensor | undefined;
  bias?: NativeTensor | undefined;
  eps?: number | undefined;
  momentum?: number | undefined;
}): NativeTensor;
/**
 * Replaces the values of `foldedWeight`, of the weight's shape and dtype, and of `foldedBias`, float32, by the weight and bias of
 * the convolution that equals the one given followed by the batch norm in inference.
 */
export function foldBatchNorm(options: {
  weight: NativeTensor;
  bias?: NativeTensor | undefined;
  mean: NativeTensor;
  variance: NativeTensor;
  batchNormWeight?: NativeTensor | undefined;
  batchNormBias?: NativeTensor | undefined;
  eps?: number | undefined;
  foldedWeight: NativeTensor;
  foldedBias: NativeTensor;
}): void;
export function activation(options: { x: NativeTensor; kind: Activation }): NativeTensor;
export function add(options: {
  a: NativeTensor;
  b: NativeTensor;
  activation?: Activation | undefined;
}): NativeTensor;
export function maxPool2d(options: {
  x: NativeTensor;
  kernelSize: Pair;
  stride?: Pair | undefined;
  padding?: Pair | undefined;
}): NativeTensor;
export function avgPool2d(options: {
  x: NativeTensor;
  kernelSize: Pair;
  stride?: Pair | undefined;
  padding?: Pair | undefined;
  countIncludePad?: boolean | undefined;
}): NativeTensor;
export function globalAvgPool(options: { x: NativeTensor }): NativeTensor;
export function softmax(options: { x: NativeTensor }): NativeTensor;
export function normalizeImage(options: {
  pixels: NativeTensor;
  mean: readonly number[];
  std: readonly number[];
  dtype: DType;
}): NativeTensor;
/** The filter of one axis, as `lib/image/resample.ts` makes it. */
type Filter = { start: number; first: Int32Array; count: Int32Array; weights: Int32Array; taps: number };
/** Scales a picture of three interleaved channels by filters of its columns and rows; `data` must stay as it is until then. */
export function resample(options: {
  data: Uint8Array;
  width: number;
  height: number;
  columns: Filter;
  rows: Filter;
}): Promise<ArrayBuffer>;
