// scripts/gpu/check.sh where it is stopped, with programs that only wait in the place of the build and of the suite.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
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
  const [started, packages, node] = ['started', 'work/tree/node_modules/.bin', 'work/pack/node/bin'].map(
    (name) => join(folder, name),
  ) as [string, string, string];
  for (const inside of [started, packages, node]) await mkdir(inside, { recursive: true });
  const programs = { ...stages(started), tsc: succeeds, esbuild: succeeds };
  for (const [name, body] of Object.entries(programs)) await program(join(packages, name), body);
  for (const name of ['node', 'python3']) await program(join(node, name), succeeds);
  await writeFile(join(folder, 'archive'), '');

  const options = { out: join(folder, 'out'), work: join(folder, 'work'), archive: join(folder, 'archive') };
  const check = spawn(
    'bash',
    [script, ...Object.entries(options).flatMap(([name, path]) => [`--${name}`, path])],
    {
      stdio: 'ignore',
      env: { ...process.env, TMPDIR: folder },
    },
  );
  const ended = once(check, 'exit');
  const processes = async () => (await readdir(started)).map(Number);
  while ((await processes()).length < count) await sleep(50);
  check.kill('SIGTERM');
  expect(await Promise.race([ended, sleep(20_000, 'still runs', { ref: false })])).toEqual([143, null]);
  // what a program has started may end a moment after it
  await expect.poll(async () => (await processes()).filter(isAlive), { timeout: 5000 }).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual(['archive', 'out', 'started', 'work']);
});
