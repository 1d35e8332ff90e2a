import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { ResNet50, saveWeights } from '../lib/index.js';
import { pretrainedFile } from '../lib/weights/pretrained.js';
import { returnsMemory } from './support/memory.js';
import { suiteFolder } from './support/temporary-folder.js';

returnsMemory();

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const folder = suiteFolder(join(root, 'build'));

// The programs of the README run as they stand, against the built package, beside the files that they name.
beforeAll(async () => {
  const model = new ResNet50();
  // in the place of what would be fetched, which holds no counts of batches either
  const weights = [...model.stateDict()].filter(([key]) => !key.endsWith('.num_batches_tracked'));
  await saveWeights(join(folder, pretrainedFile('resnet50').name), new Map(weights));
  model.dispose();
  const noise = { width: 320, height: 280, channels: 3 as const, background: 'teal' };
  await sharp({ create: noise }).jpeg().toFile(join(folder, 'cat.jpg'));
  await writeFile(join(folder, 'pixels.rgb'), new Uint8Array(2 * 224 * 224 * 3).fill(127));
});

async function programs(): Promise<string[]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  return [...readme.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1]!);
}

async function output(program: string): Promise<string> {
  const path = join(folder, 'program.mjs');
  await writeFile(path, program);
  const env = { ...process.env, CUDNN_RESNET_CACHE: folder };
  const { stdout } = await run(process.execPath, [path], { cwd: folder, env });
  return stdout;
}

test('the ten lines classify a picture and read logits', async () => {
  const lines = (await output((await programs())[0]!)).trim().split('\n');
  expect(lines[0]).toMatch(/^.+ (0\.\d+(e-\d+)?|1)$/);
  expect(lines[1]).toBe('2000');
});

test('the block of layers prints as PyTorch does', async () => {
  expect(await output((await programs())[1]!)).toBe(
    `Block(
  (conv): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (bn): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
)
`,
  );
});
