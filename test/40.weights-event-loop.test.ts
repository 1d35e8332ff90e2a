import { open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WeightEntry } from '../lib/dtype.js';
import { Pacer } from '../lib/weights/pacer.js';
import { readWeights } from '../lib/weights/read.js';
import { writeSafetensors } from '../lib/weights/write-safetensors.js';
import { watchEventLoop } from './support/event-loop.mjs';
import { temporaryFolder } from './support/temporary-folder.js';
import { checkpoint, pickle, safetensors, tensorPickle } from './support/weights-files.js';

/** The best of three: what other processes on the machine take is not ours. */
async function quietest<T>(work: () => Promise<T>) {
  const runs = [await watchEventLoop(work), await watchEventLoop(work), await watchEventLoop(work)];
  return runs.sort((a, b) => a.longest - b.longest)[0]!;
}

function expectResponsive(what: string, { longest, median }: { longest: number; median: number }): void {
  console.log(
    `${what}: the event loop waited ${longest.toFixed(1)} ms at most, ${median.toFixed(2)} ms in the median`,
  );
  expect(median).toBeLessThan(20);
  expect(longest).toBeLessThan(50);
}

test('an abort ends long work between two of its steps', async () => {
  const controller = new AbortController();
  let steps = 0;
  function* work() {
    for (const end = performance.now() + 2000; performance.now() < end; steps++) yield;
  }
  setImmediate(() => controller.abort('as asked'));
  const begin = performance.now();
  await expect(new Pacer(controller.signal).run(work())).rejects.toBe('as asked');
  expect(steps).toBeGreaterThan(0);
  expect(performance.now() - begin).toBeLessThan(1000);
});

test('safetensors of 100 MB', async () => {
  const path = join(await temporaryFolder(), 'big.safetensors');
  const entries = new Map<string, WeightEntry>([
    ['large', { dtype: 'float32', shape: [4096, 4096], data: new Float32Array(4096 * 4096).fill(1.5) }],
  ]);
  for (let i = 0; i < 300; i++) {
    entries.set(`layer.${i}`, { dtype: 'float32', shape: [32768], data: new Float32Array(32768).fill(i) });
  }
  expectResponsive('writing', await quietest(() => writeSafetensors(path, entries)));
  expect((await stat(path)).size).toBeGreaterThan(100e6);
  const read = await quietest(() => readWeights(path));
  expectResponsive('reading', read);
  expect(read.result.get('layer.299')!.data[7]).toBe(299);
});

test('a PyTorch checkpoint of 100 MB, half of it in C order and half not', async () => {
  const path = join(await temporaryFolder(), 'big.pth');
  const side = 3600;
  const elements = side * side;
  const square = { numel: elements, size: [side, side] };
  const body = pickle.dict(
    pickle.text('straight'),
    tensorPickle({ ...square, stride: [side, 1] }),
    pickle.text('transposed'),
    tensorPickle({ ...square, key: pickle.text('1'), stride: [1, side] }),
  );
  const values = Float32Array.from({ length: elements }, (_, i) => i);
  const handle = await open(path, 'w');
  await handle.writeFile(
    checkpoint(pickle.program(body), { '0': Buffer.from(values.buffer), '1': Buffer.from(values.buffer) }),
  );
  await handle.close();
  expect((await stat(path)).size).toBeGreaterThan(100e6);
  const read = await quietest(() => readWeights(path));
  expectResponsive('reading', read);
  const transposed = read.result.get('transposed')!.data;
  let wrong = 0;
  for (let i = 0; i < elements; i++) if (transposed[i] !== (i % side) * side + Math.floor(i / side)) wrong++;
  expect(wrong).toBe(0);
});

test('a safetensors header of many tensors', async () => {
  const path = join(await temporaryFolder(), 'many.safetensors');
  const entry: WeightEntry = { dtype: 'float32', shape: [0], data: new Float32Array() };
  await writeSafetensors(path, new Map(Array.from({ length: 20_000 }, (_, i) => [`tensor.${i}`, entry])));
  const read = await quietest(() => readWeights(path));
  expectResponsive('reading 20,000 tensors', read);
  expect(read.result.size).toBe(20_000);
});

test.each([
  ['99 MB of space', () => safetensors(`{"a":1,${' '.repeat(99_000_000)}}`)],
  ['space between values', () => safetensors(`{"a":[${`1,${' '.repeat(900_000)}`.repeat(100)}1]}`)],
  ['long strings', () => safetensors(`{"a":[${`"${'x'.repeat(3_000_000)}é",`.repeat(20)}1]}`)],
  ['a longer string', () => safetensors(`{"a":"${'é'.repeat(8_000_000)}"}`)],
  [
    'names that are wrapped again and again',
    () => {
      const names = Array.from({ length: 9000 }, (_, i) => 'module.'.repeat(145) + i);
      return checkpoint(
        pickle.program(pickle.dict(...names.flatMap((name) => [pickle.text(name), tensorPickle()]))),
      );
    },
  ],
  [
    'names that V8 does not tell apart soon',
    () => {
      const names = Array.from({ length: 1500 }, (_, i) => 'x'.repeat(18_000) + (10_000 + i));
      return checkpoint(
        pickle.program(pickle.dict(...names.flatMap((name) => [pickle.text(name), pickle.text('')]))),
      );
    },
  ],
  [
    'such names in JSON',
    () =>
      safetensors(`{${Array.from({ length: 1500 }, (_, i) => `"${'x'.repeat(18_000)}${10_000 + i}":1`)}}`),
  ],
])('a hostile file of %s', async (what, bytes) => {
  const path = join(await temporaryFolder(), 'hostile.safetensors');
  await writeFile(path, bytes());
  const read = await quietest(() => readWeights(path).catch((error) => error));
  expectResponsive(what, read);
  expect(read.result).toMatchObject({ code: 'ERR_WEIGHTS' });
});
