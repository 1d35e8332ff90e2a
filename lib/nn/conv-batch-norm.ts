import * as ops from '../ops.js';
import type { Tensor } from '../tensor.js';
import { BatchNorm2d } from './batch-norm2d.js';
import { computesAs } from './computes-as.js';
import { Conv2d } from './conv2d.js';
import { moduleScope } from './module-scope.js';

/**
 * `activation(batchNorm(conv(x)) + add)`: one fused convolution where the batch norm is in inference mode, separate
 * operations where it is in training mode, or where one of the two is a class of the user's with a `forward` of its own.
 */
export function convBatchNorm(
  x: Tensor,
  conv: Conv2d,
  batchNorm: BatchNorm2d,
  { activation, add }: Pick<ops.Conv2dOptions, 'activation' | 'add'> = {},
): Tensor {
  if (!batchNorm.training && computesAs(Conv2d, conv) && computesAs(BatchNorm2d, batchNorm)) {
    return conv.applyFolded(x, batchNorm, { activation, add });
  }
  return moduleScope([conv, batchNorm], () => {
    const normalised = batchNorm.forward(conv.forward(x));
    if (add) return ops.add(normalised, add, { activation });
    return activation ? ops.activation(normalised, activation) : normalised;
  });
}
