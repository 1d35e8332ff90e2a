import type { AbortOptions } from '../abort.js';
import { labelOf } from '../image/labels.js';
import type { Tensor } from '../tensor.js';

/** One class of an image, as a model sees it. */
export interface Classification {
  /** ImageNet's name of the class; `class 17` where the model does not have ImageNet's 1000. */
  label: string;
  /** The number of the class, from 0. */
  index: number;
  /** The probability, from 0 to 1. */
  score: number;
}

/** The `top` most probable classes of each image, best first, from probabilities [N, classes]. */
export async function classesOf(
  probabilities: Tensor,
  top: number,
  options: AbortOptions = {},
): Promise<Classification[][]> {
  const classes = probabilities.shape[1]!;
  const best = await probabilities.topK(top, options);
  return best.map(({ indices, values }) =>
    indices.map((index, rank) => ({ label: labelOf(index, classes), index, score: values[rank]! })),
  );
}
