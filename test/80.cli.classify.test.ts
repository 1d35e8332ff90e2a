import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';
import { ResNet18, saveWeights, Tensor } from '../lib/index.js';
import { cudnnResnet, jsonLines } from './support/cli-process.js';
import { returnsMemory } from './support/memory.js';
import { suiteFolder } from './support/temporary-folder.js';

const random = ['--weights', 'random', '--model', 'resnet18', '--device', 'cpu'];
const root = fileURLToPath(new URL('..', import.meta.url));
const golden = fileURLToPath(new URL('golden/images/', import.meta.url));

interface Line {
  image: string;
  predictions: { label: string; index: number; score: number }[];
}

returnsMemory();
const folder = suiteFolder();
beforeAll(() => {
  mkdirSync(join(folder, 'more'));
  copyFileSync(join(golden, 'landscape.png'), join(folder, 'a.png'));
  copyFileSync(join(golden, 'photo.jpg'), join(folder, 'b.jpg'));
  copyFileSync(join(golden, 'small.png'), join(folder, 'more', 'c.PNG'));
  writeFileSync(join(folder, 'broken.jpg'), 'this is no image');
});

function classify(...args: string[]) {
  return cudnnResnet(['classify', ...args, ...random], { cwd: folder });
}

async function classifyToJson(...args: string[]): Promise<Line[]> {
  const { code, stdout } = await classify(...args, '--json');
  expect(code).toBe(0);
  return jsonLines(stdout) as Line[];
}

