import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expandInputs } from '../lib/cli/inputs.js';
import type { WeightEntry } from '../lib/dtype.js';
import { writeSafetensors } from '../lib/weights/write-safetensors.js';
import { cudnnResnet, jsonLines } from './support/cli-process.js';

const picture = fileURLToPath(new URL('golden/images/small.png', import.meta.url));
const random = ['--weights', 'random', '--model', 'resnet18', '--device', 'cpu', '--size', '32'];
const name = 'two\nlines\u001b[2J\u202e.png';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-'));
  copyFileSync(picture, join(folder, name));
  copyFileSync(picture, join(folder, '-x.png'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('names of files that a terminal would obey', () => {
  it('are escaped for people, each on its line, and whole in JSON', async () => {
    const rows = await cudnnResnet(['embed', name, ...random, '-o', 'rows.npy'], { cwd: folder });
    expect(rows.stdout).toBe('two\\nlines\\u001b[2J\\u202e.png\n');
    const shown = await cudnnResnet(['classify', name, ...random], { cwd: folder });
    expect(shown.stdout).toContain('\ntwo\\nlines\\u001b[2J\\u202e.png\n  0.');
    const json = await cudnnResnet(['classify', name, ...random, '--json'], { cwd: folder });
    expect(jsonLines(json.stdout)).toMatchObject([{ image: name }]);
  });

  it('are escaped in errors', async () => {
    writeFileSync(join(folder, 'bad\u009b.png'), 'no image');
    const { code, stderr } = await cudnnResnet(['classify', 'bad\u009b.png', 'no\nne\u001b.png', ...random], {
      cwd: folder,
    });
    expect(code).toBe(1);
    expect(stderr).toContain("'bad\\u009b.png': not an image");
    expect(stderr).toContain("'no\\nne\\u001b.png': no such file");
  });

  it('are escaped by convert, with the names of tensors, and where the call is wrong', async () => {
    const entry: WeightEntry = { dtype: 'float32', shape: [1], data: Float32Array.of(1e6) };
    await writeSafetensors(join(folder, 'a\u001b.safetensors'), new Map([['w\n\u001b[2J', entry]]));
    const args = ['convert', 'a\u001b.safetensors', 'b\u001b.safetensors'];
    const half = await cudnnResnet([...args, '--dtype', 'float16'], { cwd: folder });
    expect(half.stderr).toBe(
      "cudnn-resnet: 'w\\n\\u001b[2J' holds numbers beyond float16: they became infinite\n",
    );
    expect(half.stdout).toBe('b\\u001b.safetensors: 1 tensors, 0.0 MB, float16\n');
    const wrong = await cudnnResnet([...args.slice(0, 2), 'b\u001b'], { cwd: folder });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("name a file TO.safetensors, got 'b\\u001b'\n");
  });

  it('are told apart from those that are not there where they are no UTF-8', async () => {
    const odd = join(folder, 'odd');
    mkdirSync(odd);
    const bytes = (text: string) => Buffer.concat([Buffer.from(`${odd}/`), Buffer.from(text, 'latin1')]);
    writeFileSync(bytes('\xff.png'), '');
    writeFileSync(bytes('\xff.txt'), '');
    mkdirSync(bytes('\xfe'));
    writeFileSync(join(odd, 'a\ufffd.png'), '');
    const inputs = await expandInputs([odd]);
    const why = 'its name is not UTF-8; rename it';
    expect(inputs.map(({ error }) => error?.message.split(': ')[1])).toEqual([undefined, why, why]);
  });
});

it('a file whose name begins as an option does is pointed to', async () => {
  const { code, stderr } = await cudnnResnet(['classify', '-x.png', ...random], { cwd: folder });
  expect(code).toBe(2);
  expect(stderr).toContain("unknown option '-x'; did you mean './-x.png'?");
  expect((await cudnnResnet(['classify', './-x.png', ...random], { cwd: folder })).code).toBe(0);
});
