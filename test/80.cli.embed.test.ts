import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';
import { ResNet18 } from '../lib/index.js';
import { cudnnResnet, jsonLines } from './support/cli-process.js';
import { returnsMemory } from './support/memory.js';
import { suiteFolder } from './support/temporary-folder.js';

const golden = fileURLToPath(new URL('golden/images/', import.meta.url));
const random = ['--weights', 'random', '--model', 'resnet18', '--device', 'cpu'];

returnsMemory();
const folder = suiteFolder();
beforeAll(() => {
  copyFileSync(join(golden, 'landscape.png'), join(folder, 'a.png'));
  copyFileSync(join(golden, 'photo.jpg'), join(folder, 'b.jpg'));
  copyFileSync(join(golden, 'small.png'), join(folder, 'c.png'));
  writeFileSync(join(folder, 'broken.jpg'), 'this is no image');
});

function embed(...args: string[]) {
  return cudnnResnet(['embed', ...args, ...random], { cwd: folder });
}

/** What is in the folder of a file of this name, whole or not. */
function written(name: string): string[] {
  return readdirSync(folder).filter((each) => each.startsWith(name) || each.endsWith('.tmp'));
}

/** Reads a NumPy file of float32 rows. */
function readNpy(path: string): { shape: number[]; data: Float32Array } {
  const bytes = readFileSync(path);
  expect(bytes.toString('latin1', 0, 8)).toBe('\x93NUMPY\x01\x00');
  const end = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, end);
  expect(header).toContain("'descr': '<f4', 'fortran_order': False");
  const shape = /\((.*)\)/.exec(header)![1]!.split(', ').map(Number);
  return { shape, data: new Float32Array(new Uint8Array(bytes.subarray(end)).buffer) };
}

async function expected(...images: string[]): Promise<ArrayLike<number>[]> {
  using model = new ResNet18({ device: 'cpu', seed: 0 });
  const rows: ArrayLike<number>[] = [];
  for (const image of images) {
    using features = model.features(await preprocess(join(folder, image)));
    rows.push(await features.data());
  }
  return rows;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  const squares = (values: number[]) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  const [left, right] = [Array.from(a), Array.from(b)];
  return squares(left.map((x, i) => x - right[i]!)) / squares(right);
}

