import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { bytesPerElement, type StoredDType, type WeightEntry } from '../lib/dtype.js';
import { readWeights } from '../lib/weights/read.js';
import { storedTypes } from '../lib/weights/stored-dtypes.js';
import { writeSafetensors } from '../lib/weights/write-safetensors.js';
import { readers, readSoundly } from './fuzz/readers.js';
import { expectRejects } from './support/errors.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { checkpoint, golden, pickle, tensorPickle } from './support/weights-files.js';

/** FUZZ_RUNS makes it thorough. */
const runs = Number(process.env.FUZZ_RUNS ?? 300);

// What coverage-guided fuzzing (test/fuzz/main.ts) found to reach every part of the readers, crashes of the past included.
describe.each(Object.keys(readers))('the corpus of the reader %s', (name) => {
  const folder = fileURLToPath(new URL(`./fuzz/corpus/${name}/`, import.meta.url));
  test('is read or refused', async () => {
    const inputs = readdirSync(folder);
    expect(inputs.length).toBeGreaterThan(10);
    const path = join(await temporaryFolder(), 'file');
    for (const input of inputs) {
      await readSoundly(path, readers[name]!.file(readFileSync(folder + input)));
    }
  });
});

const goldens = (await readdir(golden(''))).filter((name) =>
  /\.(pth|pt|safetensors|index\.json)$/.test(name),
);

/** A change of some bytes: one set, a few removed, repeated or put in. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  kind: fc.constantFrom('set', 'flip', 'remove', 'repeat', 'insert', 'cut', 'number'),
  value: fc.integer({ min: 0, max: 255 }),
  length: fc.integer({ min: 1, max: 40 }),
  number: fc.constantFrom(0n, 1n, 255n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
});

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(bytes: Buffer, { at, kind, value, length, number }: Change) {
  const place = Math.floor(at * bytes.length);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  const copy = Buffer.from(bytes);
  switch (kind) {
    case 'set':
      copy[place] = value;
      return copy;
    case 'flip':
      copy[place]! ^= 1 << (value & 7);
      return copy;
    case 'remove':
      return Buffer.concat([before, after.subarray(length)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, value), after]);
    case 'number':
      if (place + 8 <= copy.length) copy.writeBigUInt64LE(number, place);
      return copy;
    default:
      return before;
  }
}

describe('changed files', () => {
  let originals: Map<string, Buffer>;
  beforeAll(async () => {
    originals = new Map();
    for (const name of goldens) originals.set(name, await readFile(golden(name)));
  });

  test.each(goldens)('%s', async (name) => {
    const path = join(await temporaryFolder(), name);
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        await readSoundly(path, changes.reduce(changed, originals.get(name)!));
      }),
      { numRuns: runs },
    );
  });
});

test('pickles of random opcodes', async () => {
  const path = join(await temporaryFolder(), 'x.pth');
  const piece = fc.oneof(
    ...['(', 't', ')', ']', '}', 'u', 's', 'a', 'e', 'R', 'b', 'Q', 'N', '\x85', '\x86', '\x87', '\x88'].map(
      (op) => fc.constant(pickle.op(op)),
    ),
    fc.constantFrom('q', 'h').map((op) => pickle.op(`${op}\x01`)),
    fc.constantFrom('w', '__proto__', 'state_dict', 'storage', '0').map(pickle.text),
    fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(pickle.int),
    fc
      .constantFrom('collections.OrderedDict', 'torch._utils._rebuild_tensor_v2', 'torch.FloatStorage')
      .map(pickle.global),
    fc.constant(tensorPickle()),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.boolean(), async (pieces, inDict) => {
      const body = inDict ? [pickle.dict(pickle.text('w'), Buffer.concat(pieces))] : pieces;
      await readSoundly(path, checkpoint(pickle.program(...body), { '0': Buffer.alloc(16) }));
    }),
    { numRuns: 3 * runs },
  );
});

test('tensors of random offset, size and stride agree with a plain loop, or are refused', async () => {
  const path = join(await temporaryFolder(), 'x.pth');
  const storage = Float32Array.from({ length: 60 }, (_, i) => i);
  const axis = fc.record({ size: fc.integer({ min: 0, max: 5 }), stride: fc.integer({ min: 0, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(axis, { maxLength: 4 }),
      fc.integer({ min: 0, max: 60 }),
      async (axes, offset) => {
        const [size, stride] = [axes.map((a) => a.size), axes.map((a) => a.stride)];
        let places = [offset];
        for (const a of axes) {
          places = places.flatMap((p) => Array.from({ length: a.size }, (_, i) => p + i * a.stride));
        }
        const body = pickle.dict(pickle.text('w'), tensorPickle({ numel: 60, offset, size, stride }));
        await writeFile(path, checkpoint(pickle.program(body), { '0': Buffer.from(storage.buffer) }));
        const reading = readWeights(path);
        if (places.some((p) => p >= 60)) {
          await expectRejects('ERR_WEIGHTS', reading);
        } else {
          const entry = (await reading).get('w')!;
          expect(entry.shape).toEqual(size);
          expect([...entry.data]).toEqual(places);
        }
      },
    ),
    { numRuns: runs },
  );
});

describe('safetensors', () => {
  test('headers of random JSON', async () => {
    const path = join(await temporaryFolder(), 'x.safetensors');
    const number = fc.oneof(fc.integer({ min: -2, max: 9 }), fc.double(), fc.constantFrom(2 ** 53, 2 ** 64));
    const info = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom('F32', 'U8', 'F8_E4M3'), number),
        shape: fc.oneof(fc.array(number, { maxLength: 3 }), number),
        data_offsets: fc.array(number, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    const header = fc.dictionary(fc.string(), fc.oneof(info, fc.jsonValue()), { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(header, fc.uint8Array({ maxLength: 16 }), async (value, data) => {
        const json = Buffer.from(JSON.stringify(value));
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(json.length));
        await readSoundly(path, Buffer.concat([length, json, data]));
      }),
      { numRuns: 3 * runs },
    );
  });

  test('what is written is what is read', async () => {
    const path = join(await temporaryFolder(), 'x.safetensors');
    const types = new Map(storedTypes.map((type) => [type.dtype, type]));
    const entry = fc
      .record({
        dtype: fc.constantFrom(...(Object.keys(bytesPerElement) as StoredDType[])),
        shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        seed: fc.integer({ min: 0, max: 255 }),
      })
      .map(({ dtype, shape, seed }): WeightEntry => {
        const count = shape.reduce((product, size) => product * size, 1);
        const bytes = Uint8Array.from(
          { length: count * bytesPerElement[dtype] },
          (_, i) => (i * 37 + seed) % 251,
        );
        return { dtype, shape, data: new (types.get(dtype)!.Array)(bytes.buffer) };
      });
    const name = fc
      .string({ unit: 'grapheme' })
      .filter((text) => !['__proto__', '__metadata__'].includes(text));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, entry), { maxLength: 8 }), async (pairs) => {
        const entries = new Map(pairs);
        await writeSafetensors(path, entries);
        const again = await readWeights(path);
        expect(again.size).toBe(entries.size);
        for (const [key, { dtype, shape, data }] of entries) {
          const read = again.get(key)!;
          expect([read.dtype, read.shape]).toEqual([dtype, shape]);
          expect(Buffer.from(read.data.buffer).equals(Buffer.from(data.buffer))).toBe(true);
        }
      }),
      { numRuns: runs },
    );
  });
});
