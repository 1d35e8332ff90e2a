import { type AbortOptions, abortable } from '../abort.js';
import type { Device } from '../device.js';
import { typedArrayName } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { pixelsOf } from '../image/preprocess.js';
import { checkInteger } from '../integer.js';
import { kindOf } from '../kind-of.js';
import { decodeAhead } from './decode-ahead.js';

/** A file's path, or the bytes of an encoded image. */
export type EncodedImage = string | Uint8Array;

/** Options of {@link ResNet.embed}. */
export interface EmbedOptions extends AbortOptions {
  /** How many images are computed at once; default 8. */
  batch?: number | undefined;
  /**
   * What an image's shorter side is scaled to before the centre is cut out. Default 256, but 232 of a model that
   * {@link ResNet.load} made of a file with the name of torchvision's V2 weights; pass 232 with V2 weights of other names.
   */
  resize?: number | undefined;
}

/** What `work` gives for the images, which it gets as pixels, batch by batch; `model` says what options do not. */
export async function inBatches<T>(
  where: string,
  images: EncodedImage | readonly EncodedImage[],
  options: EmbedOptions,
  model: { device: Device; resize: number | undefined },
  work: (pixels: Uint8Array, signal: AbortSignal | undefined) => Promise<T[]>,
): Promise<T[]> {
  const { batch = 8, resize = model.resize, signal: given, deadline } = options;
  checkInteger(`${where}: batch`, batch);
  const list =
    typeof images === 'string' || typedArrayName(images) === 'Uint8Array' ? [images as EncodedImage] : images;
  if (!Array.isArray(list)) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `${where}: expected an image's path, its encoded bytes, or an array of these, got ${kindOf(images)}`,
    );
  }
  const nameOfBytes = (i: number) => (list === images ? `the encoded bytes of images[${i}]` : undefined);
  const over = new AbortController();
  const decode = async (part: readonly EncodedImage[], first: number) =>
    Buffer.concat(
      await Promise.all(
        Array.from(part, (image, i) => pixelsOf(image, { resize }, nameOfBytes(first + i), over.signal)),
      ),
    );
  const asked = list.slice(); // the caller's array may be filled anew meanwhile
  return abortable(where, { signal: given, deadline }, async (signal) => {
    const results: T[] = [];
    try {
      for await (const pixels of decodeAhead(asked, { batch, device: model.device, signal }, decode)) {
        results.push(...(await work(pixels, signal)));
      }
      return results;
    } finally {
      over.abort(); // others are not to wait behind images that nobody wants any more
    }
  });
}
