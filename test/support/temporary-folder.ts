import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

/** Without links: on macOS it has one. */
const temporary = realpathSync(tmpdir());

/** A folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(temporary, 'cudnn-resnet-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of a folder that is made before the tests of the file, or of the suite, and removed after them. */
export function suiteFolder(parent = temporary): string {
  const folder = join(parent, `cudnn-resnet-${randomUUID()}`);
  beforeAll(() => mkdir(folder, { recursive: true }));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
