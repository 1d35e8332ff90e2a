import type { WeightEntry } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { isPlainObject, kindOf } from '../kind-of.js';
import { type StateDictionary, stateEntries } from '../nn/state-dict.js';
import { checkOptions } from '../options.js';
import { Tensor } from '../tensor.js';
import { type SafetensorsOptions, writeSafetensors } from './write-safetensors.js';

/**
 * Writes tensors, or the entries that `readWeights` gives, as a safetensors file. The file appears whole or not at all; one that
 * is there keeps its mode, links are followed, and what is no file is refused.
 * Tensors are written as they are at the call: all are asked for at once, and may be changed or disposed of from then on.
 * Until they have been read each counts as one that waits for its device (`device.setQueueLimit`).
 *
 * @throws `ERR_WEIGHTS` where the file cannot be written, or a tensor was never given values; the error of the operation
 *   that failed where a tensor has none for that reason; `ERR_DISPOSED`, `ERR_ARGUMENT`
 */
export async function saveWeights(
  path: string,
  dict: StateDictionary,
  options: SafetensorsOptions = {},
): Promise<void> {
  if (typeof path !== 'string') {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `saveWeights: expected the path of a file, got ${kindOf(path)}`,
    );
  }
  checkOptions('saveWeights', options, ['metadata']);
  checkMetadata(options.metadata ?? {});
  const entries = [...stateEntries('saveWeights', dict)].map(
    async ([key, value]) => [key, value instanceof Tensor ? await entryOf(value) : value] as const,
  );
  await writeSafetensors(path, new Map(await Promise.all(entries)), options);
}

/** Asks for the elements before it returns. */
async function entryOf(tensor: Tensor): Promise<WeightEntry> {
  return { dtype: tensor.dtype, shape: [...tensor.shape], data: await tensor.data() };
}

function checkMetadata(metadata: unknown): void {
  if (!isPlainObject(metadata) || !Object.values(metadata!).every((text) => typeof text === 'string')) {
    throw new CudnnResnetError('ERR_ARGUMENT', 'saveWeights: metadata must be a plain object of strings');
  }
}
