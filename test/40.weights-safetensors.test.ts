import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WeightEntry } from '../lib/dtype.js';
import { readWeights, withStoredEntries } from '../lib/weights/read.js';
import { writeSafetensors } from '../lib/weights/write-safetensors.js';
import { expectRejects } from './support/errors.js';
import { listsOpenFiles, openFiles } from './support/open-files.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { expectRefusal, golden, readBytes, safetensors } from './support/weights-files.js';

const f32 = (shape: unknown, ...data_offsets: unknown[]) => ({ dtype: 'F32', shape, data_offsets });
const read = (header: unknown, data?: Uint8Array | number, length?: number | bigint) =>
  readBytes(safetensors(header, data, length), 'x.safetensors');

describe('safetensors files that are valid', () => {
  test('no tensors', async () => {
    expect((await read({})).size).toBe(0);
    expect((await read({ __metadata__: { a: 'b' } })).size).toBe(0);
  });

  test('a header of odd length, with space around', async () => {
    const entries = await read(
      `{ "a" :\n{"dtype":"U8","shape":[3],"data_offsets":[0,3]} }  `,
      Buffer.from('abc'),
    );
    expect(entries.get('a')).toEqual({ dtype: 'uint8', shape: [3], data: new Uint8Array([97, 98, 99]) });
  });

  test('tensors of all sizes, at odd places and in any order', async () => {
    // around the sizes that are read together, and one by one
    const sizes = [1, 3, 65_535, 65_536, 65_537, 262_143, 7, 262_145, 5, 0, 130_001, 65_536, 2, 300_000, 9];
    const data = randomBytes(sizes.reduce((sum, size) => sum + size, 0));
    let end = 0;
    const tensors = sizes.map((size, i): [string, unknown] => {
      end += size;
      return [`t${i}`, { dtype: 'U8', shape: [size], data_offsets: [end - size, end] }];
    });
    const header = Object.fromEntries(tensors.toSorted(([a], [b]) => (a < b ? 1 : -1)));
    const entries = await read(header, data);
    expect(entries.size).toBe(sizes.length);
    end = 0;
    for (const [i, size] of sizes.entries()) {
      end += size;
      expect(
        Buffer.compare(data.subarray(end - size, end), entries.get(`t${i}`)!.data as Uint8Array),
        `t${i}`,
      ).toBe(0);
    }
  });

  test('a tensor without elements where another begins', async () => {
    const entries = await read({ a: f32([1], 0, 4), b: f32([0], 0, 0), c: f32([2, 0], 4, 4) }, 4);
    expect([...entries.values()].map(({ data }) => data.length)).toEqual([1, 0, 0]);
  });

  test('names that are special to JavaScript', async () => {
    const entries = await read(
      { constructor: f32([1], 0, 4), prototype: f32([0], 4, 4), '': f32([], 4, 8) },
      8,
    );
    expect([...entries.keys()]).toEqual(['constructor', 'prototype', '']);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

describe('safetensors files that are refused', () => {
  const a = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';

  test.each<[string, unknown, Uint8Array | number, RegExp, (number | bigint)?]>([
    ['a header of length 0', '', 0, /header has length 0/, 0],
    ['a header over 100 MB', {}, 0, /100000001 bytes; the format allows 100000000/, 100_000_001],
    ['a header of 2^64 - 1 bytes', {}, 0, /18446744073709551615 bytes/, 2n ** 64n - 1n],
    ['a header past the file', {}, 0, /header ends at byte 58, the file at 10/, 50],
    ['a header that is no JSON', '{"a":', 0, /invalid JSON at byte 5/],
    ['a header of several values', '{} {}', 0, /expected the end/],
    ['a header that does not begin with {', ' {}', 0, /does not begin with/],
    ['a header in an array', '[]', 0, /does not begin with/],
    ['invalid UTF-8', Buffer.from('{"\xff":1}', 'latin1'), 0, /invalid string at byte 2/],
    ['overlong UTF-8', Buffer.from('{"\xc0\x80":1}', 'latin1'), 0, /invalid string/],
    ['a lone surrogate', '{"\\ud800":1}', 0, /surrogate/],
    ['a bad escape', '{"\\x41":1}', 0, /invalid string/],
    ['a control character', '{"a\nb":1}', 0, /control character/],
    ['an endless string', '{"a', 0, /ends inside a string/],
    ['a key twice', `{${a},${a}}`, 4, /the key "a" stands twice/],
    ['a key twice, once escaped', `{${a},${a.replace('"a"', '"\\u0061"')}}`, 4, /the key "a" stands twice/],
    ['a dtype twice', '{"a":{"dtype":"F32","dtype":"F32"}}', 4, /the key "dtype" stands twice/],
    ['__proto__', `{"__proto__":${a.slice(4)}}`, 4, /"__proto__" is not allowed/],
    ['__proto__ inside', '{"a":{"__proto__":{}}}', 0, /"__proto__" is not allowed/],
    ['deep nesting', `{"a":${'['.repeat(1000)}`, 0, /nested deeper/],
    ['a tensor that is no object', '{"a":3}', 0, /tensor "a": expected an object/],
    ['a tensor that is null', '{"a":null}', 0, /tensor "a": expected an object/],
    [
      'an unknown dtype',
      { a: { ...f32([4], 0, 4), dtype: 'F8_E5M2' } },
      4,
      /tensor "a": dtype "F8_E5M2"; known/,
    ],
    ['no dtype', { a: { shape: [1], data_offsets: [0, 4] } }, 4, /tensor "a": dtype missing/],
    ['no shape', { a: { dtype: 'F32', data_offsets: [0, 4] } }, 4, /tensor "a": its shape/],
    ['a negative dimension', { a: f32([-1], 0, 4) }, 4, /tensor "a": its shape/],
    ['two negative dimensions', { a: f32([-1, -1], 0, 4) }, 4, /tensor "a": its shape/],
    ['a fraction in a shape', { a: f32([1.5], 0, 4) }, 4, /tensor "a": its shape/],
    ['a fraction that is whole', '{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', 4, /its shape/],
    ['a string in a shape', { a: f32(['1'], 0, 4) }, 4, /tensor "a": its shape/],
    ['100 dimensions', { a: f32(Array(100).fill(1), 0, 4) }, 4, /tensor "a": its shape/],
    ['a shape past 2^53', { a: f32([2 ** 30, 2 ** 30], 0, 4) }, 4, /more than 2\^53 - 1 elements/],
    ['a shape past 2^64, back to 0', { a: f32([2 ** 32, 2 ** 32], 0, 0) }, 0, /more than 2\^53 - 1/],
    ['a shape past any double', { a: f32([...Array(63).fill(2 ** 52), 0], 0, 0) }, 0, /more than 2\^53 - 1/],
    [
      'another size than the shape',
      { a: f32([2, 3], 0, 4) },
      4,
      /F32 of shape \[2, 3\] takes 24 bytes, data_offsets \[0, 4\] span 4/,
    ],
    ['one offset', { a: f32([1], 0) }, 4, /tensor "a": its data_offsets/],
    ['three offsets', { a: f32([1], 0, 4, 8) }, 8, /tensor "a": its data_offsets/],
    ['a negative offset', { a: f32([1], -4, 0) }, 4, /tensor "a": its data_offsets/],
    ['offsets in reverse', { a: f32([1], 4, 0) }, 4, /span -4/],
    [
      'offsets past 2^53',
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[9007199254740993,9007199254740997]}}',
      4,
      /tensor "a": its data_offsets/,
    ],
    [
      'offsets of a hundred digits',
      `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,${'9'.repeat(100)}]}}`,
      4,
      /invalid JSON|its data_offsets/,
    ],
    ['a leading zero', '{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', 4, /invalid JSON/],
    ['a start after 0', { a: f32([1], 4, 8) }, 8, /tensor "a" leaves a gap/],
    ['a gap', { a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12, /tensor "b" leaves a gap/],
    ['an overlap', { a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8, /tensor "b" overlaps/],
    ['two tensors in one place', { a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4, /overlaps/],
    ['bytes after the end', { a: f32([1], 0, 4) }, 5, /end at byte 4 of the data, the data at 5/],
    ['too few bytes', { a: f32([1], 0, 4) }, 3, /end at byte 4 of the data, the data at 3/],
    ['metadata that is no object', { __metadata__: [] }, 0, /__metadata__/],
    ['metadata of numbers', { __metadata__: { a: 1 } }, 0, /__metadata__/],
  ])('%s', async (_, header, data, message, length) => {
    await expectRefusal(read(header, data, length), message);
  });

  test('cut off at every byte', async () => {
    const whole = safetensors({ a: f32([2], 0, 8), b: f32([1, 1], 8, 12) }, 12);
    expect((await readBytes(whole)).size).toBe(2);
    const folder = await temporaryFolder();
    for (let length = 0; length < whole.length; length++) {
      const path = join(folder, 'cut.safetensors');
      await writeFile(path, whole.subarray(0, length));
      await expectRefusal(readWeights(path), /cut\.safetensors: /);
    }
  });

  test('more tensors than there is memory, in a sparse file that takes none', async () => {
    const path = join(await temporaryFolder(), 'sparse.safetensors');
    const gigabyte = 2 ** 30;
    const count = 2 * Math.ceil(totalmem() / gigabyte);
    const info = (i: number) => ({ ...f32([2 ** 28], i * gigabyte, (i + 1) * gigabyte) });
    const start = safetensors(
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, info(i)])),
    );
    await writeFile(path, start);
    await truncate(path, start.length + count * gigabyte);
    const before = process.memoryUsage.rss();
    await expectRejects('ERR_OUT_OF_MEMORY', readWeights(path));
    expect(process.memoryUsage.rss() - before).toBeLessThan(gigabyte);
  });

  test('a long and strange name does not flood the message', async () => {
    const error = await read({ [`\n${'x'.repeat(10_000)}`]: f32([2], 0, 4) }, 4).catch((e) => e);
    expect(error.message).toMatch(/tensor "\\nxxx/);
    expect(error.message.length).toBeLessThan(600);
  });
});

describe('an index of shards', () => {
  async function readIndex(index: unknown, shards: Record<string, Uint8Array> = {}) {
    const folder = await temporaryFolder();
    for (const [name, bytes] of Object.entries(shards)) await writeFile(join(folder, name), bytes);
    const path = join(folder, 'model.safetensors.index.json');
    await writeFile(path, typeof index === 'string' ? index : JSON.stringify(index));
    return readWeights(path);
  }
  const shard = safetensors({ a: f32([1], 0, 4), b: f32([1], 4, 8) }, 8);

  test('takes what it lists', async () => {
    const entries = await readIndex({ weight_map: { a: 's.safetensors' } }, { 's.safetensors': shard });
    expect([...entries.keys()]).toEqual(['a']);
  });

  test.each(['../s', 'x/s', '..', '.', '', '/etc/passwd', 'x\\s', 'C:s', 's\0'])(
    'refuses %j',
    async (name) => {
      await expectRefusal(readIndex({ weight_map: { a: name } }), /expected a file name without a path/);
    },
  );

  test.each<[string, unknown, RegExp]>([
    ['no weight_map', {}, /no weight_map/],
    ['a number for a file', { weight_map: { a: 3 } }, /names no file for tensor "a"/],
    ['a name twice', '{"weight_map":{"a":"s","a":"t"}}', /the key "a" stands twice/],
    ['__proto__', '{"weight_map":{"__proto__":"s"}}', /"__proto__" is not allowed/],
    ['a missing shard', { weight_map: { a: 'none' } }, /none: cannot be opened \(ENOENT/],
    ['a tensor that the shard lacks', { weight_map: { c: 's' } }, /lacks tensor "c"/],
    ['itself as a shard', { weight_map: { a: 'model.safetensors.index.json' } }, /header/],
    ['JSON that ends early', '{"weight_map":', /invalid JSON/],
    [
      'more tensors than any model has',
      { weight_map: Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [`t${i}`, `s${i}`])) },
      /lists 100001 tensors/,
    ],
  ])('refuses %s', async (_, index, message) => {
    await expectRefusal(readIndex(index, { s: shard }), message);
  });

  test('refuses a shard that another file took the place of while they were read', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'index.json');
    await writeFile(join(folder, 's'), shard);
    await writeFile(path, JSON.stringify({ weight_map: { a: 's', b: 's' } }));
    await withStoredEntries(path, undefined, async (entries) => {
      await entries.get('a')!.read();
      await writeFile(join(folder, 'new'), safetensors({ x: f32([2], 0, 8) }, 8));
      await rename(join(folder, 'new'), join(folder, 's'));
      await expectRefusal(entries.get('b')!.read(), /s: was written anew while it was read/);
    });
  });

  test('follows symbolic links to files, but not in circles or to folders', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'blobs'));
    await writeFile(join(folder, 'blobs', '0'), shard);
    await symlink(join('blobs', '0'), join(folder, 'good'));
    await symlink('circle', join(folder, 'circle'));
    await symlink('blobs', join(folder, 'folder'));
    await symlink('/dev/zero', join(folder, 'device'));
    const path = join(folder, 'index.json');
    const index = (name: string) => writeFile(path, JSON.stringify({ weight_map: { a: name } }));
    await index('good');
    expect((await readWeights(path)).size).toBe(1);
    for (const [name, message] of [
      ['circle', /ELOOP/],
      ['folder', /got a folder/],
      ['device', /got a pipe or device/],
    ] as const) {
      await index(name);
      await expectRefusal(readWeights(path), message);
    }
  });
});

