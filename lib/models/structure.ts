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

/** Blocks per group, as in table 1 of "Deep Residual Learning for Image Recognition" (He et al., 2015). */
export const family = {
  ResNet18: { block: BasicBlock, layers: [2, 2, 2, 2] },
  ResNet34: { block: BasicBlock, layers: [3, 4, 6, 3] },
  ResNet50: { block: Bottleneck, layers: [3, 4, 6, 3] },
  ResNet101: { block: Bottleneck, layers: [3, 4, 23, 3] },
  ResNet152: { block: Bottleneck, layers: [3, 8, 36, 3] },
} as const;

/** Which of the family a state dict is of, by its keys. */
export function memberOf(state: ReadonlyMap<string, unknown>): keyof typeof family | undefined {
  const hasBlock = (group: number, block: number) => state.has(`layer${group}.${block}.conv1.weight`);
  const isDeep = state.has('layer1.0.conv3.weight');
  const names = Object.keys(family) as (keyof typeof family)[];
  return names.find((name) => {
    const { block, layers } = family[name];
    const fits = layers.every((blocks, i) => hasBlock(i + 1, blocks - 1) && !hasBlock(i + 1, blocks));
    return fits && (block === Bottleneck) === isDeep;
  });
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
