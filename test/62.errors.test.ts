import { execFile } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CudnnResnetError, device, type ErrorCode, nn, ops, ResNet18, scope, Tensor } from '../lib/index.js';
import { assertBuilt } from './standalone/process.js';
import { deviceIds } from './support/devices.js';
import { expectRejects } from './support/errors.js';
import { returnsMemory } from './support/memory.js';
import { temporaryFolder } from './support/temporary-folder.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** The codes of lib/errors.ts, from its text: a type leaves nothing to ask at run time. */
const codes = [...read('lib/errors.ts').matchAll(/^ {2}\| '(ERR_[A-Z_]+)'/gm)].map(
  ([, code]) => code as ErrorCode,
);

const id = deviceIds[0]!;
const at = { device: id };

/** For each code what provokes it from JavaScript, and what its message must say. */
const provoked: Record<Exclude<ErrorCode, NativeOnly>, { by: () => unknown; says: RegExp }[]> = {
  ERR_ARGUMENT: [
    {
      by: () =>
        ops.conv2d(Tensor.zeros([1, 1, 1, 1], at), Tensor.zeros([1, 1, 1, 1], at), { strides: 2 } as object),
      says: /unknown option 'strides'; did you mean 'stride'\?/,
    },
    { by: () => ops.activation(Tensor.zeros([1], at), 'rleu' as 'relu'), says: /'relu', 'relu6'.*"rleu"/ },
    {
      by: () => ops.add(Tensor.zeros([1], at), 1 as unknown as Tensor),
      says: /add: b must be a Tensor, got number/,
    },
  ],
  ERR_SHAPE: [
    { by: () => Tensor.from([1, 2, 3], [2, 2], at), says: /\[2, 2\] has 4 elements, the data has 3/ },
    {
      by: () => Tensor.from(new Array(2 ** 32 - 1), [1], at),
      says: /has 1 elements, the data has 4294967295/,
    },
    {
      by: () => Tensor.zeros([Number.NaN], at),
      says: /shape\[0\] must be an integer of at least 1, got NaN/,
    },
    { by: () => Tensor.zeros([-1], at), says: /got -1/ },
    { by: () => Tensor.zeros([0, 3], at), says: /got 0/ },
    { by: () => new nn.Conv2d(0, 1, 1, at), says: /Conv2d: inChannels/ },
    {
      by: () => ops.conv2d(Tensor.zeros([1, 3, 8, 8], at), Tensor.zeros([4, 2, 3, 3], at)),
      says: /3 channels.*expects 2/,
    },
    ...[{}, { deterministic: true }].map((options) => ({
      by: () => ops.linear(Tensor.zeros([2, 3], at), Tensor.zeros([4, 5], at), options),
      says: /^linear: x \[2, 3\] has 3 features, weight \[4, 5\] expects 5/,
    })),
    {
      by: () => {
        using model = new ResNet18({ ...at, numClasses: 2 });
        model.forward(new Float32Array(10));
      },
      says: /multiple of 150528.*pass a Tensor$/,
    },
    {
      by: () => {
        using model = new ResNet18({ ...at, numClasses: 2 });
        model.forward(new Uint8Array(10));
      },
      says: /multiple of 150528.*pass a Tensor; encoded images and their files go to classify\(\), embed\(\) or preprocess\(\)$/,
    },
  ],
  ERR_DTYPE: [
    { by: () => Tensor.zeros([1], { ...at, dtype: 'float' as 'float32' }), says: /'float32'.*"float"/ },
    { by: () => Tensor.from(new Uint16Array(1), [1], at), says: /bit patterns/ },
    {
      by: () => ops.add(Tensor.zeros([1], at), Tensor.zeros([1], { ...at, dtype: 'float16' })),
      says: /b must be float32, got float16/,
    },
    {
      by: () => {
        const weight = Tensor.zeros([4, 3], { ...at, dtype: 'float16' });
        return ops.linear(Tensor.zeros([2, 3], at), weight, { deterministic: true });
      },
      says: /^linear: weight must be float32, got float16/,
    },
  ],
  ERR_DEVICE: [
    { by: () => device('cuda:99'), says: /no device 'cuda:99'; this machine has/ },
    { by: () => device('gpu' as 'cpu'), says: /got "gpu"/ },
  ],
  ERR_DISPOSED: [
    {
      by: () => {
        const x = Tensor.zeros([1], at);
        x.dispose();
        return ops.softmax(x);
      },
      says: /softmax: x was disposed of/,
    },
    {
      by: () => {
        const x = Tensor.zeros([1], at);
        x.dispose();
        return x.data();
      },
      says: /disposed/,
    },
  ],
  ERR_OUT_OF_MEMORY: [
    {
      by: async () => {
        const on = device(id);
        on.setMemoryLimit(0);
        try {
          using x = Tensor.zeros([10], at);
          await x.data();
        } finally {
          on.setMemoryLimit(on.info.memory);
        }
      },
      says: /40 bytes/,
    },
  ],
  ERR_BUSY: [
    {
      by: () => {
        const on = device(id);
        const x = Tensor.randn([64, 64, 64, 64], at);
        on.setQueueLimit({ operations: 1 });
        try {
          ops.activation(x, 'tanh');
        } finally {
          on.setQueueLimit({ operations: 100_000 });
        }
      },
      says: /1 operations waiting.*limit is 1 .*await device\.ready\(\)/,
    },
  ],
  ERR_ABORTED: [
    {
      by: async () => {
        const x = Tensor.randn([64, 64, 64, 64], at);
        const y = ops.activation(x, 'tanh');
        const controller = new AbortController();
        const reading = y.data({ signal: controller.signal });
        controller.abort();
        await reading.catch(() => undefined);
        await y.data();
      },
      says: /aborted/,
    },
  ],
  ERR_WEIGHTS: [
    { by: () => ResNet18.load('/nowhere/at-all.safetensors', at), says: /at-all\.safetensors/ },
    {
      by: () => {
        using model = new ResNet18({ ...at, numClasses: 2 });
        model.loadStateDict({});
      },
      says: /conv1\.weight/,
    },
  ],
  ERR_IMAGE: [
    {
      by: async () => {
        using model = new ResNet18({ ...at, numClasses: 8 });
        await model.classify(join(root, 'package.json'));
      },
      says: /package\.json/,
    },
  ],
  ERR_NATIVE: [
    {
      // a copy of the package in which nothing was compiled
      by: async () => {
        assertBuilt();
        const folder = await temporaryFolder();
        cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
        cpSync(join(root, 'package.json'), join(folder, 'package.json'));
        symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
        await thrownByDevices(folder);
      },
      says: /cannot be loaded[\s\S]*Possible solutions:\n- It was not built: run "npm rebuild cudnn-resnet"/,
    },
    {
      // as with --permission
      by: () => {
        assertBuilt();
        return thrownByDevices(root, '--no-addons');
      },
      says: /cannot be loaded[\s\S]*Possible solutions:\n- Node was told to load no addons: .*--allow-addons[^\n]*$/,
    },
  ],
};