describe('other files', () => {
  test.each([
    [
      'HDF5',
      Buffer.from('\x89HDF\r\n\x1a\n....', 'latin1'),
      /is an HDF5 file, as Keras.*convert it to safetensors/,
    ],
    ['Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\noid'), /git lfs pull/],
    ['HTML', Buffer.from('<!DOCTYPE html><html>'), /web page/],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), /gunzip/],
    ['pickle', Buffer.from([0x80, 4, 0x95, 0]), /bare Python pickle/],
    ['NumPy', Buffer.from('\x93NUMPY\x01\0', 'latin1'), /NumPy/],
    ['GGUF', Buffer.from('GGUF\x03\0\0\0'), /GGUF/],
    ['tar', Buffer.concat([Buffer.alloc(257, 'a'), Buffer.from('ustar')]), /tar archive/],
    [
      'an empty zip archive',
      Buffer.concat([Buffer.from('PK\x05\x06'), Buffer.alloc(18)]),
      /empty or split zip/,
    ],
    ['nothing', Buffer.alloc(0), /of no format that is known/],
    ['noise', Buffer.from('noise'), /of no format that is known/],
  ])('%s', async (_, bytes, message) => {
    await expectRefusal(readBytes(bytes), message);
  });

  test('no file, and a folder', async () => {
    const folder = await temporaryFolder();
    await expectRefusal(readWeights(join(folder, 'none.pth')), /none\.pth: cannot be opened \(ENOENT/);
    await expectRefusal(readWeights(folder), /got a folder/);
  });

  test.runIf(listsOpenFiles)('are not left open', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'x'), 'noise');
    await expectRefusal(readWeights(join(folder, 'x')), /no format/);
    await expectRefusal(readWeights(folder), /got a folder/);
    expect(await openFiles(folder)).toBe(0);
  });

  test('a named pipe, without waiting for someone to write', async () => {
    const pipe = join(await temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expectRefusal(readWeights(pipe), /got a pipe or device/);
  });

  test('wrong arguments', async () => {
    await expectRejects('ERR_ARGUMENT', readWeights(3 as never));
    const misspelt = readWeights('x', { sginal: 1 } as never);
    await expectRejects('ERR_ARGUMENT', misspelt, /did you mean 'signal'/);
  });

  test('an abort', async () => {
    const reading = readWeights(golden('views.pth'), { signal: AbortSignal.abort(new Error('enough')) });
    await expect(reading).rejects.toThrow('enough');
    const controller = new AbortController();
    const later = readWeights(golden('views.pth'), { signal: controller.signal });
    controller.abort();
    await expect(later).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('writeSafetensors', () => {
  const entry: WeightEntry = { dtype: 'float32', shape: [2], data: new Float32Array([1, 2]) };

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'a shape that does not fit',
      { a: { ...entry, shape: [3, 4] } },
      /tensor "a": shape \[3, 4\] does not fit 2/,
    ],
    ['a negative shape', { a: { ...entry, shape: [-1, -2] } }, /does not fit/],
    [
      'another array',
      { a: { ...entry, data: new Float64Array(2) } },
      /float32 is a Float32Array, got .*Float64/,
    ],
    ['an unknown dtype', { a: { ...entry, dtype: 'float8' } }, /unknown dtype 'float8'/],
    ['a reserved name', { __metadata__: entry }, /not allowed/],
    ['a name that no file may hold', { ['__proto__']: entry }, /the key "__proto__" is not allowed/],
    ['half a character', { '\ud800': entry }, /not valid Unicode/],
  ])('refuses %s and leaves nothing behind', async (_, entries, message) => {
    const folder = await temporaryFolder();
    await expectRefusal(
      writeSafetensors(join(folder, 'x'), new Map(Object.entries(entries)) as never),
      message,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  test.each<[string, WeightEntry['shape'], Record<string, string>, RegExp]>([
    ['metadata with a key __proto__', [2], JSON.parse('{"__proto__": "x"}'), /"__proto__" is not allowed/],
    ['half a character in metadata', [2], { a: '\ud800' }, /surrogate/],
    ['metadata of 17 MB', [2], { a: 'x'.repeat(17 * 2 ** 20) }, /a string of its JSON is over/],
    ['65 dimensions', [2, ...new Array(64).fill(1)], {}, /its shape is not a list/],
  ])('writes no file that could not be read: %s', async (_, shape, metadata, message) => {
    const folder = await temporaryFolder();
    const entries = new Map([['a', { ...entry, shape }]]);
    await expectRefusal(writeSafetensors(join(folder, 'x'), entries, { metadata }), message);
    expect(await readdir(folder)).toEqual([]);
  });

  test('writes no file of data that shrinks meanwhile', async () => {
    const folder = await temporaryFolder();
    // biome-ignore lint/suspicious/noExplicitAny: the types of Node 20 know no buffers that can be resized
    const buffer = new (ArrayBuffer as any)(16, { maxByteLength: 16 });
    const shrinking = { ...entry, shape: [4], data: new Float32Array(buffer) };
    const writing = writeSafetensors(join(folder, 'x'), new Map([['a', shrinking]]));
    buffer.resize(4);
    await expectRefusal(writing, /"a" became 4 bytes meanwhile, from 16/);
    expect(await readdir(folder)).toEqual([]);
  });

  test('a file that cannot be written leaves nothing behind', async () => {
    const folder = await temporaryFolder();
    const entries = new Map([['a', entry]]);
    await mkdir(join(folder, 'taken', 'inside'), { recursive: true });
    await expectRefusal(writeSafetensors(join(folder, 'taken'), entries), /cannot be written/);
    await expectRefusal(writeSafetensors(join(folder, 'no', 'folder'), entries), /ENOENT/);
    await expectRefusal(writeSafetensors(join(folder, 'x'.repeat(300)), entries), /ENAMETOOLONG/);
    await expectRefusal(writeSafetensors(join(folder, 'x\0'), entries), /cannot be written/);
    await writeFile(join(folder, 'file'), '');
    await expectRefusal(writeSafetensors(join(folder, 'file', 'x'), entries), /ENOTDIR/);
    expect(await readdir(folder)).toEqual(['file', 'taken']);
  });

  test('replaces a file at once, and keeps metadata', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x.safetensors');
    await writeFile(path, 'old');
    await writeSafetensors(path, new Map([['a', entry]]), { metadata: { epoch: '3' } });
    expect(await readdir(folder)).toEqual(['x.safetensors']);
    expect((await readWeights(path)).get('a')).toEqual(entry);
  });

  test('orders tensors as safetensors does, by width and name, however they are given', async () => {
    const path = join(await temporaryFolder(), 'x');
    const bytes: WeightEntry = { dtype: 'uint8', shape: [3], data: new Uint8Array(3) };
    const given: [string, WeightEntry][] = [
      ['a', bytes],
      ['c', entry],
      ['b', entry],
    ];
    for (const entries of [given, given.toReversed()]) {
      await writeSafetensors(path, new Map(entries));
      expect([...(await readWeights(path)).keys()]).toEqual(['b', 'c', 'a']);
    }
  });

  test('a part of a larger buffer is written, not the buffer', async () => {
    const path = join(await temporaryFolder(), 'x');
    const part = { ...entry, data: new Float32Array([0, 1, 2, 3]).subarray(1, 3) };
    await writeSafetensors(path, new Map([['a', part]]));
    expect((await readWeights(path)).get('a')).toEqual(entry);
  });
});
