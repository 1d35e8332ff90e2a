import type { Device } from '../device.js';
import { type DType, typedArrayName } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import * as ops from '../ops.js';
import { Tensor } from '../tensor.js';

/**
 * What a model takes as images:
 * - a `Tensor` [N, 3, H, W] of normalised values, or a uint8 `Tensor` [N, H, W, 3] of RGB pixels;
 * - a `Float32Array` of normalised values, NCHW, 224×224;
 * - a `Buffer` or `Uint8Array` of RGB pixels, HWC, 224×224.
 *
 * Arrays hold as many images as their length says. Pixels are normalised on the device.
 */
export type ImageInput = Tensor | Float32Array | Uint8Array;

/** ImageNet's mean and standard deviation of red, green and blue, for pixels from 0 to 1. */
export const imagenetNormalization = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;

/** The side of the square images that arrays hold. */
const side = 224;

/** The input as [N, 3, H, W] of the model's dtype, on its device. Call it in a scope: it may make tensors on the way. */
export function imageTensor(input: ImageInput, device: Device, dtype: DType): Tensor {
  if (input instanceof Tensor) {
    return fromTensor(input, device, dtype);
  }
  const array = typedArrayName(input);
  if (array === 'Float32Array') {
    const images = imageCount(input, 'values');
    return Tensor.from(input, [images, 3, side, side], { device, dtype });
  }
  if (array === 'Uint8Array') {
    const images = imageCount(input, 'bytes');
    const pixels = Tensor.from(input, [images, side, side, 3], { device });
    return ops.normalizeImage(pixels, { ...imagenetNormalization, dtype });
  }
  throw new CudnnResnetError(
    'ERR_ARGUMENT',
    `expected a Tensor, a Float32Array or a Buffer of RGB pixels, got ${Object.prototype.toString.call(input).slice(8, -1)}`,
  );
}

function fromTensor(input: Tensor, device: Device, dtype: DType): Tensor {
  const [, second, , fourth] = input.shape;
  const pixels = input.dtype === 'uint8';
  if (input.shape.length !== 4 || (pixels ? fourth : second) !== 3) {
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `expected images of shape ${pixels ? '[N, H, W, 3]' : '[N, 3, H, W]'}, got [${input.shape.join(', ')}]`,
    );
  }
  const local = input.device === device ? input : input.to({ device });
  if (pixels) {
    return ops.normalizeImage(local, { ...imagenetNormalization, dtype });
  }
  return local.dtype === dtype ? local : local.to({ dtype });
}

function imageCount(input: Float32Array | Uint8Array, unit: string): number {
  const perImage = 3 * side * side;
  if (input.length === 0 || input.length % perImage !== 0) {
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `expected a multiple of ${perImage} ${unit} (3 × ${side} × ${side}), got ${input.length}; ` +
        'for images of another size pass a Tensor',
    );
  }
  return input.length / perImage;
}
