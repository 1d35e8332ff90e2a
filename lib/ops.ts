import type { NativeTensor } from '../binding.js';
import { type ComputeOptions, computeOptionNames, computeOptions } from './compute-options.js';
import type { DType, FloatDType } from './dtype.js';
import { CudnnResnetError } from './errors.js';
import { native } from './native.js';
import { checkOptions } from './options.js';
import { checkTensor, Tensor } from './tensor.js';

/**
 * Applied to each element. `gelu` is the exact form with the error function; `swish` is also known as SiLU.
 *
 * On the CPU NaN need not pass through `relu` and `relu6`, also where they are fused into another operation (oneDNN gives
 * 0), nor through {@link maxPool2d} (oneDNN leaves it out). Of float16 those two hand it on: a network whose values are
 * beyond 65504 gives NaN, as in PyTorch, where `'bfloat16'` has room.
 */
export type Activation = 'relu' | 'relu6' | 'sigmoid' | 'tanh' | 'gelu' | 'swish';

/** One number for both sides, or `[height, width]`. */
export type Pair = number | readonly [number, number];

/** Options of {@link conv2d}. */
export interface Conv2dOptions extends ComputeOptions {
  /** `[out]`, in the dtype of `x` or in float32; null, as a layer without has it, is none. */
  bias?: Tensor | null | undefined;
  /** By how many pixels the kernel moves; default 1. */
  stride?: Pair | undefined;
  /** Zeros on each side, in pixels; default 0. */
  padding?: Pair | undefined;
  /** The pixels from one tap of the kernel to the next; default 1. */
  dilation?: Pair | undefined;
  /** Into how many groups the channels are divided, each convolved on its own; default 1. */
  groups?: number | undefined;
  /** Of the sum; default none. */
  activation?: Activation | undefined;
  /** Added to the result before the activation; it has the result's shape. */
  add?: Tensor | undefined;
  /**
   * `'direct'`, the default, computes the sums of products of the definition: of small integers they are exact.
   * `'fast'` lets the engine take another way to about the same result: on the CPU Winograd's transform, or where the
   * processor has AMX three products of bfloat16 for one of float32. Errors in float32 are then some 5e-6 of the result.
   * Networks in inference use it. `deterministic: true` means `'direct'` whatever stands here.
   */
  algorithm?: 'direct' | 'fast' | undefined;
}

const conv2dOptionNames = [
  'bias',
  'stride',
  'padding',
  'dilation',
  'groups',
  'activation',
  'add',
  'algorithm',
  ...computeOptionNames,
] as const;

/**
 * `activation(convolution(x, weight) + bias + add)` as one operation.
 * @param x - `[N, in, H, W]`
 * @param weight - `[out, in / groups, kernel height, kernel width]`
 * @returns `[N, out, H', W']`, H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1
 * @throws `ERR_SHAPE` where the channels of `x` and `weight` do not fit each other, or the kernel its padded input;
 *   `ERR_DTYPE`, `ERR_DEVICE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function conv2d<D extends DType>(
  x: Tensor<D>,
  weight: Tensor,
  options: Conv2dOptions = {},
): Tensor<D> {
  checkOptions('conv2d', options, conv2dOptionNames);
  const { bias, add, ...attributes } = options;
  return result(
    x,
    native().conv2d({
      ...attributes,
      x: handle(x, 'conv2d: x'),
      weight: handle(weight, 'conv2d: weight'),
      bias: optionalHandle(bias, 'conv2d: bias'),
      add: optionalHandle(add, 'conv2d: add'),
    }),
  );
}
/** Options of {@link linear}. */
export interface LinearOptions extends ComputeOptions {
  /** `[out]`, in the dtype of `x` or in float32; null, as a layer without has it, is none. */
  bias?: Tensor | null | undefined;
  /** Of the sum; default none. */
  activation?: Activation | undefined;
}

/**
 * `activation(x · weightᵀ + bias)`.
 * @param x - `[N, in]`
 * @param weight - `[out, in]`
 * @returns `[N, out]`
 * @throws `ERR_SHAPE` where `x` and `weight` have not as many columns; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_DISPOSED`,
 *   `ERR_ARGUMENT`
 */
export function linear<D extends DType>(
  x: Tensor<D>,
  weight: Tensor,
  options: LinearOptions = {},
): Tensor<D> {
  checkOptions('linear', options, ['bias', 'activation', ...computeOptionNames]);
  return result(
    x,
    native().linear({
      x: handle(x, 'linear: x'),
      weight: handle(weight, 'linear: weight'),
      bias: optionalHandle(options.bias, 'linear: bias'),
      activation: options.activation,
      ...computeOptions('linear', options),
    }),
  );
}