/** Throws what `devices()` of the package in `folder` throws in a process of its own. */
async function thrownByDevices(folder: string, ...nodeOptions: string[]): Promise<void> {
  const entry = pathToFileURL(join(folder, 'dist/index.js')).href;
  const program = `import { devices } from '${entry}';
    try { devices() } catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }`;
  const args = [...nodeOptions, '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { code, message } = JSON.parse(stdout);
  throw new CudnnResnetError(code, message);
}

/** Only a fault of the machine or of a library gives these; the native tests give them with an engine that fails. */
type NativeOnly = 'ERR_DEVICE_LOST' | 'ERR_BACKEND';
const nativeTests: Record<NativeOnly, { enumerator: string; test: string }> = {
  ERR_DEVICE_LOST: { enumerator: 'DeviceLost', test: 'ALostDeviceStaysLost' },
  ERR_BACKEND: { enumerator: 'Backend', test: 'AnErrorIsPassedOnThroughWhatIsMadeFromIt' },
};

describe('errors', () => {
  returnsMemory();

  test('have the codes that are tested here', () => {
    expect(codes.length).toBeGreaterThan(5);
    expect([...Object.keys(provoked), ...Object.keys(nativeTests)].sort()).toEqual(codes.toSorted());
  });

  test('are explained in docs/errors.md, each under its heading, and nothing else is', () => {
    const headings = [...read('docs/errors.md').matchAll(/^## (ERR_[A-Z_]+)$/gm)].map(([, code]) => code!);
    expect(headings.toSorted()).toEqual(codes.toSorted());
    for (const section of read('docs/errors.md').split(/^## /m).slice(1)) {
      expect(section.split('\n').slice(1).join('').trim().length, section).toBeGreaterThan(60);
    }
  });

  test('have the same names in the native code', () => {
    const names = [...read('native/core/error.cc').matchAll(/return "(ERR_[A-Z_]+)"/g)].map(
      ([, code]) => code!,
    );
    // images are read in JavaScript alone
    expect([...new Set(names), 'ERR_IMAGE'].toSorted()).toEqual(codes.toSorted());
  });

  for (const [code, cases] of Object.entries(provoked)) {
    cases.forEach(({ by, says }, i) => {
      test(`${code}, case ${i + 1}`, async () => {
        await expectRejects(
          code as ErrorCode,
          scope(async () => await by()),
          says,
        );
      });
    });
  }

  test.each(Object.entries(nativeTests))('%s has its native test', (_, { enumerator, test: name }) => {
    const source = read('native/test/device-test.cc');
    const body = source.slice(source.indexOf(`TEST(Device, ${name})`)).split('\n}\n')[0]!;
    expect(body).toContain(`ErrorCode::${enumerator}`);
  });
});
