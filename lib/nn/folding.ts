import { native } from '../native.js';
import { unscoped } from '../scope.js';
import { Tensor } from '../tensor.js';
import type { BatchNorm2d } from './batch-norm2d.js';
import type { Conv2d } from './conv2d.js';

/** The weight and bias of a convolution with a batch norm in inference folded into them. */
export class Folding {
  readonly weight: Tensor;
  /** float32. */
  readonly bias: Tensor;
  /** What was folded: a layer that nobody else holds is not to be kept for this. */
  readonly batchNorm: WeakRef<BatchNorm2d>;
  readonly #tensors: ReturnType<typeof tensorsOf>;
  readonly #eps: number;
  #foldedVersion = -1;

  constructor(conv: Conv2d, batchNorm: BatchNorm2d) {
    const { shape, dtype, device } = conv.weight;
    const unwritten = (extents: readonly number[], type: typeof dtype) =>
      new Tensor(native().unwritten({ device: device.handle, shape: extents, dtype: type }), type, device);
    [this.weight, this.bias] = unscoped(() => [
      unwritten(shape, dtype),
      unwritten(shape.slice(0, 1), 'float32'),
    ]);
    this.batchNorm = new WeakRef(batchNorm);
    this.#tensors = tensorsOf(conv, batchNorm);
    this.#eps = batchNorm.eps;
  }

  /** Whether it is of these layers, with the tensors that they have now. */
  isOf(conv: Conv2d, batchNorm: BatchNorm2d): boolean {
    if (this.batchNorm.deref() !== batchNorm) return false; // another may share its tensors, for now
    const tensors = tensorsOf(conv, batchNorm);
    return this.#eps === batchNorm.eps && this.#tensors.every((tensor, i) => tensor === tensors[i]);
  }

  /** Whether one of the tensors that it is of was disposed of: it is what it is for ever. */
  isOutlived(): boolean {
    return this.#tensors.some((tensor) => tensor?.disposed);
  }

  /** Folds, where one of the tensors has changed since it did, or where that failed, as for want of memory. */
  refresh(): void {
    if (!this.#isCurrent()) this.#fold();
  }

  /** As {@link Folding.refresh}, for a program, which outlives the layers that it was recorded of. */
  beforeRun(): void {
    if (!this.#isCurrent() && !this.weight.disposed && !this.isOutlived()) this.#fold();
  }

  #isCurrent(): boolean {
    return this.#foldedVersion === this.#version() && !this.weight.handle.failed();
  }

  /** Grows whenever a tensor is given other values or disposed of: each has a count of that, which only grows. */
  #version(): number {
    return this.#tensors.reduce((sum, tensor) => sum + (tensor?.version ?? 0), 0);
  }

  #fold(): void {
    const [weight, bias, mean, variance, batchNormWeight, batchNormBias] = this.#tensors;
    native().foldBatchNorm({
      weight: weight.handle,
      bias: bias?.handle,
      mean: mean.handle,
      variance: variance.handle,
      batchNormWeight: batchNormWeight?.handle,
      batchNormBias: batchNormBias?.handle,
      eps: this.#eps,
      foldedWeight: this.weight.handle,
      foldedBias: this.bias.handle,
    });
    this.#foldedVersion = this.#version();
  }

  dispose(): void {
    this.weight.dispose();
    this.bias.dispose();
  }
}

function tensorsOf(conv: Conv2d, { running_mean, running_var, weight, bias }: BatchNorm2d) {
  return [conv.weight, conv.bias, running_mean, running_var, weight, bias] as const;
}