describe('classify', () => {
  it('prints device, engine, model, weights, five classes and the time', async () => {
    const { code, stdout } = await classify('a.png');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^device +cpu/m);
    expect(stdout).toMatch(/^engine +oneDNN \d+\.\d+/m);
    expect(stdout).toMatch(/^model +resnet18, float32$/m);
    expect(stdout).toMatch(/^weights +random/m);
    expect(stdout).toMatch(/weights are random: classes and scores mean nothing/);
    expect(stdout).toMatch(/^a\.png\n( {2}[01]\.\d{4} {2}\S.*\n){5}\n/m);
    expect(stdout).toMatch(
      /^1 image in \d+\.\d\d s, \d+\.\d ms an image, decoding included; the model took \d+\.\d\d s$/m,
    );
  });

  it('gives the scores that the library gives', async () => {
    const [line] = await classifyToJson('b.jpg', '--top', '3');
    using model = new ResNet18({ device: 'cpu', seed: 0 });
    using scores = model.predict(await preprocess(join(folder, 'b.jpg')));
    const [best] = await scores.topK(3);
    expect(line!.predictions.map(({ index }) => index)).toEqual(best!.indices);
    for (const [i, { score }] of line!.predictions.entries()) {
      expect(score).toBeCloseTo(best!.values[i]!, 6);
    }
  });

  it('gives one line for each image, in the order given, each image once', async () => {
    const lines = await classifyToJson('b.jpg', 'more', 'a.png', './b.jpg', '--batch', '2');
    expect(lines.map(({ image }) => image)).toEqual(['b.jpg', 'more/c.PNG', 'a.png']);
    for (const { predictions } of lines) {
      expect(predictions).toHaveLength(5);
      const scores = predictions.map(({ score }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(scores.every((score) => score > 0 && score <= 1)).toBe(true);
      expect(predictions.every(({ label, index }) => label.length > 0 && index < 1000)).toBe(true);
    }
  });

  it('gives an image the same scores in every batch', async () => {
    const alone = await classifyToJson('a.png');
    const together = await classifyToJson('b.jpg', 'a.png', 'more/c.PNG', '--batch', '3');
    const among = together.find(({ image }) => image === 'a.png')!;
    expect(among.predictions.map(({ index }) => index)).toEqual(
      alone[0]!.predictions.map(({ index }) => index),
    );
  });

  it('takes patterns that the shell left alone', async () => {
    const lines = await classifyToJson('*.png', '**/*.PNG');
    expect(lines.map(({ image }) => image)).toEqual(['a.png', 'more/c.PNG']);
  });

  it('takes other sizes, and no more classes than there are', async () => {
    const [line] = await classifyToJson('a.png', '--size', '96', '--top', '5000');
    expect(line!.predictions).toHaveLength(1000);
    const total = line!.predictions.reduce((sum, { score }) => sum + score, 0);
    expect(total).toBeCloseTo(1, 4);
    using model = new ResNet18({ device: 'cpu', seed: 0 });
    const pixels = await preprocess(join(folder, 'a.png'), { size: 96 });
    using input = Tensor.from(pixels, [1, 96, 96, 3], { device: 'cpu' });
    using scores = model.predict(input);
    const [best] = await scores.topK(1);
    expect(line!.predictions[0]).toMatchObject({
      index: best!.indices[0],
      score: expect.closeTo(best!.values[0]!, 6),
    });
  });

  it('scales to what the model sees where that is asked for', async () => {
    const [whole] = await classifyToJson('a.png', '--size', '96', '--resize', '96');
    const [middle] = await classifyToJson('a.png', '--size', '96');
    expect(whole!.predictions).not.toEqual(middle!.predictions);
  });

  it('reports an image that cannot be read and goes on, with exit code 1', async () => {
    const { code, stdout, stderr } = await classify('a.png', 'broken.jpg', 'absent.png', 'b.jpg', '--json');
    expect(code).toBe(1);
    expect((jsonLines(stdout) as Line[]).map(({ image }) => image)).toEqual(['a.png', 'b.jpg']);
    expect(stderr).toContain("'broken.jpg': not an image of a known format");
    expect(stderr).toContain("'absent.png': no such file");
    expect(stderr).toContain('2 of 4 images could not be read');
  });

  it('fails before any work where there is nothing to work on', async () => {
    const { code, stdout, stderr } = await classify('absent.png');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe("cudnn-resnet: 'absent.png': no such file [ERR_IMAGE]\n");
  });

  it('draws no progress bar where stderr is no terminal', async () => {
    const copies = Array.from({ length: 10 }, (_, i) => `copy${i}.png`);
    for (const copy of copies) {
      copyFileSync(join(golden, 'small.png'), join(folder, copy));
    }
    const { code, stdout, stderr } = await classify(...copies, '--json');
    expect([code, jsonLines(stdout).length]).toEqual([0, 10]);
    expect(stderr).toBe('The weights are random: classes and scores mean nothing.\n');
  });

  it('ends quietly when the reader of its output goes', async () => {
    const args = ['classify', 'a.png', 'b.jpg', 'more', '--batch', '1', '--top', '1000', '--json', ...random];
    const { code, signal, stderr } = await cudnnResnet(args, { cwd: folder, closeAfter: 1 });
    expect([code, signal]).toEqual([0, null]);
    expect(stderr).not.toMatch(/EPIPE|Error/);
  });

  it('gives its results where the reader of its messages has gone', async () => {
    const args = ['classify', 'broken.jpg', 'a.png', '--json', ...random];
    const { code, stdout } = await cudnnResnet(args, { cwd: folder, unheard: true });
    expect(code).toBe(1);
    expect((jsonLines(stdout) as Line[]).map(({ image }) => image)).toEqual(['a.png']);
  });

  it('fails with exit code 1 on a device that is not there', async () => {
    const { code, stderr } = await cudnnResnet(
      ['classify', 'a.png', '--weights', 'random', '--model', 'resnet18', '--device', 'cuda:99'],
      { cwd: folder },
    );
    expect(code).toBe(1);
    expect(stderr).toContain('[ERR_DEVICE]');
  });

  it('fails with exit code 1 on weights that are not there or of another kind', async () => {
    writeFileSync(join(folder, 'word'), 'no weights');
    for (const file of ['./absent.safetensors', 'broken.jpg', 'word']) {
      const args = ['classify', 'a.png', '--weights', file, '--model', 'resnet18', '--device', 'cpu'];
      const { code, stdout, stderr } = await cudnnResnet(args, { cwd: folder });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/\[ERR_WEIGHTS\]\n$/);
    }
  });
});

