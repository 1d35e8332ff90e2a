import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../lib/index.js';
import { cudnnResnet, jsonLines } from './support/cli-process.js';
import { suiteFolder } from './support/temporary-folder.js';

/** Whether plans can be compiled: the engine was built, and cuDNN is here. */
const plans = /^cuDNN 9\.[\d.]+: /m.test(diagnose());

const folder = suiteFolder();

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** As a file describes it. */
const l40s = {
  ...{ deviceName: 'NVIDIA L40S', cudaDeviceId: 0, pciDeviceId: 0, driverVer: 13000, isTccDriver: 0 },
  ...{ deviceVer: 890, multiProcessorCount: 142, smClockRateKHz: 2520000, memClockRateKHz: 9001000 },
  ...{ maxGridSize: [2147483647, 65535, 65535], maxBlockSize: [1024, 1024, 64], warpSize: 32 },
  ...{ regsPerBlock: 65536, maxRegistersPerSM: 65536, l2CacheSize: 100663296, totalGlobalMem: 51539607552 },
  ...{ maxSharedMemoryPerBlock: 49152, maxSharedMemoryPerBlockOptin: 101376 },
  ...{
    reservedSharedMemoryPerBlock: 1024,
    maxCtasPerSM: 24,
    maxThreadsPerBlock: 1024,
    maxThreadsPerSM: 1536,
  },
  supportCoopLaunch: 1,
};

const planned = (stdout: string) =>
  jsonLines(stdout) as {
    gpu: string;
    graph: string;
    engine: string;
    refusal: string;
    bytes: number;
    seconds: number;
  }[];

