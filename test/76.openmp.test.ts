import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Loads the addon, and then tells what a process that is started later has in its environment. */
const load = `
  const { devices } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url))});
  devices();
  const { execSync } = await import('node:child_process');
  console.log(execSync('echo "inherited: $GOMP_SPINCOUNT"').toString());
`;
const loadInWorker = `
  const { Worker } = await import('node:worker_threads');
  new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(load)})));
`;

/** How long GNU's OpenMP says that its threads spin, and what later processes inherit. */
async function spins(program: string, given: NodeJS.ProcessEnv) {
  const { GOMP_SPINCOUNT: _, OMP_WAIT_POLICY: __, ...others } = process.env;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', program],
    { env: { ...others, OMP_DISPLAY_ENV: 'verbose', ...given } },
  );
  return [/GOMP_SPINCOUNT = '(\d+)'/.exec(stderr)?.[1], /inherited: (\d*)/.exec(stdout)?.[1]];
}

test.each([
  ['the main thread', load],
  ['a worker alone', loadInWorker],
])('OpenMP’s threads sleep soon where %s loads the addon, and as the user has said', async (_, program) => {
  expect(await spins(program, {})).toEqual(['2000', '']);
  expect(await spins(program, { GOMP_SPINCOUNT: '77' })).toEqual(['77', '77']);
  expect((await spins(program, { OMP_WAIT_POLICY: 'active' }))[0]).not.toBe('2000');
});
