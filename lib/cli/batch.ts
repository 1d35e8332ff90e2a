import { CudnnResnetError } from '../errors.js';
import { type PreprocessOptions, preprocess } from '../image/preprocess.js';
import type { Input } from './inputs.js';

/** Decoded images that go through the model together. */
export interface Batch {
  /** The inputs that could be decoded, in order. */
  paths: string[];
  /** Their pixels one after the other: `paths.length × size × size × 3` bytes. */
  pixels: Uint8Array;
  /** Why the others could not. */
  failures: CudnnResnetError[];
}

/** Decodes inputs that go through the model together. Never rejects on account of an image. */
export async function decodeBatch(inputs: readonly Input[], options: PreprocessOptions): Promise<Batch> {
  const decoded = await Promise.all(
    inputs.map(
      ({ path, error }) => error ?? preprocess(path, options).catch((failure: CudnnResnetError) => failure),
    ),
  );
  const paths: string[] = [];
  const images: Uint8Array[] = [];
  const failures: CudnnResnetError[] = [];
  for (const [i, result] of decoded.entries()) {
    if (result instanceof CudnnResnetError) {
      failures.push(result);
    } else {
      paths.push(inputs[i]!.path);
      images.push(result);
    }
  }
  return { paths, pixels: Buffer.concat(images), failures };
}
