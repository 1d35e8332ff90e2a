import { checkBoolean } from '../boolean.js';
import { type ComputeOptions, computeOptions } from '../compute-options.js';
import { checkExtent } from '../integer.js';
import * as ops from '../ops.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { initialTensor, uniformFanIn } from './initialize.js';
import { type LayerOptions, layerOptionNames, placement } from './layer-options.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { pythonBool } from './python.js';

/** Options of {@link Linear}. */
export interface LinearLayerOptions extends LayerOptions {
  /** Whether there is a bias; default true. */
  bias?: boolean | undefined;
}

/** `x · weightᵀ + bias` over `[N, in]`. */
export class Linear extends Module {
  /** `[outFeatures, inFeatures]` */
  weight: Parameter;
  /** `[outFeatures]` */
  bias: Parameter | null;
  /** The numbers of each row of the input. */
  readonly inFeatures: number;
  /** The numbers of each row of the result. */
  readonly outFeatures: number;
  /** How it is computed. */
  readonly compute: Readonly<ComputeOptions>;

  /** @throws `ERR_SHAPE` where a number of features is no integer of at least 1; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_ARGUMENT` */
  constructor(inFeatures: number, outFeatures: number, options: LinearLayerOptions = {}) {
    super();
    checkOptions('Linear', options, ['bias', ...layerOptionNames]);
    this.inFeatures = checkExtent('Linear: inFeatures', inFeatures);
    this.outFeatures = checkExtent('Linear: outFeatures', outFeatures);
    const { bias: hasBias = true } = options;
    checkBoolean('Linear: bias', hasBias);
    this.compute = computeOptions('Linear', options);
    const place = placement('Linear', options);
    const shape = [outFeatures, inFeatures];
    const initial = uniformFanIn(shape);
    this.weight = new Parameter(initialTensor(shape, initial, place));
    this.bias = hasBias ? new Parameter(initialTensor([outFeatures], initial, place)) : null;
  }

  /** `[N, inFeatures]` to `[N, outFeatures]`; errors as `ops.linear`. */
  override forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, { ...this.compute, bias: this.bias });
  }

  protected override describeOptions(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pythonBool(this.bias !== null)}`;
  }
}
