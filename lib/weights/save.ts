import type { WeightEntry } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { isPlainObject, kindOf } from '../kind-of.js';
import { type StateDictionary, stateEntries } from '../nn/state-dict.js';
import { checkOptions } from '../options.js';
import { Tensor } from '../tensor.js';
import { type SafetensorsOptions, writeSafetensors } from './write-safetensors.js';

/**
 * Writes tensors, or the entries that `readWeights` gives, as a safetensors file. The file appears whole or not at all.
 * Rejects with `ERR_WEIGHTS` where it cannot be written.
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
  const entries = new Map<string, WeightEntry>();
  for (const [key, value] of stateEntries('saveWeights', dict)) {
    entries.set(
      key,
      value instanceof Tensor
        ? { dtype: value.dtype, shape: [...value.shape], data: await value.data() }
        : value,
    );
  }
  await writeSafetensors(path, entries, options);
}

function checkMetadata(metadata: unknown): void {
  if (!isPlainObject(metadata) || !Object.values(metadata!).every((text) => typeof text === 'string')) {
    throw new CudnnResnetError('ERR_ARGUMENT', 'saveWeights: metadata must be a plain object of strings');
  }
}
