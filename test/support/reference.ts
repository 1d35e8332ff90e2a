import { erf } from './erf.js';
import { map, type Values, zeros } from './values.js';

/*
 * Every primitive as plain loops over float64: slow, and short enough to be seen to be right. They take the options
 * of the package's own operations. test/05.reference.test.ts holds them against PyTorch.
 */

export type Activation = 'relu' | 'relu6' | 'sigmoid' | 'tanh' | 'gelu' | 'swish';
export type Pair = number | [number, number];

const activations: Readonly<Record<Activation, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  swish: (x) => x / (1 + Math.exp(-x)),
};

export function activation(x: Values, kind: Activation | undefined): Values {
  return kind === undefined ? x : map(x, activations[kind]);
}

export function add(a: Values, b: Values, options: { activation?: Activation } = {}): Values {
  return activation(
    map(a, (element, i) => element + b.data[i]!),
    options.activation,
  );
}

export interface Conv2dOptions {
  bias?: Values;
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
  activation?: Activation;
  add?: Values;
}

export function conv2d(x: Values, weight: Values, options: Conv2dOptions = {}): Values {
  const [batch, , height, width] = dimensions(x);
  const [outputs, inputsPerGroup, kernelHeight, kernelWidth] = dimensions(weight);
  const [strideY, strideX] = pair(options.stride ?? 1);
  const [paddingY, paddingX] = pair(options.padding ?? 0);
  const [dilationY, dilationX] = pair(options.dilation ?? 1);
  const outputsPerGroup = outputs / (options.groups ?? 1);
  const y = zeros([
    batch,
    outputs,
    windows(height, dilationY * (kernelHeight - 1) + 1, strideY, paddingY),
    windows(width, dilationX * (kernelWidth - 1) + 1, strideX, paddingX),
  ]);
  forEach(y, (n, k, oy, ox) => {
    const firstInput = Math.floor(k / outputsPerGroup) * inputsPerGroup;
    let sum = options.bias?.data[k] ?? 0;
    for (let c = 0; c < inputsPerGroup; c++) {
      for (let ky = 0; ky < kernelHeight; ky++) {
        const iy = oy * strideY - paddingY + ky * dilationY;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const ix = ox * strideX - paddingX + kx * dilationX;
          if (iy >= 0 && iy < height && ix >= 0 && ix < width) {
            sum += at(x, n, firstInput + c, iy, ix) * at(weight, k, c, ky, kx);
          }
        }
      }
    }
    return sum;
  });
  return activation(options.add ? add(y, options.add) : y, options.activation);
}

export function linear(
  x: Values,
  weight: Values,
  options: { bias?: Values; activation?: Activation } = {},
): Values {
  const image: Values = { shape: [...x.shape, 1, 1], data: x.data };
  const kernel: Values = { shape: [...weight.shape, 1, 1], data: weight.data };
  const y = conv2d(image, kernel, options);
  return { shape: y.shape.slice(0, 2), data: y.data };
}

export interface BatchNormOptions {
  mean: Values;
  variance: Values;
  weight?: Values;
  bias?: Values;
  eps?: number;
  activation?: Activation;
}

export function batchNorm(x: Values, options: BatchNormOptions): Values {
  const { mean, variance, weight, bias, eps = 1e-5 } = options;
  const y = zeros(x.shape);
  forEach(y, (n, c, iy, ix) => {
    const normal = (at(x, n, c, iy, ix) - mean.data[c]!) / Math.sqrt(variance.data[c]! + eps);
    return normal * (weight?.data[c] ?? 1) + (bias?.data[c] ?? 0);
  });
  return activation(y, options.activation);
}

export interface BatchNormTrainingOptions {
  runningMean: Values;
  runningVariance: Values;
  weight?: Values;
  bias?: Values;
  eps?: number;
  momentum?: number;
}

/** Normalised by the statistics of the batch; the running ones take the unbiased variance. */
export function batchNormTraining(
  x: Values,
  { runningMean, runningVariance, momentum = 0.1, ...affine }: BatchNormTrainingOptions,
): { y: Values; runningMean: Values; runningVariance: Values } {
  const channels = x.shape[1]!;
  const count = x.data.length / channels;
  const mean = zeros([channels]);
  forEach(x, (_n, c, _y, _x, element) => {
    mean.data[c]! += element / count;
    return element;
  });
  const variance = zeros([channels]);
  forEach(x, (_n, c, _y, _x, element) => {
    variance.data[c]! += (element - mean.data[c]!) ** 2 / count;
    return element;
  });
  const moved = (running: Values, batch: (c: number) => number) =>
    map(running, (value, c) => value + momentum * (batch(c) - value));
  return {
    y: batchNorm(x, { mean, variance, ...affine }),
    runningMean: moved(runningMean, (c) => mean.data[c]!),
    runningVariance: moved(runningVariance, (c) => (variance.data[c]! * count) / (count - 1)),
  };
}

