// What a machine gets on which something that the CUDA engine needs is missing, or is of another version: libraries made
// here stand in for cuDNN and for the driver.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../lib/index.js';
import { suiteFolder } from './support/temporary-folder.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const [, builtWith] = /^CUDA engine: built with CUDA (\d+)/m.exec(diagnose()) ?? [];
const cuda = Number(builtWith);

const folder = suiteFolder();

/** A folder with a library made of this source. */
function library(name: string, file: string, code: string): string {
  const inside = join(folder, name);
  mkdirSync(inside, { recursive: true });
  const source = join(inside, 'source.cc');
  writeFileSync(source, code);
  execFileSync('c++', ['-shared', '-fPIC', source, '-o', join(inside, file)]);
  return inside;
}

const names = [
  ...[
    'Create',
    'Destroy',
    'SetStream',
    'GetErrorString',
    'GetLastErrorString',
    'BackendCreateDescriptor',
    'BackendDestroyDescriptor',
  ],
  ...['BackendSetAttribute', 'BackendGetAttribute', 'BackendFinalize', 'BackendExecute'],
];
function cudnn(version: number, cudaVersion: number): string {
  return [
    'extern "C" {',
    `unsigned long cudnnGetVersion() { return ${version}; }`,
    `unsigned long cudnnGetCudartVersion() { return ${cudaVersion}; }`,
    ...names.map((name) => `int cudnn${name}() { return 1; }`),
    '}',
  ].join('\n');
}

/** The stub driver, of this version of CUDA. */
function driver(version: number): string {
  const source = readFileSync(join(root, 'native', 'stub-driver', 'libcuda.cc'), 'utf8');
  expect(source).toContain('driverVersion = 13000');
  return source.replace('driverVersion = 13000', `driverVersion = ${version}`);
}

/** The environment of a process that opens no library with this in its name. */
function without(name: string): Record<string, string> {
  const code = `
    #include <dlfcn.h>
    #include <cstring>
    extern "C" void* dlopen(const char* file, int flags) {
      static const auto real = reinterpret_cast<void* (*)(const char*, int)>(dlsym(RTLD_NEXT, "dlopen"));
      return file != nullptr && std::strstr(file, "${name}") != nullptr ? nullptr : real(file, flags);
    }`;
  return { LD_PRELOAD: join(library(`without-${name}`, 'without.so', code), 'without.so') };
}

/** diagnose(), the devices, and what asking for a GPU and for any device gives, in a process with this environment. */
function report(env: Record<string, string>) {
  const program = `
    import { readFileSync } from 'node:fs';
    const { device, devices, diagnose } = await import('cudnn-resnet');
    const attempt = (id) => { try { return device(id).id; } catch ({ code, message }) { return { code, message }; } };
    const found = { devices: devices().map(({ id }) => id), auto: attempt('auto'), cuda: attempt('cuda') };
    const opened = /lib(cudnn|nvrtc|cublas)[^/]*$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0];
    console.log(JSON.stringify({ ...found, opened, text: diagnose() }));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as {
    text: string;
    devices: string[];
    auto: unknown;
    cuda: unknown;
    opened?: string;
  };
}

function expectNoGpu(found: ReturnType<typeof report>) {
  expect(found.devices).toEqual(['cpu']);
  expect(found.auto).toBe('cpu');
  expect(found.cuda).toEqual({
    code: 'ERR_DEVICE',
    message: "there is no device 'cuda:0'; this machine has cpu (diagnose() says what is missing)",
  });
}

describe.runIf(cuda)('without a GPU that can be used, diagnose() says why and what helps', () => {
  const other = cuda === 13 ? 12 : 13;
  it.each([
    [
      'cuDNN older than 9.8',
      cudnn(90700, cuda * 1000),
      'cuDNN 9.7.0 (PATH) is older than 9.8; install cuDNN 9',
    ],
    [
      "cuDNN older than the build's",
      cudnn(90800, cuda * 1000),
      /cuDNN 9\.8\.0 \(PATH\) is older than 9\.\d+\.\d+, with which this engine was built; npm rebuild cudnn-resnet/,
    ],
    [
      'cuDNN for another CUDA',
      cudnn(99900, other * 1000),
      `cuDNN 9.99.0 (PATH) was built for CUDA ${other}, this engine for CUDA ${cuda}; install cuDNN 9`,
    ],
    ['a library that is not cuDNN', 'int other;', 'PATH lacks functions of cuDNN 9; install cuDNN 9'],
  ])('%s', (name, code, message) => {
    const inside = library(name, 'libcudnn.so.9', code);
    const found = report({ CUDNN_PATH: inside });
    const text = found.text.replaceAll(join(inside, 'libcudnn.so.9'), 'PATH');
    expect(text).toMatch(message);
    expectNoGpu(found);
  });

  it('cuDNN 8', () => {
    const inside = library('cuDNN 8', 'libcudnn.so.8', 'int other;');
    const found = report({ ...without('libcudnn.so.9'), CUDNN_PATH: inside });
    expect(found.text).toContain(
      `cuDNN 8 was found (${join(inside, 'libcudnn.so.8')}), but this engine needs cuDNN 9.8 or newer; install cuDNN 9`,
    );
    expectNoGpu(found);
  });

  it('no cuDNN', () => {
    const found = report(without('libcudnn.so'));
    expect(found.text).toContain('cuDNN was not found; install cuDNN 9');
    expectNoGpu(found);
  });

  it.each(['libcublasLt', 'libnvrtc'])('%s missing', (name) => {
    // With a cuDNN of ours: NVIDIA's ends the process where what it opens is opened through another library.
    const CUDNN_PATH = library('any cuDNN', 'libcudnn.so.9', cudnn(99900, cuda * 1000));
    expect(report({ ...without(`${name}.so`), CUDNN_PATH }).text).toContain(
      `${name}.so.${cuda} was not found: set CUDA_PATH to the folder of CUDA ${cuda}, or LD_LIBRARY_PATH to`,
    );
  });

  it.each([
    [
      'no driver',
      'int nothing;',
      `no NVIDIA driver was found: install driver ${cuda === 13 ? 580 : 525} or newer`,
    ],
    ['a driver of an older CUDA', driver(11080), `the driver is too old for CUDA ${cuda}.`],
    ['a driver without a GPU', driver(13020), /no GPU: .*; nvidia-smi lists what the driver sees/],
  ])('%s', (name, code, message) => {
    const inside = library(name, 'libcuda.so.1', code);
    const found = report({
      LD_LIBRARY_PATH: [inside, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
    });
    expect(found.text).toMatch(message);
    expectNoGpu(found);
    // which takes tenths of a second, and hundreds of MB
    expect(found.opened, 'cuDNN was opened for no GPU').toBeUndefined();
  });
});
