import { CudnnResnetError } from '../errors.js';
import { checkInteger } from '../integer.js';
import { kindOf, shown } from '../kind-of.js';
import { BasicBlock } from './basic-block.js';
import { Bottleneck } from './bottleneck.js';

/** The makings of a ResNet of one's own. */
export interface ResNetStructure {
  /**
   * What the groups are made of. In inference a block of a class of yours runs once for each shape and is recorded: what it
   * looks up, or draws, beside tensors is that of this one run, and `dataSync` is not to be called in it.
   */
  block: typeof BasicBlock | typeof Bottleneck;
  /** How many blocks each of the four groups has. */
  layers: readonly [number, number, number, number];
}

/** Throws `ERR_ARGUMENT` where there is no such block, or a group has no blocks. */
export function checkStructure(block: unknown, layers: unknown): void {
  if (!isKindOf(block, BasicBlock) && !isKindOf(block, Bottleneck)) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `ResNet: block must be BasicBlock or Bottleneck, got ${kindOf(block)}`,
    );
  }
  if (!Array.isArray(layers) || layers.length !== 4) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `ResNet: layers must be four numbers of blocks, such as [2, 2, 2, 2], got ${shown(layers)}`,
    );
  }
  for (const blocks of layers) checkInteger('ResNet: layers', blocks);
}

/** Whether `block` is a class or one derived from it. */
function isKindOf(block: unknown, of: typeof BasicBlock | typeof Bottleneck): boolean {
  return typeof block === 'function' && (block === of || block.prototype instanceof of);
}
