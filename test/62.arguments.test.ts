import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BasicBlock,
  Bottleneck,
  CudnnResnetError,
  device,
  nn,
  ops,
  preprocess,
  pretrainedWeights,
  ResNet,
  ResNet18,
  readWeights,
  saveWeights,
  scope,
  Tensor,
} from '../lib/index.js';
import { deviceIds } from './support/devices.js';
import { expectRejects } from './support/errors.js';
import { returnsMemory } from './support/memory.js';
import { suiteFolder } from './support/temporary-folder.js';

const id = deviceIds[0]!;
const on = { device: id };
const wrong = (value: unknown) => value as never;
const structure = { block: BasicBlock, layers: [1, 1, 1, 1] as const, numClasses: 8, ...on };

describe('an argument of the wrong kind is ERR_ARGUMENT, and the message says what was expected', () => {
  returnsMemory();

  let network: ResNet;
  let linear: nn.Linear;
  const folder = suiteFolder();
  beforeAll(() => {
    network = new ResNet(structure);
    linear = new nn.Linear(2, 3, on);
  });
  afterAll(() => {
    network.dispose();
    linear.dispose();
  });

  const path = () => join(folder, 'x.safetensors');
  const tensor = () => Tensor.zeros([1], on);
  const record = (...args: unknown[]) => device(id).record(wrong(args[0]), wrong(args[1]));

  const cases: [string, () => unknown, RegExp][] = [
    ['classify(undefined)', () => network.classify(wrong(undefined)), /classify: .*path.*got undefined/],
    ['classify([5])', () => network.classify(wrong([5])), /path.*got 5/],
    // biome-ignore lint/suspicious/noSparseArray: that is what is refused
    ['classify([,])', () => network.classify(wrong([,])), /path.*got undefined/],
    ['classify, top', () => network.classify([], { top: 0 }), /classify: top .*least 1, got 0/],
    ['classify, batch', () => network.classify([], { batch: 1.5 }), /classify: batch .*got 1\.5/],
    ['embed(5)', () => network.embed(wrong(5)), /embed: .*path.*got number/],
    ['embed(null)', () => network.embed(wrong(null)), /embed: .*got null/],
    ['embed, batch', () => network.embed([], { batch: 0 }), /embed: batch/],
    ['preprocess(5)', () => preprocess(wrong(5)), /path.*got 5/],
    ['load(promise)', () => ResNet18.load(wrong(Promise.resolve('x'))), /path.*got Promise: await it$/],
    [
      'load(URL)',
      () => ResNet18.load(wrong(new URL('file:///x'))),
      /path.*got URL: take fileURLToPath\(\) of it$/,
    ],
    ['forward(promise)', () => network.forward(wrong(Promise.resolve())), /Tensor.*got Promise: await it$/],
    ['add(x, promise)', () => ops.add(tensor(), wrong(Promise.resolve())), /b must.*got Promise: await it$/],

    ['new ResNet({})', () => new ResNet(wrong({})), /block must be BasicBlock or Bottleneck.*undefined/],
    ['new ResNet, a block', () => new ResNet({ ...structure, block: wrong(nn.Linear) }), /block must be/],
    ['new ResNet, a function', () => new ResNet({ ...structure, block: wrong(() => 1) }), /block must be/],
    ['new ResNet, no layers', () => new ResNet(wrong({ block: BasicBlock })), /layers must be .*undefined/],
    ['new ResNet, three layers', () => new ResNet({ ...structure, layers: wrong([1, 1, 1]) }), /layers/],
    [
      'new ResNet, an object for layers',
      () => new ResNet({ ...structure, layers: wrong(Object.create(null)) }),
      /layers .*got object/,
    ],
    ['new ResNet, layers', () => new ResNet({ ...structure, layers: [1, 1, 0, 1] }), /layers.*got 0/],
    ['new ResNet18, numClasses', () => new ResNet18({ ...on, numClasses: 0 }), /numClasses.*got 0/],
    ['new ResNet18, seed', () => new ResNet18({ ...on, seed: -1 }), /seed .*least 0, got -1/],
    ['nn.manualSeed', () => nn.manualSeed(wrong('x')), /manualSeed: seed .*got "x"/],
    ['nn.manualSeed, an object', () => nn.manualSeed(wrong(Object.create(null))), /seed .*got object/],
    ['usePlans(1n)', () => device(id).usePlans(wrong(1n)), /no folder.*bigint/],
    ...['a\0b', 'x'.repeat(300), '/etc/passwd', '/etc/passwd/x'].map(
      (plans): [string, () => unknown, RegExp] => [
        `new ResNet18, plans ${JSON.stringify(plans)}`,
        () => new ResNet18({ ...on, plans }),
        /plans: there is no folder "/,
      ],
    ),
    [
      'usePlans, a link to itself',
      () => {
        symlinkSync('loop', join(folder, 'loop'));
        device(id).usePlans(join(folder, 'loop'));
      },
      /no folder ".*loop"/,
    ],
    [
      'new Tensor()',
      () => new (wrong(Tensor) as new () => Tensor)(),
      /new Tensor: .*undefined.*Tensor\.from/,
    ],
    ['new Tensor([1])', () => new Tensor(wrong([1]), 'float32', device(id)), /new Tensor: .*got array/],
    ['flatten, an object', () => tensor().flatten(wrong(Object.create(null))), /startDim .*got object/],
    [
      'data, deadline',
      () => tensor().data({ deadline: wrong(Object.create(null)) }),
      /deadline .*got object/,
    ],
    ['zeros, a number for options', () => Tensor.zeros([1], wrong(5)), /Tensor\.zeros: .*options, got 5/],

    ['Conv2d, stride', () => new nn.Conv2d(4, 4, 3, { ...on, stride: 0 }), /Conv2d: stride/],
    ['Conv2d, padding', () => new nn.Conv2d(4, 4, 3, { ...on, padding: -1 }), /Conv2d: padding/],
    ['Conv2d, dilation', () => new nn.Conv2d(4, 4, 3, { ...on, dilation: wrong('1') }), /dilation/],
    ['Conv2d, a pair', () => new nn.Conv2d(4, 4, 3, { ...on, stride: wrong([1, 2, 3]) }), /stride/],
    ['Conv2d, groups', () => new nn.Conv2d(4, 4, 3, { ...on, groups: 1.5 }), /Conv2d: groups/],
    ['Bottleneck, stride', () => new Bottleneck(4, 4, { ...on, stride: 0 }), /stride/],
    ['MaxPool2d(undefined)', () => new nn.MaxPool2d(wrong(undefined)), /MaxPool2d: kernelSize/],
    ['MaxPool2d, stride', () => new nn.MaxPool2d(2, { stride: 0 }), /MaxPool2d: stride/],
    ['MaxPool2d, padding', () => new nn.MaxPool2d(2, { padding: wrong('1') }), /MaxPool2d: padding/],
    ['AdaptiveAvgPool2d(undefined)', () => new nn.AdaptiveAvgPool2d(wrong(undefined)), /outputSize/],
    ['AdaptiveAvgPool2d([1])', () => new nn.AdaptiveAvgPool2d(wrong([1])), /outputSize/],

    ["record('x')", () => record('x'), /record: .*function.*got string/],
    ['record(fn, {})', () => record(() => tensor(), {}), /record: .*array.*got object/],
    ['record(fn, [null])', () => record(() => tensor(), [null]), /record: input 0.*got null/],
    ['profile, runs', () => linear.profile(tensor(), { runs: 0 }), /profile: runs/],
    [
      'writeTrace, a folder that is not there',
      async () => (await linear.profile(Tensor.zeros([1, 2], on))).writeTrace(join(folder, 'no/x.json')),
      /no\/x\.json' cannot be written.*ENOENT/,
    ],
    [
      'writeTrace(undefined)',
      async () => (await linear.profile(Tensor.zeros([1, 2], on))).writeTrace(wrong(undefined)),
      /cannot be written/,
    ],

    ['loadStateDict(null)', () => linear.loadStateDict(wrong(null)), /loadStateDict: .*Map.*got null/],
    ['loadStateDict(5)', () => linear.loadStateDict(wrong(5)), /loadStateDict: .*got number/],
    ['loadStateDict({w: 3})', () => linear.loadStateDict({ w: wrong(3) }), /loadStateDict: .*"w".*number/],
    [
      'loadStateDict, no data',
      () => linear.loadStateDict({ bias: wrong({ dtype: 'float32', shape: [3] }) }),
      /"bias"/,
    ],
    [
      'loadStateDict, a dtype',
      () => linear.loadStateDict({ bias: wrong({ dtype: 'f4', shape: [3], data: new Float32Array(3) }) }),
      /"bias"/,
    ],
    ['saveWeights(path, null)', () => saveWeights(path(), wrong(null)), /saveWeights: .*Map.*got null/],
    ['saveWeights(path, {w: 3})', () => saveWeights(path(), { w: wrong(3) }), /saveWeights: .*"w".*number/],
    ['saveWeights(5)', () => saveWeights(wrong(5), {}), /saveWeights: .*path.*got number/],
    [
      'saveWeights, a list for metadata',
      () => saveWeights(path(), {}, { metadata: wrong(['a']) }),
      /metadata/,
    ],
    ['saveWeights, metadata', () => saveWeights(path(), {}, { metadata: { a: wrong(1) } }), /^saveWeights/],
    ['readWeights(5)', () => readWeights(wrong(5)), /path.*got number/],
    ['readWeights, signal', () => readWeights('x', { signal: wrong(5) }), /signal.*AbortSignal, got number/],
    ['ResNet18.load(5)', () => ResNet18.load(wrong(5), on), /path.*got number/],

    ...(['baseUrl', 'cacheFolder', 'onProgress', 'signal', 'stallTimeout'] as const).map(
      (name): [string, () => unknown, RegExp] => [
        `pretrainedWeights, ${name}`,
        () =>
          pretrainedWeights('resnet18', {
            cacheFolder: folder,
            [name]: wrong(name === 'onProgress' ? 'x' : true),
          }),
        new RegExp(`pretrainedWeights: ${name}`),
      ],
    ),
  ];

  test.each(cases)('%s', async (_, call, says) => {
    await expectRejects(
      'ERR_ARGUMENT',
      scope(async () => await call()),
      says,
    );
  });

  test('a promise rejects with it, everything else throws it', async () => {
    using x = tensor();
    for (const promise of [x.topK(0), x.topK(1, wrong({ wrong: 1 })), x.data(wrong({ wrong: 1 }))]) {
      await expectRejects('ERR_ARGUMENT', promise);
    }
    expect(() => x.flatten(-1)).toThrow(CudnnResnetError);
  });
});

test('an integer that is too large is told how large it may be', () => {
  expect(() => nn.manualSeed(2 ** 53)).toThrow(/an integer from 0 to 9007199254740991, got 9007199254740992/);
  expect(() => nn.manualSeed(-1)).toThrow(/an integer of at least 0, got -1/);
});
