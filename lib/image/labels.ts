import { imagenetClasses } from './imagenet-classes.js';

/** The names of ImageNet's 1000 classes by index, as torchvision's weights number them. */
export const imagenetLabels: readonly string[] = Object.freeze(imagenetClasses);

/**
 * What to call class `index` of a model with `classes` classes: ImageNet's name where there are 1000 of them, else
 * its number (`class 17`), since names of other classes are not in a file of weights.
 */
export function labelOf(index: number, classes: number): string {
  const name = classes === imagenetLabels.length ? imagenetLabels[index] : undefined;
  return name ?? `class ${index}`;
}
