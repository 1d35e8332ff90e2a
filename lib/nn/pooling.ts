import { CudnnResnetError } from '../errors.js';
import * as ops from '../ops.js';
import { checkOptions } from '../options.js';
import { shapeText } from '../shape.js';
import { checkTensor, type Tensor } from '../tensor.js';
import { Module } from './module.js';
import { pairOrNumber } from './pair.js';
import { pythonTuple } from './python.js';

/** The largest value in each window; see `ops.maxPool2d`. */
export class MaxPool2d extends Module {
  /** The window's size in pixels. */
  readonly kernelSize: ops.Pair;
  /** By how many pixels the window moves. */
  readonly stride: ops.Pair;
  /** What never wins, in pixels on each side. */
  readonly padding: ops.Pair;

  /**
   * @param options - `stride`: the kernel's size unless told; `padding`: 0 unless told.
   * @throws `ERR_ARGUMENT` where one of these is neither an integer nor two of them
   */
  constructor(
    kernelSize: ops.Pair,
    options: { stride?: ops.Pair | undefined; padding?: ops.Pair | undefined } = {},
  ) {
    super();
    checkOptions('MaxPool2d', options, ['stride', 'padding']);
    this.kernelSize = pairOrNumber('MaxPool2d: kernelSize', kernelSize);
    this.stride = pairOrNumber('MaxPool2d: stride', options.stride ?? kernelSize);
    this.padding = pairOrNumber('MaxPool2d: padding', options.padding ?? 0, 0);
  }

  /** `[N, C, H, W]` to `[N, C, H', W']`; sizes and errors as `ops.maxPool2d`. */
  override forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding } = this;
    return ops.maxPool2d(x, { kernelSize, stride, padding });
  }

  protected override describeOptions(): string {
    const [kernelSize, stride, padding] = [this.kernelSize, this.stride, this.padding].map(pythonPair);
    return `kernel_size=${kernelSize}, stride=${stride}, padding=${padding}, dilation=1, ceil_mode=False`;
  }
}

/** The mean over equal windows, as many as `outputSize` asks for: 1 gives the mean of each channel. */
export class AdaptiveAvgPool2d extends Module {
  /** The size of the result in pixels. */
  readonly outputSize: ops.Pair;

  /** @throws `ERR_ARGUMENT` where `outputSize` is neither an integer of at least 1 nor two of them */
  constructor(outputSize: ops.Pair) {
    super();
    this.outputSize = pairOrNumber('AdaptiveAvgPool2d: outputSize', outputSize);
  }

  /**
   * `[N, C, H, W]` to `[N, C, h, w]`, where h and w are `outputSize`.
   *
   * @throws `ERR_SHAPE` where the input does not divide into windows of one size; `ERR_DTYPE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
   */
  override forward(x: Tensor): Tensor {
    const { outputSize } = this;
    const [height, width] = typeof outputSize === 'number' ? [outputSize, outputSize] : outputSize;
    checkTensor('AdaptiveAvgPool2d: x', x);
    if (x.shape.length !== 4) {
      throw new CudnnResnetError(
        'ERR_SHAPE',
        `AdaptiveAvgPool2d: expected an input of shape [N, C, H, W], got ${shapeText(x.shape)}`,
      );
    }
    const [, , h, w] = x.shape as [number, number, number, number];
    if (h % height !== 0 || w % width !== 0) {
      throw new CudnnResnetError(
        'ERR_SHAPE',
        `AdaptiveAvgPool2d: an input of ${h}×${w} does not divide into ${height}×${width} equal windows`,
      );
    }
    return height === 1 && width === 1
      ? ops.globalAvgPool(x)
      : ops.avgPool2d(x, { kernelSize: [h / height, w / width] });
  }

  protected override describeOptions(): string {
    return `output_size=${pythonPair(this.outputSize)}`;
  }
}

function pythonPair(pair: ops.Pair): string {
  return typeof pair === 'number' ? String(pair) : pythonTuple(pair);
}
