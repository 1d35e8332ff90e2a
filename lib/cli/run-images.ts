import { loadSharp } from '../image/sharp.js';
import type { ResNet, Tensor } from '../index.js';
import { decodeAhead } from '../models/decode-ahead.js';
import { type Batch, decodeBatch } from './batch.js';
import type { Input } from './inputs.js';
import type { ModelChoice, ReadyModel } from './model.js';
import { complain, note, print } from './output.js';
import { ProgressBar } from './progress.js';

/** More images than this get a progress bar. */
const handful = 8;

/** What came of a run over many images. */
interface Outcome {
  images: number;
  failures: number;
  /** From the first image's decoding to the last result. */
  milliseconds: number;
}

/**
 * Decodes the inputs, calls `work` with each batch of the readable ones and prints the text that it gives, and reports
 * the others on stderr.
 *
 * @param work gets the batch's paths and pixels, which the model takes as they are.
 */
export async function runImages(
  inputs: readonly Input[],
  { model, resize }: ReadyModel,
  { batch, size }: ModelChoice,
  work: (paths: string[], input: Tensor) => Promise<string>,
): Promise<Outcome> {
  // once for all: without it every single image would fail
  await loadSharp();
  const begin = performance.now();
  const outcome: Outcome = { images: 0, failures: 0, milliseconds: 0 };
  const bar = inputs.length > handful ? new ProgressBar('images', inputs.length) : undefined;
  try {
    const decode = (part: readonly Input[]) => decodeBatch(part, { size, resize });
    for await (const decoded of decodeAhead(inputs, { batch, device: model.device }, decode)) {
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
      bar?.update(outcome.images + outcome.failures);
    }
  } finally {
    bar?.end();
  }
  if (outcome.failures > 0 && inputs.length > 1) {
    note(`cudnn-resnet: ${outcome.failures} of ${inputs.length} images could not be read`);
  }
  return { ...outcome, milliseconds: performance.now() - begin };
}

async function workOn(
  { paths, pixels }: Batch,
  size: number,
  model: ResNet,
  work: (paths: string[], input: Tensor) => Promise<string>,
): Promise<string> {
  const { Tensor } = await import('../index.js');
  using input = Tensor.from(pixels, [paths.length, size, size, 3], { device: model.device });
  return await work(paths, input);
}