describe('embed', () => {
  it('prints lines of JSON', async () => {
    const { code, stdout } = await embed('a.png', 'b.jpg');
    expect(code).toBe(0);
    const lines = jsonLines(stdout) as { image: string; embedding: number[] }[];
    expect(lines.map(({ image }) => image)).toEqual(['a.png', 'b.jpg']);
    for (const [i, row] of (await expected('a.png', 'b.jpg')).entries()) {
      expect(row.length).toBe(512);
      expect(distance(lines[i]!.embedding, row)).toBeLessThan(1e-5);
    }
  });

  it('gives numbers of float32 in every dtype', async () => {
    const { stdout } = await embed('a.png', '--dtype', 'bfloat16');
    const [{ embedding }] = jsonLines(stdout) as [{ embedding: number[] }];
    expect(distance(embedding, (await expected('a.png'))[0]!)).toBeLessThan(0.1);
  });

  it('writes a NumPy file and names its rows', async () => {
    const { code, stdout } = await embed('b.jpg', 'a.png', 'c.png', '--batch', '2', '-o', 'rows.npy');
    expect(code).toBe(0);
    expect(stdout).toBe('b.jpg\na.png\nc.png\n');
    const { shape, data } = readNpy(join(folder, 'rows.npy'));
    expect(shape).toEqual([3, 512]);
    for (const [i, row] of (await expected('b.jpg', 'a.png', 'c.png')).entries()) {
      expect(distance(data.subarray(i * 512, (i + 1) * 512), row)).toBeLessThan(1e-5);
    }
  });

  it('leaves out what cannot be read, and says which row is which', async () => {
    const { code, stdout, stderr } = await embed('a.png', 'broken.jpg', 'c.png', '-o', 'part.npy', '--json');
    expect(code).toBe(1);
    expect(stderr).toContain("'broken.jpg'");
    expect(jsonLines(stdout)).toEqual([
      { row: 0, image: 'a.png' },
      { row: 1, image: 'c.png' },
    ]);
    expect(readNpy(join(folder, 'part.npy')).shape).toEqual([2, 512]);
  });

  it('leaves nothing behind where it fails', async () => {
    const { code, stderr } = await embed('broken.jpg', '-o', 'never.npy');
    expect(code).toBe(1);
    expect(stderr).not.toContain('of 1 images');
    expect(written('never')).toEqual([]);
  });

  it('writes the whole file when the reader of stdout goes', async () => {
    // names so long that stdout has to be waited for
    const deep = join(...Array.from({ length: 8 }, () => 'x'.repeat(250)));
    mkdirSync(join(folder, deep), { recursive: true });
    const images = Array.from({ length: 20 }, (_, i) => join(deep, `${i}.png`));
    for (const image of images) copyFileSync(join(golden, 'small.png'), join(folder, image));
    const args = [...images, 'broken.jpg', '--size', '32', '--batch', '10', '-o', 'unread.npy'];
    const ended = await cudnnResnet(['embed', ...args, ...random], { cwd: folder, closeAfter: 1 });
    expect([ended.code, ended.signal]).toEqual([1, null]);
    expect(ended.stderr).not.toMatch(/EPIPE|Error/);
    expect(ended.stderr).toContain('1 of 21 images could not be read');
    expect(readNpy(join(folder, 'unread.npy')).shape).toEqual([20, 512]);
    expect(written('unread')).toEqual(['unread.npy']);
  });

  // of the systems that the package runs on Linux alone has a file that is always full
  it.runIf(existsSync('/dev/full'))('leaves nothing behind where its names cannot be written', async () => {
    const full = { cwd: folder, stdoutFile: '/dev/full' };
    const { code, stderr } = await cudnnResnet(['embed', 'a.png', '-o', 'unnamed.npy', ...random], full);
    expect(code).toBe(1);
    expect(stderr).toContain('cudnn-resnet: the output cannot be written: ');
    expect(written('unnamed')).toEqual([]);
  });

  it('leaves nothing behind where the disk is full at once', async () => {
    const full = { cwd: folder, noRoom: true };
    const { code, stdout, stderr } = await cudnnResnet(['embed', 'a.png', '-o', 'full.npy', ...random], full);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/'full\.npy' cannot be written: EFBIG.*\[ERR_ARGUMENT\]\n$/);
    expect(written('full')).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing behind where %s ends it',
    async (signal) => {
      copyFileSync(join(folder, 'a.png'), join(folder, 'former.npy'));
      const images = Array.from({ length: 200 }, (_, i) => `killed-${i}.png`);
      for (const image of images) linkSync(join(folder, 'a.png'), join(folder, image));
      const args = ['embed', ...images, '--batch', '1', '-o', 'former.npy', ...random];
      const ended = await cudnnResnet(args, { cwd: folder, kill: { signal, lines: 2 } });
      for (const image of images) rmSync(join(folder, image));
      expect(ended).toMatchObject({ code: null, signal });
      expect(written('former')).toEqual(['former.npy']);
      expect(readFileSync(join(folder, 'former.npy'))).toEqual(readFileSync(join(folder, 'a.png')));
    },
  );

  it('writes whole files where two programs write the same one', async () => {
    const sizes = ['32', '48'];
    const write = (size: string) =>
      embed('a.png', 'b.jpg', 'c.png', '--batch', '1', '--size', size, '-o', 'shared.npy');
    const wholes = [];
    for (const size of sizes) {
      expect((await write(size)).code).toBe(0);
      wholes.push(readFileSync(join(folder, 'shared.npy')).toString('hex'));
    }
    const ended = await Promise.all(sizes.map(write));
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(wholes).toContain(readFileSync(join(folder, 'shared.npy')).toString('hex'));
    expect(written('shared')).toEqual(['shared.npy']);
  });

  it('says at once where it cannot write', async () => {
    const { code, stderr } = await embed('a.png', '-o', 'absent/rows.npy');
    expect(code).toBe(1);
    expect(stderr).toContain("'absent/rows.npy' cannot be written");
    mkdirSync(join(folder, 'folder.npy'));
    const taken = await embed('a.png', '-o', 'folder.npy');
    expect(taken).toMatchObject({ code: 1, stdout: '' });
    expect(taken.stderr).toContain("'folder.npy' cannot be written: it is a folder");
  });
});
