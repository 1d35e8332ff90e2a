import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WeightEntry } from '../lib/dtype.js';
import { readWeights } from '../lib/weights/read.js';
import { writeSafetensors } from '../lib/weights/write-safetensors.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { expectRefusal, golden } from './support/weights-files.js';

type Expected = Record<string, { dtype: string; shape: number[]; data: (number | string)[] }>;

const expected: Record<string, Expected> = JSON.parse(await readFile(golden('expected.json'), 'utf8'));

/** An entry's elements as make.py writes them. */
function plain({ dtype, shape, data }: WeightEntry) {
  const elements = Array.from(data as Iterable<number | bigint>, (x) => {
    if (typeof x === 'bigint') return String(x);
    return Number.isFinite(x) ? x : String(x).replace('Infinity', 'inf');
  });
  return { dtype, shape, data: elements };
}

describe('files that PyTorch and safetensors wrote', () => {
  test.each(Object.keys(expected))('%s', async (name) => {
    const entries = await readWeights(golden(name));
    const found = Object.fromEntries([...entries].map(([key, entry]) => [key, plain(entry)]));
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected[name]!).sort());
    for (const [key, entry] of Object.entries(expected[name]!)) {
      // a double holds float32 exactly, but Python prints it with the digits of the double
      expect(found[key], key).toEqual(entry);
    }
  });

  test('written again as safetensors they are the same', async () => {
    const folder = await temporaryFolder();
    for (const name of Object.keys(expected)) {
      const entries = await readWeights(golden(name));
      const copy = join(folder, 'copy.safetensors');
      await writeSafetensors(copy, entries);
      const again = await readWeights(copy);
      expect(again.size).toBe(entries.size);
      for (const [key, entry] of entries) expect(again.get(key), key).toEqual(entry);
    }
  });

  test('every tensor is aligned in the file, whatever the others are', async () => {
    const copy = join(await temporaryFolder(), 'copy.safetensors');
    await writeSafetensors(copy, await readWeights(golden('dtypes.pth')));
    const bytes = await readFile(copy);
    const dataStart = 8 + Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString('utf8', 8, dataStart));
    expect(header.__metadata__).toEqual({ format: 'pt' });
    const widths: Record<string, number> = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, I16: 2 };
    for (const [name, info] of Object.entries<{ dtype: string; data_offsets: number[] }>(header)) {
      if (name === '__metadata__') continue;
      expect((dataStart + info.data_offsets[0]!) % (widths[info.dtype] ?? 1), name).toBe(0);
    }
  });

  test('tensors that share a storage in C order share its memory', async () => {
    const entries = await readWeights(golden('views.pth'));
    expect(entries.get('base')!.data.buffer).toBe(entries.get('tied')!.data.buffer);
  });
});

describe('files that PyTorch wrote and that are refused', () => {
  test.each([
    ['legacy.pth', /legacy file of PyTorch before 1\.6; .*torch\.save\(torch\.load\(f\), f\)/],
    ['whole-model.pth', /"torch\.nn\.modules\.linear\.Linear".*save model\.state_dict\(\) instead/],
    ['protocol-4.pth', /protocol 4, expected 2; save it with torch\.save without a pickle_protocol/],
    ['no-tensors.pth', /holds no tensors; its keys are "epoch", "loss"/],
    ['negated.pth', /tensor "negated": .*resolve_neg/],
    ['float8.pth', /"torch\._utils\._rebuild_tensor_v3"/],
    ['float8.safetensors', /tensor "scales": dtype "F8_E4M3"; known are F64 F32/],
    ['torchscript.pt', /TorchScript/],
  ])('%s', async (name, message) => {
    await expectRefusal(readWeights(golden(name)), message);
  });
});
