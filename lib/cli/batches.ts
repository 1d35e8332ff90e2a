import { CudnnResnetError } from '../errors.js';
import { preprocess } from '../image/preprocess.js';
import type { Input } from './inputs.js';

/** Decoded images that go through the model together. */
export interface Batch {
  /** The inputs that could be decoded, in order. */
  paths: string[];
  /** Their pixels one after the other: `paths.length × size × size × 3` bytes. */
  pixels: Uint8Array;
  /** Why the others could not. */
  failures: CudnnResnetError[];
  /** How many inputs this and all batches before it took. */
  inputsDone: number;
}

/**
 * Decodes the inputs in batches. While the caller works on one batch the next is being decoded, and no more than that,
 * so that the memory in use does not grow with the number of inputs.
 */
export async function* decodedBatches(
  inputs: readonly Input[],
  options: { batch: number; size: number; resize: number },
): AsyncGenerator<Batch> {
  let next = decode(inputs, 0, options);
  for (let begin = 0; begin < inputs.length; begin += options.batch) {
    const current = await next;
    next = decode(inputs, begin + options.batch, options);
    yield current;
  }
}

/** Never rejects on account of an image, so that a batch that is decoded ahead may be left lying. */
async function decode(
  inputs: readonly Input[],
  begin: number,
  { batch, size, resize }: { batch: number; size: number; resize: number },
): Promise<Batch> {
  const part = inputs.slice(begin, begin + batch);
  const decoded = await Promise.all(
    part.map(
      async ({ path, error }) => error ?? (await preprocess(path, { size, resize }).catch(imageError)),
    ),
  );
  const paths: string[] = [];
  const images: Uint8Array[] = [];
  const failures: CudnnResnetError[] = [];
  for (const [i, result] of decoded.entries()) {
    if (result instanceof CudnnResnetError) {
      failures.push(result);
    } else {
      paths.push(part[i]!.path);
      images.push(result);
    }
  }
  return { paths, pixels: Buffer.concat(images), failures, inputsDone: begin + part.length };
}

function imageError(error: unknown): CudnnResnetError {
  return error instanceof CudnnResnetError
    ? error
    : new CudnnResnetError('ERR_IMAGE', String(error), { cause: error });
}
