import type { Metadata, SharpOptions } from 'sharp';
import { CudnnResnetError, messageOf } from '../errors.js';
import { shown } from '../kind-of.js';
import { checkOptions } from '../options.js';
import { Budget } from './budget.js';
import { type Crop, cropOf } from './crop.js';
import { copyOf, nameOf, readImageFile } from './encoded-image.js';
import { bilinearFilter, resample } from './resample.js';
import { loadSharp, type Sharp } from './sharp.js';

/** How {@link preprocess} scales and crops. */
export interface PreprocessOptions {
  /** Side of the square that is cut out of the middle, in pixels; 224 unless told. */
  size?: number | undefined;
  /**
   * Length that the image's shorter side gets first, in pixels, at least `size`. Unless told it stands to `size` as
   * 256 to 224, which is what torchvision's V1 weights were evaluated with; its V2 weights want 232.
   */
  resize?: number | undefined;
}

/** The longest side, in pixels, that an image is scaled or cut to. */
export const maxSide = 0x3fff;

/** The most pixels that an image may decode to: 16383 × 16383, sharp's own limit. */
const maxPixels = maxSide * maxSide;

/** Images that are worked on at once, however many are asked for: more than sharp has threads, few encoded files. */
const inFlight = new Budget(8);

/** Decoded pixels that are in memory at once, in bytes; one larger image is alone. */
const decodedBytes = new Budget(256 << 20);

/** Vector images that are drawn at once: one that takes long leaves half of Node's threads to others. */
const drawn = new Budget(2);

/** Truncated or damaged pixels are errors; what a decoder merely warns about is not, as in Pillow. */
const decoding = { failOn: 'error', limitInputPixels: maxPixels } as const satisfies SharpOptions;

/**
 * Decodes an image and gives it torchvision's preprocessing up to the normalisation: the shorter side is scaled to
 * `resize` (bilinear with antialias), then a square of `size` is cut out of the middle. For JPEG, PNG and the other
 * lossless formats the bytes are the very ones that torchvision gives with Pillow.
 *
 * - The EXIF orientation is applied. (Pillow leaves that to `ImageOps.exif_transpose`.)
 * - Alpha is dropped and the colours beneath it stay, as in Pillow's `convert('RGB')`; an SVG is drawn on white, at
 *   the size it is needed in. Small ones may take minutes to draw, on a thread that nothing ends: take none from strangers.
 * - Embedded colour profiles are ignored, as in Pillow; only CMYK is converted through its profile.
 * - Of an animation or a file with many pages the first is taken; of 16 bits the upper 8.
 *
 * The event loop stays free: decoding and scaling are done on other threads. Memory stays bounded:
 * of many calls at once eight are worked on, and two more whose SVGs are drawn; decoded pixels take 256 MiB or one image's.
 * The file of an SVG is read again when its turn comes. Bytes that are given are copied at the call, and may be changed or
 * transferred after it.
 *
 * @param image a file's path, or the bytes of an encoded image.
 * @returns `size × size × 3` bytes: rows of RGB pixels.
 * @throws `ERR_IMAGE` where the image cannot be read or decoded or has more than 268 million pixels, and where sharp is
 *   not installed; `ERR_ARGUMENT` where the image is neither path nor bytes or a size is impossible.
 */
export async function preprocess(
  image: string | Uint8Array,
  options: PreprocessOptions = {},
): Promise<Uint8Array> {
  checkOptions('preprocess', options, ['size', 'resize']);
  return pixelsOf(image, options);
}

/**
 * As {@link preprocess}, of which it is the work. `bytesName` is what errors call an image that has no path. After an abort
 * no step is begun that others may wait behind: the next one rejects with the signal's reason.
 */
