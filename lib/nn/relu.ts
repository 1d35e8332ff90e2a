import { checkBoolean } from '../boolean.js';
import * as ops from '../ops.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { Module } from './module.js';

/** `max(x, 0)`. `inplace` is shown in the text, as in PyTorch; tensors are never changed. */
export class ReLU extends Module {
  /** Whether the text shows it. */
  readonly inplace: boolean;

  /** @throws `ERR_ARGUMENT` */
  constructor(options: { inplace?: boolean | undefined } = {}) {
    super();
    checkOptions('ReLU', options, ['inplace']);
    this.inplace = checkBoolean('ReLU: inplace', options.inplace ?? false);
  }

  /** Of any shape to the same shape; errors as `ops.activation`. */
  override forward(x: Tensor): Tensor {
    return ops.activation(x, 'relu');
  }

  protected override describeOptions(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}
