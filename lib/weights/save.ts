import type { WeightEntry } from '../dtype.js';
import { Tensor } from '../tensor.js';
import { type SafetensorsOptions, writeSafetensors } from './write-safetensors.js';

/**
 * Writes tensors, or the entries that `readWeights` gives, as a safetensors file. The file appears whole or not at all.
 * Rejects with `ERR_WEIGHTS` where it cannot be written.
 */
export async function saveWeights(
  path: string,
  dict: ReadonlyMap<string, Tensor | WeightEntry> | Readonly<Record<string, Tensor | WeightEntry>>,
  options: SafetensorsOptions = {},
): Promise<void> {
  const entries = new Map<string, WeightEntry>();
  for (const [key, value] of dict instanceof Map ? dict : Object.entries(dict)) {
    entries.set(
      key,
      value instanceof Tensor
        ? { dtype: value.dtype, shape: [...value.shape], data: await value.data() }
        : value,
    );
  }
  await writeSafetensors(path, entries, options);
}
