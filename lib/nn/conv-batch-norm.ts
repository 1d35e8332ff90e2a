import * as ops from '../ops.js';
import type { Tensor } from '../tensor.js';
import type { BatchNorm2d } from './batch-norm2d.js';
import type { Conv2d } from './conv2d.js';
import { moduleScope } from './module-scope.js';

/**
 * `activation(batchNorm(conv(x)) + add)`: one fused convolution where the batch norm is in inference mode, separate
 * operations where it is in training mode.
 */
export function convBatchNorm(
  x: Tensor,
  conv: Conv2d,
  batchNorm: BatchNorm2d,
  { activation, add }: Pick<ops.Conv2dOptions, 'activation' | 'add'> = {},
): Tensor {
  if (!batchNorm.training) {
    return conv.applyFolded(x, batchNorm, { activation, add });
  }
  return moduleScope([conv, batchNorm], () => {
    const convolved = conv.forward(x);
    return add
      ? ops.add(batchNorm.forward(convolved), add, { activation })
      : batchNorm.apply(convolved, { activation });
  });
}
