// What a build tells of the engines that it lacks: why, and what to do.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { diagnose } from '../lib/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What CMake prints, and what diagnose() would say, where the package is configured so. */
async function configured(options: string[], env: Record<string, string> = {}) {
  const folder = await temporaryFolder();
  const { status, stdout, stderr } = spawnSync('cmake', ['-S', root, '-B', folder, ...options], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  const absent = () => readFileSync(join(folder, 'generated', 'absent-engines.h'), 'utf8');
  return { status, output: stdout + stderr, absent };
}

it.each(['CUDA', 'CPU'])('diagnose() has a line for the %s engine, built or not', (engine) => {
  const lines = diagnose()
    .split('\n')
    .filter((line) => line.startsWith(`${engine} engine: `));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /: (built with CUDA|oneDNN) \d|: not built: .+; .+, then npm rebuild cudnn-resnet \(/,
  );
});

it('names an engine that was switched off, and one whose compiler is not there', async () => {
  expect((await configured(['-DCUDNN_RESNET_CUDA=OFF'])).absent()).toContain(
    'CUDA engine: not built: it was switched off; leave CUDNN_RESNET_CUDA=OFF out, then npm rebuild cudnn-resnet (',
  );
  expect((await configured([], { CUDACXX: '/nowhere/nvcc' })).absent()).toContain(
    'CUDA engine: not built: /nowhere/nvcc is no nvcc that works; set CUDACXX to one of CUDA 12 or 13, then npm rebuild',
  );
});

it('cannot be configured without any engine, and says what each needs', async () => {
  const { status, output } = await configured([
    '-DCUDNN_RESNET_CUDA=OFF',
    '-DCMAKE_DISABLE_FIND_PACKAGE_OneDNN=ON',
  ]);
  expect(status).toBe(1);
  expect(output).toContain('no CPU engine: oneDNN 2.6 or newer was not found; apt-get install libdnnl-dev');
  for (const needed of ['libdnnl-dev', 'cudnn9-cuda-13', 'CUDNN_FRONTEND_PATH']) {
    expect(output.slice(output.indexOf('needs at least one'))).toContain(needed);
  }
});