describe('weights of a file', () => {
  it('are taken, and say so where they are of another model', async () => {
    using model = new ResNet18({ device: 'cpu', seed: 5, numClasses: 7 });
    const file = join(folder, 'seven.safetensors');
    await saveWeights(file, model.stateDict());
    const args = ['classify', 'a.png', '--weights', file, '--device', 'cpu'];

    const fitting = await cudnnResnet([...args, '--model', 'resnet18', '--json'], { cwd: folder });
    expect(fitting).toMatchObject({ code: 0, stderr: '' });
    const [{ predictions }] = jsonLines(fitting.stdout) as [Line];
    using scores = model.predict(await preprocess(join(folder, 'a.png')));
    const [best] = await scores.topK(5);
    expect(predictions.map(({ index }) => index)).toEqual(best!.indices);
    expect(predictions[0]!.label).toBe(`class ${best!.indices[0]}`);

    // a name of torchvision's says how images are scaled
    const named = join(folder, 'resnet152-f82ba261.pth');
    copyFileSync(file, named);
    const asNamed = [...args.with(3, named), '--model', 'resnet18', '--json'];
    const [byName, at232, at256] = await Promise.all(
      [[], ['--resize', '232'], ['--resize', '256']].map((resize) =>
        cudnnResnet([...asNamed, ...resize], { cwd: folder }),
      ),
    );
    expect(byName).toEqual(at232);
    expect(byName).not.toEqual(at256);

    const other = await cudnnResnet([...args, '--model', 'resnet34'], { cwd: folder });
    expect([other.code, other.stdout]).toEqual([1, '']);
    expect(other.stderr).toContain(`'${file}' does not fit ResNet34: it holds a ResNet18`);
  });
});

describe('weights of the cache folder', () => {
  it.each([
    [[], 'resnet50-0676ba61.pth'],
    [['--weights', 'imagenet-v2'], 'resnet50-11ad3fa6.pth'],
    [['--weights', 'imagenet', '--model', 'resnet34'], 'resnet34-b627a593.pth'],
  ])('%j are %s', async (args, name) => {
    writeFileSync(join(folder, name), 'no weights');
    const options = { cwd: folder, env: { CUDNN_RESNET_CACHE: folder } };
    const { code, stderr } = await cudnnResnet(['classify', 'a.png', '--device', 'cpu', ...args], options);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`${name}: is of no format.* \\[ERR_WEIGHTS\\]\n$`));
  });
});

describe('weights that cannot be fetched', () => {
  // a cache folder inside a file can neither be made nor read, so no network is asked
  const env = () => ({ CUDNN_RESNET_CACHE: join(folder, 'broken.jpg', 'cache') });
  const args = ['classify', 'a.png', '--model', 'resnet18', '--device', 'cpu', '--weights'];

  it('are an error', async () => {
    const { code, stdout, stderr } = await cudnnResnet([...args, 'imagenet'], { cwd: folder, env: env() });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/\[ERR_WEIGHTS\]\n$/);
  });

  it('are replaced by random ones where that was asked for, which is said plainly', async () => {
    const options = { cwd: folder, env: env() };
    const { code, stdout, stderr } = await cudnnResnet([...args, 'imagenet-or-random'], options);
    expect(code).toBe(0);
    expect(stderr).toContain('could not be fetched');
    expect(stderr).toContain('--weights FILE');
    expect(stderr).toContain('seeded random ones are used: the classes and scores\nbelow mean nothing');
    expect(stdout).toMatch(/^weights +random/m);
  });
});

describe('info', () => {
  it('tells the devices', async () => {
    const { code, stdout } = await cudnnResnet(['info']);
    expect(code).toBe(0);
    expect(stdout).toContain('oneDNN');
  });

  it('tells them as JSON', async () => {
    const { code, stdout } = await cudnnResnet(['info', '--json']);
    expect(code).toBe(0);
    const [{ devices, diagnosis }] = jsonLines(stdout) as [{ devices: { id: string }[]; diagnosis: string }];
    expect(devices.map(({ id }) => id)).toContain('cpu');
    expect(diagnosis.length).toBeGreaterThan(0);
  });

  it('says why there is no addon, as text and as JSON', async () => {
    // the source without what was compiled of it
    const copy = join(folder, 'copy');
    cpSync(join(root, 'lib'), join(copy, 'lib'), { recursive: true });
    copyFileSync(join(root, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const main = join(copy, 'lib/cli/main.ts');
    const text = await cudnnResnet(['info'], { main });
    expect([text.code, text.stdout]).toEqual([0, expect.stringContaining('cannot be loaded')]);
    const json = await cudnnResnet(['info', '--json'], { main });
    expect([json.code, jsonLines(json.stdout)]).toEqual([
      0,
      [{ devices: [], diagnosis: text.stdout.trimEnd() }],
    ]);
  });
});