export interface PoolOptions {
  kernelSize: Pair;
  stride?: Pair;
  padding?: Pair;
}

export function maxPool2d(x: Values, options: PoolOptions): Values {
  return pool2d(x, options, (inside) => inside.reduce((most, element) => Math.max(most, element), -Infinity));
}

export function avgPool2d(x: Values, options: PoolOptions & { countIncludePad?: boolean }): Values {
  const { countIncludePad = true } = options;
  return pool2d(
    x,
    options,
    (inside, area) =>
      inside.reduce((sum, element) => sum + element, 0) / (countIncludePad ? area : inside.length),
  );
}

/** `reduce` gets the elements of a window that lie inside the image, and the window's area. */
function pool2d(x: Values, options: PoolOptions, reduce: (inside: number[], area: number) => number): Values {
  const [batch, channels, height, width] = dimensions(x);
  const [kernelHeight, kernelWidth] = pair(options.kernelSize);
  const [strideY, strideX] = pair(options.stride ?? options.kernelSize);
  const [paddingY, paddingX] = pair(options.padding ?? 0);
  const y = zeros([
    batch,
    channels,
    windows(height, kernelHeight, strideY, paddingY),
    windows(width, kernelWidth, strideX, paddingX),
  ]);
  forEach(y, (n, c, oy, ox) => {
    const inside: number[] = [];
    for (let iy = oy * strideY - paddingY; iy < oy * strideY - paddingY + kernelHeight; iy++) {
      for (let ix = ox * strideX - paddingX; ix < ox * strideX - paddingX + kernelWidth; ix++) {
        if (iy >= 0 && iy < height && ix >= 0 && ix < width) {
          inside.push(at(x, n, c, iy, ix));
        }
      }
    }
    return reduce(inside, kernelHeight * kernelWidth);
  });
  return y;
}

export function globalAvgPool(x: Values): Values {
  const [, , height, width] = dimensions(x);
  return avgPool2d(x, { kernelSize: [height, width] });
}

/** Over dimension 1. */
export function softmax(x: Values): Values {
  const channels = x.shape[1]!;
  const inner = x.shape.slice(2).reduce((product, n) => product * n, 1);
  const y = zeros(x.shape);
  for (let row = 0; row < x.data.length / channels; row++) {
    const start = Math.floor(row / inner) * channels * inner + (row % inner);
    const positions = Array.from({ length: channels }, (_, c) => start + c * inner);
    const largest = Math.max(...positions.map((i) => x.data[i]!));
    const total = positions.reduce((sum, i) => sum + Math.exp(x.data[i]! - largest), 0);
    for (const i of positions) {
      y.data[i] = Math.exp(x.data[i]! - largest) / total;
    }
  }
  return y;
}

/** Per row of [N, C]: the `k` largest, the earlier first where two are equal. */
export function topK(x: Values, k: number): { indices: number[]; values: number[] }[] {
  const [rows, columns] = x.shape as [number, number];
  return Array.from({ length: rows }, (_, row) => {
    const elements = x.data.subarray(row * columns, (row + 1) * columns);
    const indices = Array.from(elements.keys())
      .sort((a, b) => elements[b]! - elements[a]! || a - b)
      .slice(0, k);
    return { indices, values: indices.map((i) => elements[i]!) };
  });
}

/** Pixels [N, H, W, 3] of 0 to 255 become [N, 3, H, W]. */
export function normalizeImage(pixels: Values, { mean, std }: { mean: number[]; std: number[] }): Values {
  const [batch, height, width] = dimensions(pixels);
  const y = zeros([batch, 3, height, width]);
  forEach(y, (n, c, iy, ix) => (at(pixels, n, iy, ix, c) / 255 - mean[c]!) / std[c]!);
  return y;
}

/** How many windows of `extent` fit. */
function windows(length: number, extent: number, stride: number, padding: number): number {
  return Math.floor((length + 2 * padding - extent) / stride) + 1;
}

function pair(value: Pair): [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}

function dimensions(x: Values): [number, number, number, number] {
  return x.shape as [number, number, number, number];
}

function at(x: Values, a: number, b: number, c: number, d: number): number {
  const [, sizeB, sizeC, sizeD] = dimensions(x);
  return x.data[((a * sizeB + b) * sizeC + c) * sizeD + d]!;
}

/** Sets each element of a tensor of four dimensions to what `f` gives for its position and its value so far. */
function forEach(
  y: Values,
  f: (n: number, c: number, y: number, x: number, element: number) => number,
): void {
  const [batch, channels, height, width] = dimensions(y);
  let i = 0;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let iy = 0; iy < height; iy++) {
        for (let ix = 0; ix < width; ix++) {
          y.data[i] = f(n, c, iy, ix, y.data[i]!);
          i++;
        }
      }
    }
  }
}
