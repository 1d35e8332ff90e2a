import { chmodSync, mkdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expandInputs } from '../lib/cli/inputs.js';
import { suiteFolder } from './support/temporary-folder.js';

const folder = suiteFolder();
const cwd = process.cwd();

/** Of the kinds that no other name here has. */
const kinds = ['Y.svg', 'x.avif', 'x.jfif', 'x.jpe', 'x.tif', 'x.tiff'].map((name) => `kinds/${name}`);

beforeAll(() => {
  for (const path of [
    'b.jpg',
    'a.png',
    'notes.txt',
    'photo1.jpg',
    'photo{1,2}.jpg',
    'deep/c.JPEG',
    'deep/er/d.webp',
    'album/b.JPG',
    'album/.hidden.png',
    '.cache/e.png',
    'texts/readme.md',
    'odd/two\nlines/-f.gif',
    ...kinds,
    'kinds/x.bmp',
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), '');
  }
  symlinkSync(folder, join(folder, 'deep', 'loop'));
  symlinkSync('absent', join(folder, 'odd', 'broken.png'));
  process.chdir(folder);
});
afterAll(() => process.chdir(cwd));

async function paths(...args: string[]): Promise<string[]> {
  return (await expandInputs(args)).map(({ path }) => path);
}

describe('arguments become images', () => {
  it.each([
    ['a file', ['b.jpg'], ['b.jpg']],
    ['files in the order given', ['b.jpg', 'a.png'], ['b.jpg', 'a.png']],
    ['each once, however it is spelt', ['b.jpg', './b.jpg', 'deep/../b.jpg', 'b.jpg'], ['b.jpg']],
    ['a file of any name that is named', ['notes.txt'], ['notes.txt']],
    ['a file whose name looks like a pattern', ['photo{1,2}.jpg'], ['photo{1,2}.jpg']],
    [
      'a folder, sorted, with all below, hidden files aside',
      ['deep/er', 'album'],
      ['deep/er/d.webp', 'album/b.JPG'],
    ],
    [
      'what links lead to, each file once',
      ['.'],
      [
        'a.png',
        'album/b.JPG',
        'b.jpg',
        'deep/c.JPEG',
        'deep/er/d.webp',
        ...kinds,
        'odd/broken.png',
        'odd/two\nlines/-f.gif',
        'photo1.jpg',
        'photo{1,2}.jpg',
      ],
    ],
    ['a folder behind a link', ['deep/loop/album'], ['deep/loop/album/b.JPG']],
    [
      'a file of any name in a folder, and a link that leads nowhere, which is reported when it is read',
      ['odd'],
      ['odd/broken.png', 'odd/two\nlines/-f.gif'],
    ],
    ['files of every kind of image in a folder', ['kinds'], kinds],
    ['a pattern', ['*.{png,jpg}'], ['a.png', 'b.jpg', 'photo1.jpg', 'photo{1,2}.jpg']],
    ['a pattern, whose files are sorted', ['**/[ab].{png,jpg,JPG}'], ['a.png', 'album/b.JPG', 'b.jpg']],
    ['a pattern through folders', ['**/*.webp'], ['deep/er/d.webp']],
    ['a pattern, then what it left', ['*.jpg', '*.png'], ['b.jpg', 'photo1.jpg', 'photo{1,2}.jpg', 'a.png']],
  ])('%s', async (_, args, expected) => {
    expect(await paths(...args)).toEqual(expected);
  });

  it('finds through absolute patterns and folders, and from below', async () => {
    expect(await paths(join(folder, '*.png'))).toEqual([join(folder, 'a.png')]);
    expect(await paths(join(folder, 'deep/er'))).toEqual([join(folder, 'deep/er/d.webp')]);
    process.chdir(join(folder, 'deep'));
    try {
      expect(await paths('../*.png')).toEqual(['../a.png']);
      expect(await paths('..')).toEqual([
        '../a.png',
        '../album/b.JPG',
        '../b.jpg',
        '../deep/c.JPEG',
        '../deep/er/d.webp',
        ...kinds.map((path) => `../${path}`),
        '../odd/broken.png',
        '../odd/two\nlines/-f.gif',
        '../photo1.jpg',
        '../photo{1,2}.jpg',
      ]);
    } finally {
      process.chdir(folder);
    }
  });
});

describe('arguments that yield nothing', () => {
  it('are kept in place with the reason where others yield something', async () => {
    const inputs = await expandInputs(['absent.jpg', 'a.png', '*.gif', 'al?um', 'texts']);
    expect(inputs.map(({ path }) => path)).toEqual(['absent.jpg', 'a.png', '*.gif', 'al?um', 'texts']);
    expect(inputs.map(({ error }) => error?.message)).toEqual([
      "'absent.jpg': no such file",
      undefined,
      "'*.gif': no file matches the pattern",
      "'al?um': no file matches the pattern", // but a folder
      "'texts': the folder holds no images",
    ]);
    expect(inputs[0]?.error?.code).toBe('ERR_IMAGE');
  });

  it('so does a folder within one that may not be read', async () => {
    const root = process.geteuid?.() === 0;
    try {
      chmodSync(folder, 0o755);
      chmodSync(join(folder, 'album'), 0);
      if (root) process.seteuid?.(65534); // root may read everything, nobody may not
      for (const argument of ['.', '**/*.png']) {
        const inputs = await expandInputs([argument]);
        expect(inputs.find(({ path }) => path === 'album')?.error?.message).toMatch(/'album': .*EACCES/);
        expect(inputs.map(({ path }) => path)).toContain('a.png');
      }
    } finally {
      if (root) process.seteuid?.(0);
      chmodSync(join(folder, 'album'), 0o755);
    }
  });

  it('so does a pattern in a working directory that is gone', async () => {
    const gone = join(folder, 'gone');
    mkdirSync(gone);
    process.chdir(gone);
    rmdirSync(gone);
    try {
      const inputs = await expandInputs([join(folder, 'a.png'), '*.png']);
      expect(inputs[1]?.error?.message).toMatch(/^'\*\.png': the pattern cannot be looked for: .*ENOENT/);
    } finally {
      process.chdir(folder);
    }
  });

  it('are an error where there are no others', async () => {
    await expect(expandInputs(['absent.jpg', 'texts'])).rejects.toMatchObject({
      code: 'ERR_IMAGE',
      message: "'absent.jpg': no such file\n'texts': the folder holds no images",
    });
  });
});
