import { unlessAborted } from '../abort.js';
import type { WeightEntry } from '../dtype.js';
import type { StoredEntry } from '../weights/stored-entry.js';
import type { Module } from './module.js';
import { stateDictPlan, writeEntry } from './state-dict.js';

/**
 * As `module.loadStateDict`, from a file, which the device reads itself where it can. Rejects where the device has no
 * memory for the values.
 */
export async function loadStoredEntries(
  module: Module,
  path: string,
  entries: ReadonlyMap<string, StoredEntry>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const misfit = `'${path}' does not fit ${module.constructor.name}`;
  const state = module.stateDict();
  const optional = new Set(module.optionalTensors());
  stateDictPlan(misfit, state, entries, { strict: true, optional });
  const zero: WeightEntry = { dtype: 'int64', shape: [], data: new BigInt64Array(1) };
  for (const [key, tensor] of state) {
    if (optional.has(tensor) && !entries.has(key)) writeEntry(tensor, zero); // it may never have had a value
  }
  let filled = Promise.resolve();
  // in their order, which is about the file's
  for (const [key, { dtype, shape, read, fill }] of entries) {
    const tensor = state.get(key)!;
    if (fill) {
      const ready = tensor.device.handle.ready();
      if (ready) await unlessAborted(signal, ready);
      const before = filled;
      filled = fill(tensor);
      filled.catch(() => undefined); // it rejects where it is awaited
      await unlessAborted(signal, before); // the device has one more to go on with
    } else {
      const data = await read();
      // where nothing waits a copy is let in however large it is
      await unlessAborted(signal, tensor.device.synchronize());
      writeEntry(tensor, { dtype, shape, data });
    }
  }
  await unlessAborted(signal, filled);
}
