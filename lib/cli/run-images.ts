import { loadSharp } from '../image/sharp.js';
import type { ResNet, Tensor } from '../index.js';
import { type Batch, decodedBatches } from './batches.js';
import type { Input } from './inputs.js';
import type { ModelChoice, ReadyModel } from './model.js';
import { complain, print } from './output.js';
import { ProgressBar } from './progress.js';

/** More images than this get a progress bar. */
const handful = 8;

/** ImageNet's mean and standard deviation of red, green and blue, for values from 0 to 1. */
const mean = [0.485, 0.456, 0.406] as const;
const deviation = [0.229, 0.224, 0.225] as const;

/** What came of a run over many images. */
export interface Outcome {
  images: number;
  failures: number;
  /** From the first image's decoding to the last result. */
  milliseconds: number;
}

/**
 * Decodes the inputs, calls `work` with each batch of the readable ones and prints the text that it gives, and reports
 * the others on stderr.
 *
 * @param work gets the batch's paths and what the model's `forward`, `features` and `predict` take for it.
 */
export async function runImages(
  inputs: readonly Input[],
  { model, resize }: ReadyModel,
  { batch, size }: ModelChoice,
  work: (paths: string[], input: Uint8Array | Tensor) => Promise<string>,
): Promise<Outcome> {
  // once for all: without it every single image would fail
  await loadSharp();
  const begin = performance.now();
  const outcome: Outcome = { images: 0, failures: 0, milliseconds: 0 };
  const bar = inputs.length > handful ? new ProgressBar('images', inputs.length) : undefined;
  try {
    for await (const decoded of decodedBatches(inputs, { batch, size, resize })) {
      for (const failure of decoded.failures) {
        complain(failure, bar);
      }
      if (decoded.paths.length > 0) {
        const text = await workOn(decoded, size, model, work);
        bar?.clear();
        await print(text);
        bar?.draw();
      }
      outcome.images += decoded.paths.length;
      outcome.failures += decoded.failures.length;
      bar?.update(decoded.inputsDone);
    }
  } finally {
    bar?.end();
  }
  if (outcome.failures > 0 && inputs.length > 1) {
    process.stderr.write(`cudnn-resnet: ${outcome.failures} of ${inputs.length} images could not be read\n`);
  }
  return { ...outcome, milliseconds: performance.now() - begin };
}

async function workOn(
  { paths, pixels }: Batch,
  size: number,
  model: ResNet,
  work: (paths: string[], input: Uint8Array | Tensor) => Promise<string>,
): Promise<string> {
  // bytes are taken for images of 224 pixels; other sizes need a tensor that says so
  if (size === 224) {
    return work(paths, pixels);
  }
  const { Tensor } = await import('../index.js');
  const shape = [paths.length, 3, size, size];
  using input = Tensor.from(normalised(pixels, paths.length, size * size), shape, { device: model.device });
  return await work(paths, input);
}

/** From rows of RGB pixels to planes of normalised numbers. */
export function normalised(pixels: Uint8Array, images: number, plane: number): Float32Array {
  const output = new Float32Array(images * 3 * plane);
  for (let image = 0; image < images; image++) {
    for (let channel = 0; channel < 3; channel++) {
      const from = image * 3 * plane + channel;
      const to = (image * 3 + channel) * plane;
      for (let i = 0; i < plane; i++) {
        output[to + i] = (pixels[from + i * 3]! / 255 - mean[channel]!) / deviation[channel]!;
      }
    }
  }
  return output;
}
