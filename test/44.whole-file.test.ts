import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeUnfinished, WholeFile } from '../lib/whole-file.js';
import { writeAll } from '../lib/write-all.js';
import { listsOpenFiles, openFiles } from './support/open-files.js';
import { temporaryFolder } from './support/temporary-folder.js';

test('all is written, however few bytes the system takes at a time', async () => {
  const given = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  const taken = new Uint8Array(1010);
  const write = async (buffer: Uint8Array, offset: number, length: number, position: number) => {
    const bytesWritten = Math.min(length, 7);
    taken.set(buffer.subarray(offset, offset + bytesWritten), position);
    return { bytesWritten, buffer };
  };
  await writeAll({ write } as never, given, 10);
  expect(taken.subarray(10)).toEqual(given);
});

const bytes = (text: string) => new TextEncoder().encode(text);

test('has its name once it is finished; what was there stays until then', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  await writeFile(path, 'before');
  {
    await using file = await WholeFile.create(path);
    await file.append(bytes('?ew '));
    await file.overwrite(bytes('n'), 0);
    await file.append(bytes('text'));
    expect(await readFile(path, 'utf8')).toBe('before');
    await file.finish();
  }
  expect(await readFile(path, 'utf8')).toBe('new text');
  expect(await readdir(folder)).toEqual(['x']);
});

test('leaves nothing where it is not finished', async () => {
  const folder = await temporaryFolder();
  const failing = async () => {
    await using file = await WholeFile.create(join(folder, 'x'));
    await file.append(bytes('text'));
    throw new RangeError('as asked');
  };
  await expect(failing()).rejects.toThrow(RangeError);
  expect(await readdir(folder)).toEqual([]);
});

test.runIf(listsOpenFiles)('is not left open where it is not finished', async () => {
  const folder = await temporaryFolder();
  await using file = await WholeFile.create(join(folder, 'x'));
  expect(await openFiles(folder)).toBe(1);
  await file[Symbol.asyncDispose]();
  expect(await openFiles(folder)).toBe(0);
});

test('of two that are written at once the one that is finished last stays, whole', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  await using first = await WholeFile.create(path);
  await using second = await WholeFile.create(path);
  await first.append(bytes('first'));
  await second.append(bytes('second'));
  await first.append(bytes(' of two'));
  await second.finish();
  expect(await readFile(path, 'utf8')).toBe('second');
  await first.finish();
  expect(await readFile(path, 'utf8')).toBe('first of two');
  expect(await readdir(folder)).toEqual(['x']);
});

test('says before anything is written where no file can be', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'taken'));
  await expect(WholeFile.create(join(folder, 'taken'))).rejects.toThrow('it is a folder');
  await expect(WholeFile.create(join(folder, 'absent', 'x'))).rejects.toThrow('ENOENT');
  expect(await readdir(folder)).toEqual(['taken']);
});

test('a folder that takes its place meanwhile stays, and nothing else', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  const failing = async () => {
    await using file = await WholeFile.create(path);
    await mkdir(path);
    await file.finish();
  };
  await expect(failing()).rejects.toThrow(/EISDIR|ENOTDIR|EEXIST|ENOTEMPTY/);
  expect(await readdir(folder)).toEqual(['x']);
});

test('what is unfinished can be removed at once, and what is finished stays', async () => {
  const folder = await temporaryFolder();
  {
    await using finished = await WholeFile.create(join(folder, 'finished'));
    await finished.finish();
    await using file = await WholeFile.create(join(folder, 'x'));
    await file.append(bytes('text'));
    removeUnfinished();
    expect(await readdir(folder)).toEqual(['finished']);
  }
  expect(existsSync(join(folder, 'x'))).toBe(false);
});