describe('plan, called wrongly', () => {
  it.each([
    [[], '--gpu is missing: t4, a100, a10, l4, h100, h200, b200 or a FILE.json'],
    [['x', '--gpu', 'h200'], "plan takes no arguments, got 'x'"],
    [['--gpu', 'h2000'], "--gpu does not know 'h2000'; did you mean 'h200'?"],
    [['--gpu', 'h200,x.json'], "--gpu: cannot read 'x.json'"],
    [['--gpu', 'h200', '--dtype', 'float16,f32'], "--dtype does not know 'f32'"],
    [['--gpu', 'h200', '--model', 'resnet50,resnet51'], "--model does not know 'resnet51'"],
    [['--gpu', 'h200', '--batch', '1,0'], "--batch wants a whole number of at least 1, got '0'"],
    [
      ['--gpu', 'h200', '--driver', '13'],
      "--driver expects a version of CUDA, such as 12.8 or 13.0, got '13'",
    ],
    [['--gpu', 'h200', '--layers', 'none.txt'], "--layers: cannot read 'none.txt'"],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await cudnnResnet(['plan', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it.each([
    ['no JSON', 'is no JSON'],
    ['[]', "has no whole number 'deviceVer'"],
    ['{"deviceVer": 900}', "has no whole number 'multiProcessorCount'"],
    ['{"deviceVer": 700, "multiProcessorCount": 80}', 'compute capability 7, below 7.5'],
  ])('with %s for a GPU', async (text, message) => {
    const { code, stderr } = await cudnnResnet(['plan', '--gpu', await file('gpu.json', text)]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain('info --device-properties');
  });

  it.each([
    [{ warpSize: undefined }, "has no whole number 'warpSize'"],
    [{ warpSize: '32' }, "has no whole number 'warpSize'"],
    [{ regsPerBlock: -1 }, "has no whole number 'regsPerBlock'"],
    [{ driverVer: 2 ** 40 }, "has no whole number 'driverVer'"],
    [{ supportCoopLaunch: true }, "has no whole number 'supportCoopLaunch'"],
    [{ totalGlobalMem: 1e300 }, "has no whole number 'totalGlobalMem'"],
    [{ deviceName: 4 }, "has no text 'deviceName'"],
    [{ maxGridSize: [1, 2] }, "has no 3 whole numbers 'maxGridSize'"],
  ])('with %j in the description of a GPU', async (changed, message) => {
    const path = await file('gpu.json', JSON.stringify({ ...l40s, ...changed }));
    const { code, stderr } = await cudnnResnet(['plan', '--gpu', path]);
    expect(code).toBe(2);
    expect(stderr).toContain(`'${path}' ${message}`);
  });

  it.each([
    ['# nothing', 'has no layers'],
    ['64x56 64x3x3', ":1: '64x56' is not of the form"],
    ['64x56x56 64x3x3 s2 padded', ":1: what is 'padded'?"],
  ])('with %j for layers', async (text, message) => {
    const { code, stderr } = await cudnnResnet([
      'plan',
      '--gpu',
      'h200',
      '--layers',
      await file('layers.txt', text),
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

it('plan names a folder that cannot be written to, before it compiles anything', async () => {
  const { code, stdout, stderr } = await cudnnResnet([
    'plan',
    '--gpu',
    'h200',
    '-o',
    await file('plain', 'a file'),
  ]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /^cudnn-resnet: '.*plain' cannot be written: .*; check the folder.* \[ERR_ARGUMENT\]\n$/,
  );
});

it.skipIf(plans)('plan, without the engine or without cuDNN, says so', async () => {
  const { code, stdout, stderr } = await cudnnResnet(['plan', '--gpu', 'h200']);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/\[ERR_DEVICE\]/);
});

describe.runIf(plans)('plan', () => {
  const layers =
    '64x14x14 64x3x3 p1 bias add relu\n# the same again\n64x14x14 64x3x3 p1 bias add relu\n3x31x29 8x7x7 s2 p3\n';
  const compiled = 40;
  /** Ten seconds' work: cuDNN compiles these at run time. */
  const compiling = async () => {
    const gelu = Array.from({ length: compiled }, (_, i) => `16x${8 + i}x8 16x3x3 p1 bias gelu`).join('\n');
    const layers = await file('gelu.txt', gelu);
    return ['plan', '--gpu', 'h200', '--layers', layers, '--dtype', 'float16', '--json'];
  };

  it('compiles each distinct layer once, for every GPU, and writes it to the folder', async () => {
    const out = join(folder, 'deep', 'er');
    const args = ['--gpu', 'h200,t4', '--layers', await file('layers.txt', layers), '--dtype', 'float16'];
    const { code, stdout, stderr } = await cudnnResnet(['plan', ...args, '--json', '-o', out]);
    expect([code, stderr]).toEqual([0, '']);
    const graphs = planned(stdout);
    expect(graphs.map(({ gpu }) => gpu).sort()).toEqual(['h200', 'h200', 't4', 't4']);
    for (const { graph, engine, refusal, bytes } of graphs) {
      expect([graph, engine, refusal]).toEqual([
        expect.stringMatching(/^conv f16 /),
        expect.stringMatching(/eng/),
        '',
      ]);
      expect(bytes).toBeGreaterThan(100);
    }
    // the stem's three channels are padded to eight
    expect(
      graphs.filter(({ graph }) => graph.includes('x[1, 8, 31, 29] w[8, 8, 7, 7] s2,2 p3,3')),
    ).toHaveLength(2);
    const names = await readdir(out);
    expect(names).toHaveLength(4);
    const heads = await Promise.all(
      names.map(async (name) => (await readFile(join(out, name), 'utf8')).split('\n')),
    );
    for (const [magic, identity, graph] of heads) {
      expect(magic).toBe('cudnn-resnet-plan-1');
      expect(identity).toMatch(
        /^cudnn 9\.\d+\.\d+ cuda \d+ sm_(90 multiprocessors 132|75 multiprocessors 40)$/,
      );
      expect(graphs.map((one) => one.graph)).toContain(graph);
    }
  });

  it('takes a GPU from a file, as cuDNN 9.8 writes it and as a hand does', async () => {
    const { deviceName, maxThreadsPerBlock, ...older } = l40s;
    const written = JSON.stringify(older).replace('{', '{"deviceVer":750,').replace(':890,', ':890.0,');
    const args = ['plan', '--layers', await file('l.txt', layers), '--dtype', 'bfloat16', '--json'];
    const { code, stdout, stderr } = await cudnnResnet([...args, '--gpu', await file('gpu.json', written)]);
    expect([code, stderr]).toEqual([0, '']);
    expect(planned(stdout).map(({ graph }) => graph)).toEqual([
      expect.stringMatching(/^conv bf16 /),
      expect.stringMatching(/^conv bf16 /),
    ]);
  });

  it('takes no memory for what a layer gives', async () => {
    const args = ['--layers', await file('large.txt', '64x112x112 64x3x3 p1 bias relu'), '--batch', '100000'];
    const { code, stdout, stderr } = await cudnnResnet(['plan', '--gpu', 'h200', ...args]);
    expect([code, stdout, stderr]).toEqual([0, 'h200: 1 plans, 0 refused\n', '']);
  });

  it('plans a whole model in training and in inference', async () => {
    const args = [
      '--gpu',
      'a100',
      '--model',
      'resnet18',
      '--size',
      '32',
      '--batch',
      '3',
      '--dtype',
      'tf32',
      '--training',
      '--json',
    ];
    const { code, stdout, stderr } = await cudnnResnet(['plan', ...args]);
    expect([code, stderr]).toEqual([0, '']);
    const graphs = planned(stdout).map(({ graph }) => graph);
    expect(new Set(graphs).size).toBe(graphs.length);
    for (const kind of [/^conv tf32 .*\+add \+bias relu$/, /^conv tf32 .* g1$/, /^batch-norm /]) {
      expect(graphs.filter((graph) => kind.test(graph)).length, String(kind)).toBeGreaterThan(0);
    }
    expect(graphs).toContain('conv tf32 nhwc x[3, 512, 1, 1] w[1000, 512, 1, 1] s1,1 p0,0 d1,1 g1 +bias');
    expect(graphs).toContain('batch-norm f32 x[3, 512, 1, 1]');
  });

  it('has plans for odd channels, groups and windows, in every dtype', async () => {
    const odd = [
      '17x1x1 64x1x1 bias',
      '64x7x7 17x1x1 bias add',
      '17x5x9 64x3x3 s2 p1 bias add relu',
      '13x8x8 3x3x3 p2 d2',
      '34x5x6 16x3x3 p1 g2 bias relu',
      '17x7x6 17x3x3 p1 g17 bias add relu',
      '5x5x9 15x3x3 g5 gelu',
      '1x2x3 2x2x1 p3 d5 add',
      '3x2x2 4x1x1 s2 p3 bias swish',
    ];
    const args = [
      '--layers',
      await file('odd.txt', odd.join('\n')),
      '--dtype',
      'float32,tf32,float16,bfloat16',
    ];
    const { stdout } = await cudnnResnet(['plan', '--gpu', 'h200', ...args, '--json']);
    const graphs = planned(stdout);
    expect(graphs.length).toBeGreaterThanOrEqual(4 * odd.length);
    // what is not fused is convolved alone: nothing stands behind the groups
    expect(graphs.filter(({ graph, refusal }) => refusal !== '' && / g\d+$/.test(graph))).toEqual([]);
  });

  // cuDNN loads what it compiles into a GPU that it sees, which takes no code of another kind.
  it('plans for another GPU than the one that is there', async () => {
    const driver = join(folder, 'libcuda.so.1');
    const source = fileURLToPath(new URL('support/driver-with-a-gpu.cc', import.meta.url));
    execFileSync('c++', ['-shared', '-fPIC', '-Wl,-soname,libcuda.so.1', '-o', driver, source]);
    const layer = await file('layer.txt', '16x8x8 16x3x3 p1 bias gelu');
    const args = ['plan', '--gpu', 'a100,h200', '--layers', layer, '--dtype', 'float16', '--json'];
    const path = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
    const { code, stdout } = await cudnnResnet(args, { env: { LD_LIBRARY_PATH: path } });
    expect(planned(stdout).map(({ refusal }) => refusal)).toEqual(['', '']);
    expect(code).toBe(0);
  });

  it('lets several processes fill one folder at once', async () => {
    const out = join(folder, 'shared');
    const args = ['plan', '--gpu', 'h200', '--layers', await file('layers.txt', layers), '-o', out, '--json'];
    const ended = await Promise.all([1, 2, 3].map(() => cudnnResnet(args)));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    const names = await readdir(out);
    expect(names.filter((name) => !name.endsWith('.plan'))).toEqual([]);
    expect(names).toHaveLength(2);
    const sizes = planned(ended[0]!.stdout).map(({ bytes }) => bytes);
    const bodies = await Promise.all(names.map(async (name) => (await readFile(join(out, name))).length));
    for (const size of sizes) {
      expect(bodies.some((length) => length > size && length < size + 300)).toBe(true);
    }
  });

  it('ends with the status that it has when nobody reads on, though it is compiling', async () => {
    const args = await compiling();
    const ended = await Promise.all([1, 2, 3, 4].map(() => cudnnResnet(args, { closeAfter: 1 })));
    for (const { code, signal, stdout, stderr, afterClosing } of ended) {
      expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
      // it notices when it has something to say again, which it looks for every fifth of a second, and waits two more
      const done = planned(stdout);
      const longest = Math.max(...done.map(({ seconds }) => seconds));
      expect(afterClosing).toBeLessThan(5000 + 1000 * longest);
      expect(done.length).toBeLessThan(compiled / 2);
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'is ended by %s, also when something was compiled',
    async (signal) => {
      const ended = await cudnnResnet(await compiling(), { kill: { signal, lines: 4 } });
      expect(ended).toMatchObject({ code: null, signal });
    },
  );
});

describe('info --device-properties', () => {
  it('says that there is no GPU where there is none', async () => {
    const { code, stdout, stderr } = await cudnnResnet([
      'info',
      '--device-properties',
      '--device',
      'cuda:77',
    ]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/'cuda:77' is no GPU that can be used here; .*\[ERR_DEVICE\]/);
  });
});
