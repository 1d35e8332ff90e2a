// scripts/gpu/check.sh, with programs that only wait or fail in the place of the build and of the suite.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from './support/temporary-folder.js';

const script = fileURLToPath(new URL('../scripts/gpu/check.sh', import.meta.url));

const succeeds = 'exit 0';

/** Python for the report alone. */
const reports = `case $1 in *report.py) PATH='${process.env.PATH}' exec python3 "$@" ;; esac`;

/** Leaves a file that is named after its process, and waits. */
const waits = (folder: string) => `touch "${folder}/$$"; exec sleep 100`;

async function program(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
}

/** Begins the check in a folder, with shell scripts in the place of packages and of programs. */
async function check(
  folder: string,
  stages: Record<'cmake-js' | 'vitest', string>,
  programs: Record<string, string> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<ChildProcess> {
  const packages = join(folder, 'work/tree/node_modules/.bin');
  const bin = join(folder, 'work/pack/node/bin');
  for (const inside of [packages, bin]) await mkdir(inside, { recursive: true });
  for (const [name, body] of Object.entries({ ...stages, tsc: succeeds, esbuild: succeeds })) {
    await program(join(packages, name), body);
  }
  for (const [name, body] of Object.entries({ node: succeeds, python3: reports, ...programs })) {
    await program(join(bin, name), body);
  }
  await writeFile(join(folder, 'archive'), '');
  const options = { out: join(folder, 'out'), work: join(folder, 'work'), archive: join(folder, 'archive') };
  return spawn('bash', [script, ...Object.entries(options).flatMap(([name, path]) => [`--${name}`, path])], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TMPDIR: folder, ...env },
  });
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch {
    return false;
  }
}

it.runIf(process.platform === 'linux').each([
  ['while it builds', 1, 'not run', (started: string) => ({ 'cmake-js': waits(started), vitest: succeeds })],
  [
    'while the suite runs',
    2,
    'passed',
    (started: string) => ({ 'cmake-js': succeeds, vitest: waits(started) }),
  ],
])('the GPU check ends what runs, and reports, when stopped %s', async (_, count, build, stages) => {
  const folder = await temporaryFolder();
  const started = join(folder, 'started');
  await mkdir(started);
  const running = await check(folder, stages(started));
  const printed = text(running.stdout!);
  const ended = once(running, 'exit');
  const processes = async () => (await readdir(started)).map(Number);
  while ((await processes()).length < count) await sleep(50);
  running.kill('SIGTERM');
  expect(await Promise.race([ended, sleep(20_000, 'still runs', { ref: false })])).toEqual([143, null]);
  // what a program has started may end a moment after it
  await expect.poll(async () => (await processes()).filter(isAlive), { timeout: 5000 }).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual(['archive', 'out', 'started', 'work']);
  expect(await printed).toMatch(
    /^suite +not run +0 s {2}the check ended before it did\n(.*\n)*\d+ of 12 passed\n$/m,
  );
  const report: { steps: { name: string; state: string }[] } = JSON.parse(
    await readFile(join(folder, 'out/gpu-check.json'), 'utf8'),
  );
  const states = Object.fromEntries(report.steps.map(({ name, state }) => [name, state]));
  expect(states).toMatchObject({ build, suite: 'not run' });
});

it.runIf(process.platform === 'linux')(
  'the GPU check is of the GPU that CUDA_VISIBLE_DEVICES names',
  async () => {
    const folder = await temporaryFolder();
    const asked = join(folder, 'asked');
    const running = await check(
      folder,
      { 'cmake-js': `echo "$CUDAARCHS $CUDA_DEVICE_ORDER" >"${asked}"; exit 1`, vitest: succeeds },
      {
        'nvidia-smi': `case "$*" in
        *name,driver_version,compute_cap*--id=1) echo 'the second, 580.1, 7.5' ;;
        *) printf 'the first, 580.1, 9.0\\n' ;;
      esac`,
      },
      { CUDA_VISIBLE_DEVICES: '1,0', CUDAARCHS: '' },
    );
    const printed = text(running.stdout!);
    expect(await once(running, 'close')).toEqual([1, null]);
    expect(await readFile(asked, 'utf8')).toBe('75-real PCI_BUS_ID\n');
    expect(await printed).toMatch(/^the second, driver 580\.1, /m);
  },
);

it.runIf(process.platform === 'linux')('the GPU check has no source from the future', async () => {
  const folder = await temporaryFolder();
  const packages = join(folder, 'work/tree/node_modules');
  await mkdir(packages, { recursive: true });
  const tomorrow = new Date(Date.now() + 24 * 3600 * 1000);
  await writeFile(join(packages, 'a.h'), '');
  await utimes(join(packages, 'a.h'), tomorrow, tomorrow);
  const ahead = join(folder, 'ahead');
  const running = await check(folder, {
    'cmake-js': `find . -newermt '1 hour' >"${ahead}"; exit 1`,
    vitest: succeeds,
  });
  running.stdout?.resume();
  expect(await once(running, 'close')).toEqual([1, null]);
  expect(await readFile(ahead, 'utf8')).toBe('');
});
