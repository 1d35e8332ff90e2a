/** Where the square lies in the scaled image. */
export interface Crop {
  /** Width of the whole scaled image. */
  width: number;
  /** Height of the whole scaled image. */
  height: number;
  left: number;
  top: number;
  /** Side of the square. */
  size: number;
}

/** torchvision's `Resize` and `CenterCrop`, roundings included: the long side is cut off, a half goes to the even. */
export function cropOf(width: number, height: number, size: number, resize: number): Crop {
  const long = Math.floor((resize * Math.max(width, height)) / Math.min(width, height));
  const scaled = width <= height ? { width: resize, height: long } : { width: long, height: resize };
  return {
    ...scaled,
    left: roundHalfToEven((scaled.width - size) / 2),
    top: roundHalfToEven((scaled.height - size) / 2),
    size,
  };
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) {
    return Math.round(value);
  }
  return below % 2 === 0 ? below : below + 1;
}
