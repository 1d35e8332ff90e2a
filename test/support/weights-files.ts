import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WeightEntry } from '../../lib/dtype.js';
import { readWeights } from '../../lib/weights/read.js';
import { expectRejects } from './errors.js';
import { temporaryFolder } from './temporary-folder.js';

export * from './weights-bytes.js';

export const golden = (name: string) => fileURLToPath(new URL(`../golden/weights/${name}`, import.meta.url));

/** Reads weights from bytes, by way of a file. */
export async function readBytes(bytes: Uint8Array, name = 'some.weights'): Promise<Map<string, WeightEntry>> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, bytes);
  return readWeights(path);
}

/** Expects an ERR_WEIGHTS whose message matches. */
export function expectRefusal(reading: Promise<unknown>, message: RegExp): Promise<void> {
  return expectRejects('ERR_WEIGHTS', reading, message);
}