/** Options of {@link batchNorm}. Each tensor is float32 `[C]`. */
export interface BatchNormOptions {
  /** What is subtracted. */
  mean: Tensor;
  /** By whose root is divided. */
  variance: Tensor;
  /** 1 where absent. */
  weight?: Tensor | null | undefined;
  /** 0 where absent. */
  bias?: Tensor | null | undefined;
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined;
  /** Of the result; default none. */
  activation?: Activation | undefined;
}

/**
 * Batch normalization in inference: `activation((x − mean) / √(variance + eps) · weight + bias)`.
 * @param x - `[N, C, H, W]`
 * @returns `[N, C, H, W]`
 * @throws `ERR_SHAPE` where a parameter is not `[C]`; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function batchNorm<D extends DType>(x: Tensor<D>, options: BatchNormOptions): Tensor<D> {
  checkOptions('batchNorm', options, ['mean', 'variance', 'weight', 'bias', 'eps', 'activation']);
  return result(
    x,
    native().batchNorm({
      x: handle(x, 'batchNorm: x'),
      mean: handle(options.mean, 'batchNorm: mean'),
      variance: handle(options.variance, 'batchNorm: variance'),
      weight: optionalHandle(options.weight, 'batchNorm: weight'),
      bias: optionalHandle(options.bias, 'batchNorm: bias'),
      eps: options.eps,
      activation: options.activation,
    }),
  );
}

/** Options of {@link batchNormTraining}. */
export interface BatchNormTrainingOptions {
  /** `[C]`, float32; moved towards the batch's mean in place. */
  runningMean: Tensor;
  /** `[C]`, float32; moved towards the batch's unbiased variance in place. */
  runningVariance: Tensor;
  /** One int64; counts the batches in place. */
  batchesTracked?: Tensor | undefined;
  /** `[C]`, float32; 1 where absent. */
  weight?: Tensor | null | undefined;
  /** `[C]`, float32; 0 where absent. */
  bias?: Tensor | null | undefined;
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined;
  /** How far the running statistics move: running += momentum · (batch − running); default 0.1. */
  momentum?: number | undefined;
}

/**
 * Batch normalization in training: as {@link batchNorm}, by the mean and the (biased) variance of the batch itself.
 * @param x - `[N, C, H, W]` with more than one value per channel
 * @returns `[N, C, H, W]`
 * @throws `ERR_SHAPE` where a channel has one value only, or a parameter or statistic is not `[C]`; `ERR_DTYPE`,
 *   `ERR_DEVICE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function batchNormTraining<D extends DType>(
  x: Tensor<D>,
  options: BatchNormTrainingOptions,
): Tensor<D> {
  checkOptions('batchNormTraining', options, [
    'runningMean',
    'runningVariance',
    'batchesTracked',
    'weight',
    'bias',
    'eps',
    'momentum',
  ]);
  const y = result(
    x,
    native().batchNormTraining({
      x: handle(x, 'batchNormTraining: x'),
      runningMean: handle(options.runningMean, 'batchNormTraining: runningMean'),
      runningVariance: handle(options.runningVariance, 'batchNormTraining: runningVariance'),
      batchesTracked: optionalHandle(options.batchesTracked, 'batchNormTraining: batchesTracked'),
      weight: optionalHandle(options.weight, 'batchNormTraining: weight'),
      bias: optionalHandle(options.bias, 'batchNormTraining: bias'),
      eps: options.eps,
      momentum: options.momentum,
    }),
  );
  options.runningMean.version++;
  options.runningVariance.version++;
  return y;
}

/**
 * The activation of each element.
 * @param x - of any shape
 * @returns a tensor of that shape
 * @throws `ERR_ARGUMENT` where there is no such activation; `ERR_DTYPE`, `ERR_DISPOSED`
 */
export function activation<D extends DType>(x: Tensor<D>, kind: Activation): Tensor<D> {
  if (kind === undefined || kind === null) {
    throw new CudnnResnetError('ERR_ARGUMENT', `activation: kind is missing, for example 'relu'`);
  }
  return result(x, native().activation({ x: handle(x, 'activation: x'), kind }));
}

