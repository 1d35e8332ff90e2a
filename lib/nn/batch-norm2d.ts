import { CudnnResnetError } from '../errors.js';
import { checkExtent } from '../integer.js';
import { shown } from '../kind-of.js';
import * as ops from '../ops.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { initialTensor } from './initialize.js';
import { type LayerOptions, placement } from './layer-options.js';
import { Module, type Placement } from './module.js';
import { Parameter } from './parameter.js';
import { pythonFloat } from './python.js';

/** Options of {@link BatchNorm2d}. */
export interface BatchNorm2dOptions extends Pick<LayerOptions, 'device'> {
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined;
  /** How far the running statistics move at each batch; default 0.1. */
  momentum?: number | undefined;
}

/**
 * Batch normalization over `[N, C, H, W]`. Its parameters and statistics are float32, whatever the dtype of `x`.
 * In training mode it normalises by the batch and moves the running statistics.
 */
export class BatchNorm2d extends Module {
  /** `[features]`, ones at first. */
  weight: Parameter;
  /** `[features]`, zeros at first. */
  bias: Parameter;
  /** `[features]`, zeros at first. */
  running_mean: Tensor;
  /** `[features]`, ones at first; of unbiased variances. */
  running_var: Tensor;
  /** How many batches moved the running statistics: one int64. */
  num_batches_tracked: Tensor;
  /** The number of channels. */
  readonly features: number;
  /** Added to the variance. */
  readonly eps: number;
  /** How far the running statistics move at each batch. */
  readonly momentum: number;

  /** @throws `ERR_SHAPE` where `features` is no integer of at least 1; `ERR_DEVICE`, `ERR_ARGUMENT` */
  constructor(features: number, options: BatchNorm2dOptions = {}) {
    super();
    checkOptions('BatchNorm2d', options, ['eps', 'momentum', 'device']);
    this.features = checkExtent('BatchNorm2d: features', features);
    const { eps = 1e-5, momentum = 0.1 } = options; // null, PyTorch's None, would be the mean of all batches
    this.eps = checkNumber('BatchNorm2d: eps', eps);
    this.momentum = checkNumber('BatchNorm2d: momentum', momentum);
    const { device } = placement('BatchNorm2d', options);
    const filled = (value: number) =>
      initialTensor([features], { kind: 'constant', value }, { device, dtype: 'float32' });
    this.weight = new Parameter(filled(1));
    this.bias = new Parameter(filled(0));
    this.running_mean = filled(0);
    this.running_var = filled(1);
    this.num_batches_tracked = initialTensor([], { kind: 'constant', value: 0 }, { device, dtype: 'int64' });
  }

  /** `[N, features, H, W]` to the same shape; errors as `ops.batchNorm` and, in training mode, `ops.batchNormTraining`. */
  override forward(x: Tensor): Tensor {
    const { running_mean, running_var, weight, bias, eps, momentum } = this;
    if (!this.training) {
      return ops.batchNorm(x, { mean: running_mean, variance: running_var, weight, bias, eps });
    }
    return ops.batchNormTraining(x, {
      runningMean: running_mean,
      runningVariance: running_var,
      batchesTracked: this.num_batches_tracked,
      weight,
      bias,
      eps,
      momentum,
    });
  }

  /** @internal PyTorch before 0.4.1 did not count, and of torchvision's files those of IMAGENET1K_V1 hold no counts. */
  override optionalTensors(): Tensor[] {
    return [this.num_batches_tracked, ...super.optionalTensors()];
  }

  /** @internal The dtype stays float32. */
  protected override ownPlacement({ device }: Placement): Placement {
    return { device };
  }

  protected override describeOptions(): string {
    const eps = pythonFloat(this.eps);
    const momentum = pythonFloat(this.momentum);
    return `${this.features}, eps=${eps}, momentum=${momentum}, affine=True, track_running_stats=True`;
  }
}

/** `value`, or an error where it is no finite number of at least 0. */
function checkNumber(what: string, value: number): number {
  if (!Number.isFinite(value) || value < 0) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `${what} must be a finite number of at least 0, got ${shown(value)}`,
    );
  }
  return value;
}
