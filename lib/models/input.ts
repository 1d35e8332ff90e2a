import type { Device } from '../device.js';
import { type FloatDType, typedArrayName } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { classOf } from '../kind-of.js';
import * as ops from '../ops.js';
import { shapeText } from '../shape.js';
import { Tensor } from '../tensor.js';

/**
 * What a model takes as images:
 * - a `Tensor` [N, 3, H, W] of normalised values, or a uint8 `Tensor` [N, H, W, 3] of RGB pixels (where another `conv1` was
 *   put in, values have its channels in the place of 3);
 * - a `Float32Array` of normalised values, NCHW, 224×224;
 * - a `Buffer` or `Uint8Array` of RGB pixels, HWC, 224×224.
 *
 * Arrays hold as many images as their length says. Pixels are normalised on the device.
 */
export type ImageInput = Tensor | Float32Array | Uint8Array;

/** ImageNet's mean and standard deviation of red, green and blue, for pixels from 0 to 1. */
export const imagenetNormalization = Object.freeze({
  /** What is subtracted. */
  mean: Object.freeze([0.485, 0.456, 0.406] as const),
  /** What is divided by. */
  std: Object.freeze([0.229, 0.224, 0.225] as const),
});

/** The side of the square images that arrays hold. */
const side = 224;

const filesGo = 'encoded images and their files go to classify(), embed() or preprocess()';

/**
 * The input on the device, as it came: uint8 pixels [N, H, W, 3], or normalised values [N, channels, H, W]. Call it in a
 * scope: it may make tensors on the way.
 */
export function imageTensor(input: ImageInput, device: Device, channels: number): Tensor {
  if (input instanceof Tensor) {
    checkImages(input, channels);
    return input.device === device ? input : input.to({ device });
  }
  const array = typedArrayName(input);
  if (array === 'Float32Array') {
    return Tensor.from(input, [imageCount(input, 'values'), 3, side, side], { device });
  }
  if (array === 'Uint8Array') {
    return Tensor.from(input, [imageCount(input, 'bytes'), side, side, 3], { device });
  }
  const file = typeof input === 'string' ? `: ${filesGo}` : '';
  throw new CudnnResnetError(
    'ERR_ARGUMENT',
    `expected a Tensor, a Float32Array or a Buffer of RGB pixels, got ${classOf(input)}${file}`,
  );
}

/** What {@link imageTensor} gives as [N, 3, H, W] of normalised values in the model's dtype. */
export function normalizedImages(images: Tensor, dtype: FloatDType): Tensor {
  if (images.dtype === 'uint8') {
    return ops.normalizeImage(images, { ...imagenetNormalization, dtype });
  }
  return images.dtype === dtype ? images : images.to({ dtype });
}

function checkImages(input: Tensor, channels: number): void {
  if (input.disposed) throw new CudnnResnetError('ERR_DISPOSED', 'the tensor of images was disposed of');
  const [, second, , fourth] = input.shape;
  const pixels = input.dtype === 'uint8';
  if (input.shape.length !== 4 || (pixels ? fourth !== 3 : second !== channels)) {
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `expected images of shape ${pixels ? '[N, H, W, 3]' : `[N, ${channels}, H, W]`}, got ${shapeText(input.shape)}`,
    );
  }
}

function imageCount(input: Float32Array | Uint8Array, unit: 'values' | 'bytes'): number {
  const perImage = 3 * side * side;
  if (input.length === 0 || input.length % perImage !== 0) {
    const withAlpha = input.length > 0 && input.length % (4 * side * side) === 0;
    const advice = withAlpha ? 'RGBA pixels must lose their alpha first' : filesGo;
    throw new CudnnResnetError(
      'ERR_SHAPE',
      `expected a multiple of ${perImage} ${unit} (3 × ${side} × ${side}), got ${input.length}; ` +
        `for images of another size pass a Tensor${unit === 'bytes' ? `; ${advice}` : ''}`,
    );
  }
  return input.length / perImage;
}