export async function pixelsOf(
  image: string | Uint8Array,
  options: PreprocessOptions,
  bytesName = 'the encoded bytes given',
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { size = 224 } = options;
  checkSize('size', size);
  const { resize = Math.floor((size * 256) / 224) } = options;
  checkSize('resize', resize);
  if (resize < size) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `preprocess: resize (${resize}) must be at least size (${size}): the crop is cut out of the scaled image`,
    );
  }
  const name = nameOf(image, bytesName);
  const given = typeof image === 'string' ? undefined : copyOf(image, name);
  const sharp = await loadSharp();
  const pixels = async <T>(ofSvg: (svg: Uint8Array, crop: Crop) => Promise<T>) => {
    const bytes = given ?? (await readImageFile(image as string));
    return decode(sharp, name, bytes, size, resize, ofSvg, signal);
  };
  // an SVG waits to be drawn without one of the places that photos need, and without its file's bytes, which are read again
  const ofRaster = await inFlight.spend(1, () => pixels(async () => undefined), signal);
  return ofRaster ?? drawn.spend(1, () => pixels((svg, crop) => draw(sharp, svg, crop)), signal);
}

/** The pixels of a raster image, or what `ofSvg` gives for a vector image. */
async function decode<T>(
  sharp: Sharp,
  name: string,
  bytes: Uint8Array,
  size: number,
  resize: number,
  ofSvg: (svg: Uint8Array, crop: Crop) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | T> {
  if (bytes.length === 0) {
    throw new CudnnResnetError('ERR_IMAGE', `${name} is empty: no image to decode`);
  }
  try {
    // reads the header alone, so the limit can wait for a message that has the numbers
    const metadata = await sharp(bytes, { ...decoding, limitInputPixels: false }).metadata();
    const { width, height } = metadata.autoOrient;
    if (width * height > maxPixels) {
      throw new CudnnResnetError(
        'ERR_IMAGE',
        `${name} has ${width} × ${height} pixels, more than the ${maxPixels} that are decoded at most`,
      );
    }
    const crop = cropOf(width, height, size, resize);
    if (metadata.format !== 'svg') return await scale(sharp, bytes, metadata, crop, signal);
    return await ofSvg(bytes, crop);
  } catch (error) {
    signal?.throwIfAborted();
    throw imageError(name, error);
  }
}

/** Draws a vector image right at the size it is needed in. */
async function draw(sharp: Sharp, svg: Uint8Array, crop: Crop): Promise<Uint8Array> {
  return sharp(svg, decoding)
    .flatten({ background: 'white' })
    .resize(crop.width, crop.height, { fit: 'fill' })
    .extract({ left: crop.left, top: crop.top, width: crop.size, height: crop.size })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

/**
 * Only the part that the crop needs is decoded to memory. It is not scaled by sharp: that would have the decoder
 * shrink a JPEG, fold a box filter in, or weigh colours by alpha, and differ from Pillow by up to 7 in 255 on a
 * large photo and more on a small one.
 */
async function scale(
  sharp: Sharp,
  raster: Uint8Array,
  metadata: Metadata,
  crop: Crop,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { width, height } = metadata.autoOrient;
  const columns = bilinearFilter(width, crop.width, crop.left, crop.size);
  const rows = bilinearFilter(height, crop.height, crop.top, crop.size);
  const part = {
    left: columns.start,
    top: rows.start,
    width: columns.end - columns.start,
    height: rows.end - rows.start,
  };
  const decoded = async () => {
    const data = await sharp(raster, { ...decoding, ignoreIcc: metadata.space !== 'cmyk' })
      .autoOrient()
      .extract(part)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    return resample({ data, width: part.width, height: part.height }, columns, rows);
  };
  return decodedBytes.spend(part.width * part.height * 3, decoded, signal);
}

function checkSize(option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > maxSide) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `preprocess: ${option} must be a whole number of pixels from 1 to ${maxSide}, got ${shown(value)}`,
    );
  }
}

function imageError(name: string, error: unknown): CudnnResnetError {
  if (error instanceof CudnnResnetError) {
    return error;
  }
  const message = messageOf(error);
  if (message.includes('unsupported image format')) {
    return new CudnnResnetError(
      'ERR_IMAGE',
      `${name}: not an image of a known format (JPEG, PNG, WebP, AVIF, TIFF, GIF or SVG)`,
      { cause: error },
    );
  }
  const firstLine = message.split('\n')[0]!.trim();
  return new CudnnResnetError('ERR_IMAGE', `${name} cannot be decoded: ${firstLine}`, { cause: error });
}