/**
 * `activation(a + b)`.
 * @param a - of any shape
 * @param b - of the same shape, dtype and device
 * @returns a tensor of that shape
 * @throws `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DEVICE` where they differ; `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function add<D extends DType>(
  a: Tensor<D>,
  b: Tensor,
  options: { activation?: Activation | undefined } = {},
): Tensor<D> {
  checkOptions('add', options, ['activation']);
  return result(
    a,
    native().add({ a: handle(a, 'add: a'), b: handle(b, 'add: b'), activation: options.activation }),
  );
}

/** Options of {@link maxPool2d} and {@link avgPool2d}, in pixels. */
export interface Pool2dOptions {
  /** The window's size. */
  kernelSize: Pair;
  /** By how much the window moves; default: the kernel's size. */
  stride?: Pair | undefined;
  /** At most half the kernel's size; default 0. */
  padding?: Pair | undefined;
}

/**
 * The largest value in each window; padding never wins. On the CPU a window of −∞ alone gives float32's lowest number, and
 * bfloat16's (oneDNN begins with it).
 * @param x - `[N, C, H, W]`
 * @returns `[N, C, H', W']`, H' = ⌊(H + 2·padding − kernel) / stride⌋ + 1
 * @throws `ERR_SHAPE` where the kernel is larger than the padded input; `ERR_DTYPE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function maxPool2d<D extends DType>(x: Tensor<D>, options: Pool2dOptions): Tensor<D> {
  checkOptions('maxPool2d', options, ['kernelSize', 'stride', 'padding']);
  checkKernelSize('maxPool2d', options);
  return result(x, native().maxPool2d({ ...options, x: handle(x, 'maxPool2d: x') }));
}

/**
 * The mean of each window. `countIncludePad` (default true) counts the padding's zeros. Shapes and errors as
 * {@link maxPool2d}.
 */
export function avgPool2d<D extends DType>(
  x: Tensor<D>,
  options: Pool2dOptions & { countIncludePad?: boolean | undefined },
): Tensor<D> {
  checkOptions('avgPool2d', options, ['kernelSize', 'stride', 'padding', 'countIncludePad']);
  checkKernelSize('avgPool2d', options);
  return result(x, native().avgPool2d({ ...options, x: handle(x, 'avgPool2d: x') }));
}

/**
 * The mean of each channel.
 * @param x - `[N, C, H, W]`
 * @returns `[N, C, 1, 1]`
 * @throws `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function globalAvgPool<D extends DType>(x: Tensor<D>): Tensor<D> {
  return result(x, native().globalAvgPool({ x: handle(x, 'globalAvgPool: x') }));
}

/**
 * Softmax over dimension 1, the classes.
 * @param x - `[N, C]` or `[N, C, H, W]`
 * @returns a tensor of that shape
 * @throws `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function softmax<D extends DType>(x: Tensor<D>): Tensor<D> {
  return result(x, native().softmax({ x: handle(x, 'softmax: x') }));
}

/** Options of {@link normalizeImage}. */
export interface NormalizeImageOptions<D extends FloatDType = FloatDType> {
  /** Of red, green and blue, on the scale from 0 to 1. */
  mean: readonly [number, number, number];
  /** The standard deviations, on that scale, above 0. */
  std: readonly [number, number, number];
  /** Of the result; default `'float32'`. */
  dtype?: D | undefined;
}

/**
 * `(pixel / 255 − mean) / std` of RGB images.
 * @param pixels - uint8 `[N, H, W, 3]`
 * @returns `[N, 3, H, W]`
 * @throws `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export function normalizeImage<D extends FloatDType = 'float32'>(
  pixels: Tensor,
  options: NormalizeImageOptions<D>,
): Tensor<D> {
  checkOptions('normalizeImage', options, ['mean', 'std', 'dtype']);
  const { mean, std } = options;
  const dtype = (options.dtype ?? 'float32') as D;
  const y = native().normalizeImage({ pixels: handle(pixels, 'normalizeImage: pixels'), mean, std, dtype });
  return new Tensor(y, dtype, pixels.device);
}

function checkKernelSize(where: string, options: Pool2dOptions): void {
  if (options.kernelSize === undefined || options.kernelSize === null) {
    throw new CudnnResnetError('ERR_ARGUMENT', `${where}: the option kernelSize is missing`);
  }
}

function handle(x: Tensor, what: string): NativeTensor {
  return checkTensor(what, x).handle;
}

function optionalHandle(x: Tensor | null | undefined, what: string): NativeTensor | undefined {
  return x === undefined || x === null ? undefined : handle(x, what);
}

/** A result has the dtype and the device of the first input. */
function result<D extends DType>(x: Tensor<D>, y: NativeTensor): Tensor<D> {
  return new Tensor(y, x.dtype, x.device);
}
