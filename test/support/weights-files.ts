import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { WeightEntry } from '../../lib/dtype.js';
import { CudnnResnetError } from '../../lib/errors.js';
import { readWeights } from '../../lib/weights/read.js';
import { temporaryFolder } from './temporary-folder.js';

export * from './weights-bytes.js';

export const golden = (name: string) => fileURLToPath(new URL(`../golden/weights/${name}`, import.meta.url));

/** Reads weights from bytes, by way of a file. */
export async function readBytes(bytes: Uint8Array, name = 'some.weights'): Promise<Map<string, WeightEntry>> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, bytes);
  return readWeights(path);
}

/** Expects an ERR_WEIGHTS that names the file, and whose message matches. */
export async function expectRefusal(reading: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await reading.then(
    () => expect.fail(`was not refused; expected ${message}`),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(CudnnResnetError);
  expect(error.code).toBe('ERR_WEIGHTS');
  expect(error.message).toMatch(message);
}
