import { checkBoolean } from '../boolean.js';
import { type ComputeOptions, computeOptions } from '../compute-options.js';
import { CudnnResnetError } from '../errors.js';
import { checkExtent, checkInteger } from '../integer.js';
import * as ops from '../ops.js';
import { checkOptions } from '../options.js';
import { beforeEachRun } from '../program.js';
import type { Tensor } from '../tensor.js';
import type { BatchNorm2d } from './batch-norm2d.js';
import { Folding } from './folding.js';
import { convolutionInitializer, initialTensor, uniformFanIn } from './initialize.js';
import { type LayerOptions, layerOptionNames, placement } from './layer-options.js';
import { Module } from './module.js';
import { pair } from './pair.js';
import { Parameter } from './parameter.js';
import { pythonTuple } from './python.js';

/** Options of {@link Conv2d}. */
export interface Conv2dLayerOptions
  extends LayerOptions,
    Pick<ops.Conv2dOptions, 'stride' | 'padding' | 'dilation' | 'groups'> {
  /** Whether there is a bias; default true. */
  bias?: boolean | undefined;
}

/** A 2-D convolution over `[N, in, H, W]`, with PyTorch's initial values and text. */
export class Conv2d extends Module {
  /** `[outChannels, inChannels / groups, kernel height, kernel width]` */
  weight: Parameter;
  /** `[outChannels]` */
  bias: Parameter | null;
  /** The channels of the input. */
  readonly inChannels: number;
  /** The channels of the result. */
  readonly outChannels: number;
  /** Height and width. */
  readonly kernelSize: readonly [number, number];
  /** By how many pixels the kernel moves, down and to the right. */
  readonly stride: readonly [number, number];
  /** Zeros above and below, and to the left and right. */
  readonly padding: readonly [number, number];
  /** The pixels from one tap of the kernel to the next, down and to the right. */
  readonly dilation: readonly [number, number];
  /** Into how many groups the channels are divided. */
  readonly groups: number;
  /** How it is computed. */
  readonly compute: Readonly<ComputeOptions>;
  /** One for each batch norm: programs that were recorded read theirs whichever ran last. */
  readonly #foldings = new Set<Folding>();

  /**
   * @throws `ERR_SHAPE` where channels or the kernel's sides are no integers of at least 1, or the channels do not divide
   *   into the groups; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_ARGUMENT`
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: ops.Pair,
    options: Conv2dLayerOptions = {},
  ) {
    super();
    checkOptions('Conv2d', options, ['stride', 'padding', 'dilation', 'groups', 'bias', ...layerOptionNames]);
    this.inChannels = checkExtent('Conv2d: inChannels', inChannels);
    this.outChannels = checkExtent('Conv2d: outChannels', outChannels);
    this.kernelSize = pair('Conv2d: kernelSize', kernelSize, 1, 'ERR_SHAPE'); // the weight has these extents
    this.stride = pair('Conv2d: stride', options.stride ?? 1);
    this.padding = pair('Conv2d: padding', options.padding ?? 0, 0);
    this.dilation = pair('Conv2d: dilation', options.dilation ?? 1);
    this.groups = checkInteger('Conv2d: groups', options.groups ?? 1);
    if (inChannels % this.groups !== 0 || outChannels % this.groups !== 0) {
      throw new CudnnResnetError(
        'ERR_SHAPE',
        `Conv2d: ${inChannels} input and ${outChannels} output channels do not divide into ${this.groups} groups`,
      );
    }
    const { bias: hasBias = true } = options;
    checkBoolean('Conv2d: bias', hasBias);
    this.compute = computeOptions('Conv2d', options);
    const place = placement('Conv2d', options);
    const shape = [outChannels, inChannels / this.groups, ...this.kernelSize];
    this.weight = new Parameter(initialTensor(shape, convolutionInitializer(shape), place));
    this.bias = hasBias ? new Parameter(initialTensor([outChannels], uniformFanIn(shape), place)) : null;
  }

  /** `[N, inChannels, H, W]` to `[N, outChannels, H', W']`; sizes and errors as `ops.conv2d`. */
  override forward(x: Tensor): Tensor {
    return ops.conv2d(x, this.weight, { ...this.attributes(), bias: this.bias });
  }

  /**
   * @internal With `batchNorm` in inference folded into weight and bias, and an activation, or a tensor to add, in the same
   * operation.
   */
  applyFolded(
    x: Tensor,
    batchNorm: BatchNorm2d,
    fused: Pick<ops.Conv2dOptions, 'activation' | 'add'>,
  ): Tensor {
    const folding = this.#foldedWith(batchNorm);
    beforeEachRun(folding);
    const { weight, bias } = folding;
    return ops.conv2d(x, weight, { ...this.attributes(), ...fused, bias, algorithm: 'fast' });
  }

  override dispose(): void {
    this.#dropFoldings();
    super.dispose();
  }

  /** @internal What was folded goes too: it may be moved to make room. */
  protected override moveTensors(...[to, moved]: Parameters<Module['moveTensors']>): void {
    const { weight } = this;
    super.moveTensors(to, moved);
    if (this.weight !== weight) this.#dropFoldings();
  }

  #dropFoldings(): void {
    for (const folding of this.#foldings) folding.dispose();
    this.#foldings.clear();
  }

  private attributes(): Omit<ops.Conv2dOptions, 'bias' | 'activation' | 'add'> {
    const { stride, padding, dilation, groups, compute } = this;
    return { stride, padding, dilation, groups, ...compute };
  }

  #foldedWith(batchNorm: BatchNorm2d): Folding {
    let folding = [...this.#foldings].find((known) => known.isOf(this, batchNorm));
    if (!folding) {
      for (const former of this.#foldings) {
        const of = former.batchNorm.deref();
        if (of === batchNorm || former.isOutlived()) former.dispose();
        else if (of) continue;
        this.#foldings.delete(former); // of a batch norm that was collected: a program may read it still
      }
      folding = new Folding(this, batchNorm);
      this.#foldings.add(folding);
    }
    folding.refresh();
    return folding;
  }

  protected override describeOptions(): string {
    const parts = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${pythonTuple(this.kernelSize)}`,
      `stride=${pythonTuple(this.stride)}`,
    ];
    if (this.padding.some((p) => p !== 0)) parts.push(`padding=${pythonTuple(this.padding)}`);
    if (this.dilation.some((d) => d !== 1)) parts.push(`dilation=${pythonTuple(this.dilation)}`);
    if (this.groups !== 1) parts.push(`groups=${this.groups}`);
    if (this.bias === null) parts.push('bias=False');
    return parts.join(', ');
  }
}
