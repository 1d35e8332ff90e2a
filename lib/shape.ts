/** The number of elements that a tensor of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** `[2, 3]`, for people. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
