import { checkBoolean } from '../boolean.js';
import { CudnnResnetError } from '../errors.js';
import { checkExtent, checkInteger } from '../integer.js';
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

/** Options of {@link Bottleneck}, beside those of every layer. */
export interface BottleneckOptions extends LayerOptions {
  /** Of the 3×3 convolution; default 1. */
  stride?: number | undefined;
  /** Channels of the 3×3 convolution; default a quarter of the output's. */
  width?: number | undefined;
  /** Of the 3×3 convolution; default 1. */
  groups?: number | undefined;
  /** Whether the shortcut has a convolution; default: where the stride or the channels change. */
  downsample?: boolean | undefined;
}

/**
 * 1×1, 3×3 and 1×1 convolutions and a shortcut: the block of ResNet-50, 101 and 152. `Bottleneck(64, 256)` has a 1×1
 * convolution with batch norm in its shortcut, `Bottleneck(256, 256)` hands its input on. The 3×3 convolution carries
 * the stride ("v1.5", as in torchvision).
 */
export class Bottleneck extends Module {
  /** How many times as many channels its result has as its 3×3 convolution, where no `width` is given. */
  static readonly expansion: number = 4;

  /** A 1×1 convolution to `width` channels. */
  conv1: Conv2d;
  /** Of the first convolution. */
  bn1: BatchNorm2d;
  /** A 3×3 convolution, which carries the stride and the groups. */
  conv2: Conv2d;
  /** Of the second convolution. */
  bn2: BatchNorm2d;
  /** A 1×1 convolution to the channels of the result. */
  conv3: Conv2d;
  /** Of the third convolution; the shortcut is added to its result. */
  bn3: BatchNorm2d;
  /** Shown in the text only: activations are fused into what comes before them. */
  relu: ReLU;
  /** The shortcut's convolution and batch norm; null where the input is handed on as it is. */
  downsample: Sequential | null;

  /**
   * @throws `ERR_SHAPE` where channels or the width are no integers of at least 1, or the width does not divide into the
   *   groups; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_ARGUMENT`
   */
  constructor(inChannels: number, outChannels: number, options: BottleneckOptions = {}) {
    super();
    checkOptions('Bottleneck', options, ['stride', 'width', 'groups', 'downsample', ...layerOptionNames]);
    // before anything is made
    checkExtent('Bottleneck: inChannels', inChannels);
    checkExtent('Bottleneck: outChannels', outChannels);
    const {
      stride = 1,
      width = widthOf(outChannels, new.target.expansion),
      groups = 1,
      downsample = stride !== 1 || inChannels !== outChannels,
      ...place
    } = options;
    checkInteger('Bottleneck: stride', stride);
    checkExtent('Bottleneck: width', width);
    checkInteger('Bottleneck: groups', groups);
    if (width % groups !== 0) {
      throw new CudnnResnetError(
        'ERR_SHAPE',
        `Bottleneck: a width of ${width} channels does not divide into ${groups} groups`,
      );
    }
    checkBoolean('Bottleneck: downsample', downsample);
    const { device } = place;
    this.conv1 = new Conv2d(inChannels, width, 1, { bias: false, ...place });
    this.bn1 = new BatchNorm2d(width, { device });
    this.conv2 = new Conv2d(width, width, 3, { stride, padding: 1, groups, bias: false, ...place });
    this.bn2 = new BatchNorm2d(width, { device });
    this.conv3 = new Conv2d(width, outChannels, 1, { bias: false, ...place });
    this.bn3 = new BatchNorm2d(outChannels, { device });
    this.relu = new ReLU({ inplace: true });
    this.downsample = downsample ? downsampling(inChannels, outChannels, stride, place) : null;
  }

  /** `[N, inChannels, H, W]` to `[N, outChannels, ⌈H / stride⌉, ⌈W / stride⌉]`. */
  override forward(x: Tensor): Tensor {
    return moduleScope([this], () => {
      let out = convBatchNorm(x, this.conv1, this.bn1, { activation: 'relu' });
      out = convBatchNorm(out, this.conv2, this.bn2, { activation: 'relu' });
      const shortcut = this.downsample?.forward(x) ?? x;
      return convBatchNorm(out, this.conv3, this.bn3, { add: shortcut, activation: 'relu' });
    });
  }
}

function widthOf(outChannels: number, expansion: number): number {
  if (outChannels % expansion !== 0) {
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `Bottleneck: outChannels must be divisible by ${expansion}, got ${outChannels}: ` +
        'say how many channels the 3×3 convolution has with the option width',
    );
  }
  return outChannels / expansion;
}
