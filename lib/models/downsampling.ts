import { BatchNorm2d } from '../nn/batch-norm2d.js';
import { Conv2d } from '../nn/conv2d.js';
import type { LayerOptions } from '../nn/layer-options.js';
import { Sequential } from '../nn/sequential.js';

/** The shortcut of a block that changes its input's size: a strided 1×1 convolution with batch norm. */
export function downsampling(
  inChannels: number,
  outChannels: number,
  stride: number,
  place: LayerOptions,
): Sequential {
  return new Sequential(
    new Conv2d(inChannels, outChannels, 1, { stride, bias: false, ...place }),
    new BatchNorm2d(outChannels, { device: place.device }),
  );
}
