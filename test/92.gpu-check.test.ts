// scripts/gpu/check.sh, with programs that only wait or fail in the place of the build and of the suite.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from './support/temporary-folder.js';

const script = fileURLToPath(new URL('../scripts/gpu/check.sh', import.meta.url));

const succeeds = 'exit 0';

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
  for (const [name, body] of Object.entries({ node: succeeds, python3: succeeds, ...programs })) {
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
  ['while it builds', 1, (started: string) => ({ 'cmake-js': waits(started), vitest: succeeds })],
  ['while the suite runs', 2, (started: string) => ({ 'cmake-js': succeeds, vitest: waits(started) })],
])('the GPU check ends what it runs when it is stopped %s', async (_, count, stages) => {
  const folder = await temporaryFolder();
  const started = join(folder, 'started');
  await mkdir(started);
  const running = await check(folder, stages(started));
  running.stdout?.resume();
  const ended = once(running, 'exit');
  const processes = async () => (await readdir(started)).map(Number);
  while ((await processes()).length < count) await sleep(50);
  running.kill('SIGTERM');
  expect(await Promise.race([ended, sleep(20_000, 'still runs', { ref: false })])).toEqual([143, null]);
  // what a program has started may end a moment after it
  await expect.poll(async () => (await processes()).filter(isAlive), { timeout: 5000 }).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual(['archive', 'out', 'started', 'work']);
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
        *compute_cap*--id=1) echo 7.5 ;;
        *--query-gpu=name*--id=1) echo the second ;;
        *) printf '9.0\\nanother\\n' ;;
      esac`,
      },
      { CUDA_VISIBLE_DEVICES: '1,0', CUDAARCHS: '' },
    );
    let printed = '';
    running.stdout?.on('data', (text) => {
      printed += text;
    });
    expect(await once(running, 'close')).toEqual([1, null]);
    expect(await readFile(asked, 'utf8')).toBe('75-real PCI_BUS_ID\n');
    expect(printed).toMatch(/^the second, driver 9\.0, /m);
  },
);
