import { checkInteger } from '../integer.js';
import { BatchNorm2d } from '../nn/batch-norm2d.js';
import { convBatchNorm } from '../nn/conv-batch-norm.js';
import { Conv2d } from '../nn/conv2d.js';
import { type LayerOptions, layerOptionNames } from '../nn/layer-options.js';
import { Module } from '../nn/module.js';
import { moduleScope } from '../nn/module-scope.js';
import { ReLU } from '../nn/relu.js';
import type { Sequential } from '../nn/sequential.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { downsampling } from './downsampling.js';

/** Options of {@link BasicBlock}, beside those of every layer. */
export interface BasicBlockOptions extends LayerOptions {
  /** Of the first convolution; default 1. */
  stride?: number | undefined;
}

/**
 * Two 3×3 convolutions and a shortcut: the block of ResNet-18 and 34. Where the stride or the channels change, the
 * shortcut is a 1×1 convolution with batch norm.
 */
export class BasicBlock extends Module {
  /** How many times as many channels its result has as its 3×3 convolutions have inside. */
  static readonly expansion: number = 1;

  /** A 3×3 convolution, which carries the stride. */
  conv1: Conv2d;
  /** Of the first convolution. */
  bn1: BatchNorm2d;
  /** Shown in the text only: activations are fused into what comes before them. */
  relu: ReLU;
  /** A 3×3 convolution. */
  conv2: Conv2d;
  /** Of the second convolution; the shortcut is added to its result. */
  bn2: BatchNorm2d;
  /** The shortcut's convolution and batch norm; null where the input is handed on as it is. */
  downsample: Sequential | null;

  /**
   * @throws `ERR_SHAPE` where channels are no integers of at least 1; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_ARGUMENT`
   */
  constructor(inChannels: number, outChannels: number, options: BasicBlockOptions = {}) {
    super();
    checkOptions('BasicBlock', options, ['stride', ...layerOptionNames]);
    const { stride = 1, ...place } = options;
    checkInteger('BasicBlock: stride', stride); // before anything is made
    const { device } = place;
    this.conv1 = new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false, ...place });
    this.bn1 = new BatchNorm2d(outChannels, { device });
    this.relu = new ReLU({ inplace: true });
    this.conv2 = new Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false, ...place });
    this.bn2 = new BatchNorm2d(outChannels, { device });
    this.downsample =
      stride !== 1 || inChannels !== outChannels
        ? downsampling(inChannels, outChannels, stride, place)
        : null;
  }

  /** `[N, inChannels, H, W]` to `[N, outChannels, ⌈H / stride⌉, ⌈W / stride⌉]`. */
  override forward(x: Tensor): Tensor {
    return moduleScope([this], () => {
      const out = convBatchNorm(x, this.conv1, this.bn1, { activation: 'relu' });
      const shortcut = this.downsample?.forward(x) ?? x;
      return convBatchNorm(out, this.conv2, this.bn2, { add: shortcut, activation: 'relu' });
    });
  }
}
