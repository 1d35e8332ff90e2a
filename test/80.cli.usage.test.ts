import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLayers } from '../lib/cli/layers.js';
import { cudnnResnet } from './support/cli-process.js';
import { temporaryFolder } from './support/temporary-folder.js';

describe('help and version', () => {
  it('lists every command, on stdout where it is asked for', async () => {
    const { code, stdout, stderr } = await cudnnResnet(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const command of ['classify', 'embed', 'info', 'bench', 'plan', 'convert']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
  });

  it.each(['classify', 'embed', 'info', 'bench', 'plan', 'convert'])(
    "shows %s's own, within 100 columns",
    async (command) => {
      const { code, stdout } = await cudnnResnet([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: cudnn-resnet ${command} `));
      expect(stdout).toContain('-h, --help');
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    },
  );

  it("prints the package's version", async () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(await cudnnResnet(['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
  });

  it('comes on stderr with exit code 2 where no command is given', async () => {
    const { code, stdout, stderr } = await cudnnResnet([]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: cudnn-resnet COMMAND');
  });
});

describe('wrong usage is named, with exit code 2 and nothing on stdout', () => {
  it.each([
    [['clasify', 'x'], "unknown command 'clasify'; did you mean 'classify'?"],
    [['constructor'], "unknown command 'constructor'"],
    [['--verison'], "unknown option '--verison'; did you mean '--version'?"],
    [['classify'], 'name at least one image'],
    [['embed', '--json'], 'name at least one image'],
    [['classify', 'x', '--modle', 'resnet18'], "unknown option '--modle'; did you mean '--model'?"],
    [['classify', 'x', '--wieghts=random'], "unknown option '--wieghts'; did you mean '--weights'?"],
    [['info', '--top', '5'], "unknown option '--top'"],
    [['classify', 'x', '--model', 'resnet51'], "--model does not know 'resnet51'; did you mean 'resnet50'?"],
    [['classify', 'x', '--dtype', 'flaot16'], "--dtype does not know 'flaot16'; did you mean 'float16'?"],
    [['classify', 'x', '--device', 'cudaa'], "--device does not know 'cudaa'; did you mean 'cuda'?"],
    [['classify', 'x', '--weights', 'ramdon'], "no such file 'ramdon'; did you mean 'random'?"],
    [['classify', 'x', '--weights', 'imagenet-v2', '--model', 'resnet34'], 'there are none of resnet34'],
    [['classify', 'x', '--batch', '0'], "--batch wants a whole number of at least 1, got '0'"],
    [['classify', 'x', '--top', '2.5'], "--top wants a whole number of at least 1, got '2.5'"],
    [['classify', 'x', '--top', '1e3'], "got '1e3'"],
    [['classify', 'x', '--top'], "'--top <value>' argument missing"],
    [['classify', 'x', '--json=yes'], "'--json' does not take an argument"],
    [['classify', 'x', '--size', '99999'], "--size wants a whole number from 1 to 16383, got '99999'"],
    [['embed', 'x', '--resize', '16384'], "--resize wants a whole number from 1 to 16383, got '16384'"],
    [['bench', '--size', '16384'], "--size wants a whole number from 1 to 16383, got '16384'"],
    [['classify', 'x', '--size', '300', '--resize', '256'], '--resize 256 must be at least --size 300'],
    [['embed', 'x', '-o', 'rows.txt'], "FILE.npy, got 'rows.txt'"],
    [['info', 'x'], 'info takes no arguments'],
    [['info', '--device', 'cuda:1'], '--device goes with --device-properties'],
    [['convert', 'a.pth'], 'convert takes two files'],
    [['convert', 'a', 'b.safetensors', 'c'], 'convert takes two files'],
    [['convert', 'a', 'b.pth'], "got 'b.pth'"],
    [['convert', 'a', 'b.safetensors', '--dtype', 'int8'], "--dtype does not know 'int8'"],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await cudnnResnet(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    const [command = ''] = message.startsWith('unknown command') || args[0]!.startsWith('-') ? [] : args;
    expect(stderr).toContain(`\n'${`cudnn-resnet ${command}`.trim()} --help' tells how it is called\n`);
  });
});

describe('a line of layers that cannot be is named', () => {
  it.each([
    ['8x9x9 8x3x3 s0', "what is 's0'? Known are sN dN gN from 1"],
    ['8x9x9 8x3x3 g0', "what is 'g0'?"],
    ['8x9x9 8x3x3 d00', "what is 'd00'?"],
    ['8x0x9 8x3x3', "'8x0x9' is not of the form 64x56x56, of numbers from 1"],
    ['8x9x9 9x3x3 g2', '8 and 9 channels do not divide into 2 groups'],
    ['8x9x2 8x3x3 add', 'the kernel 3x3 is larger than the padded input 9x2'],
  ])('%s', async (line, message) => {
    const file = join(await temporaryFolder(), 'layers.txt');
    writeFileSync(file, `8x9x9 8x3x3 s1 p0 d1 g1\n${line}\n`);
    await expect(readLayers(file)).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining(`layers.txt:2: ${message}`),
    });
  });
});
