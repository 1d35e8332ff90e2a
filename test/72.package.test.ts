import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { assertBuilt } from './standalone/process.js';
import { temporaryFolder } from './support/temporary-folder.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

describe('the package', () => {
  let files: string[];

  beforeAll(async () => {
    assertBuilt();
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
    files = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
  });

  test('holds what is needed to build the addon', () => {
    const tracked = ['native', 'cmake'].flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
        .map((name) => `${folder}/${name}`)
        .filter((path) => /\.(cc|h|cu|cuh|cmake)$/.test(path) && !/^native\/(test|bench|fuzz)\//.test(path)),
    );
    expect(tracked.length).toBeGreaterThan(40);
    expect(files).toEqual(expect.arrayContaining(['CMakeLists.txt', ...tracked]));
  });

  test('holds what is needed to run, and the entry points that the manifest names', () => {
    const types = readdirSync(`${root}lib`, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `dist/${name.replace(/ts$/, 'd.ts')}`);
    expect(files).toEqual(expect.arrayContaining(types));
    const entries = [manifest.main, manifest.types, ...Object.values(manifest.bin as Record<string, string>)];
    for (const entry of entries) expect(files).toContain(entry.replace('./', ''));
    expect(files).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE']));
  });

  test('has types that refer to no file outside of it', () => {
    for (const path of files.filter((name) => name.endsWith('.d.ts'))) {
      const imported = [...readFileSync(`${root}${path}`, 'utf8').matchAll(/from '(\..*)\.js'/g)];
      const wanted = imported.map(([, name]) => `${join(dirname(path), name!)}.d.ts`);
      expect(files, path).toEqual(expect.arrayContaining(wanted));
    }
  });

  test('holds the pages that its own pages link to', () => {
    const pages = files.filter((name) => name.endsWith('.md'));
    expect(pages).toContain('SECURITY.md');
    for (const path of pages) {
      const links = [...readFileSync(`${root}${path}`, 'utf8').matchAll(/\]\(([^)#:]+\.md)/g)];
      const linked = links.map(([, page]) => join(dirname(path), page!));
      expect(files, path).toEqual(expect.arrayContaining(linked));
    }
  });

  test('holds nothing else', () => {
    const allowed =
      /^(dist\/.*\.(js|d\.ts)|native\/(?!test\/|bench\/).*\.(cc|h|cu|cuh)|cmake\/[\w-]+\.cmake|docs\/[\w-]+\.md|bench\/results\/[\w-]+\.svg|CMakeLists\.txt|package\.json|README\.md|LICENSE|CHANGELOG\.md|CONTRIBUTING\.md|SECURITY\.md|scripts\/setup-cuda\.sh)$/;
    expect(files.filter((path) => !allowed.test(path))).toEqual([]);
  });

  test('loads by import under its own name', async () => {
    const program = `import { devices, Tensor } from 'cudnn-resnet'; console.log(devices().length > 0, typeof Tensor)`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: root });
    expect(stdout).toBe('true function\n');
  });

  test('keeps the names of its classes', async () => {
    const program = `import { nn, Tensor } from 'cudnn-resnet';
      try { Tensor.zeros([0]) } catch ({ stack }) { console.log(Tensor.name, nn.Module.name, stack) }`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: root });
    expect(stdout).toMatch(/^Tensor Module CudnnResnetError: Tensor\.zeros: .*\n +at Tensor\.zeros /);
  });

  // Node 20.17 and 20.18 have it behind an option only.
  const requires = (process.features as { require_module?: unknown }).require_module === true;
  test(`${requires ? 'loads' : 'explains itself'} by require under its own name`, async () => {
    const program = `console.log(typeof require('cudnn-resnet').Tensor)`;
    const attempt = run(process.execPath, ['--no-warnings', '-e', program], { cwd: root });
    if (requires) {
      expect((await attempt).stdout).toBe('function\n');
    } else {
      await expect(attempt).rejects.toThrow(/ERR_REQUIRE_ESM/);
    }
  });
});

describe('the installation', () => {
  /** What would fetch something, or ask for more rights. */
  const watched = [
    ...['sudo', 'su', 'doas', 'pkexec', 'apt-get', 'dnf', 'brew'],
    ...['curl', 'wget', 'git', 'ssh', 'npm', 'npx', 'pip', 'pip3'],
  ];

  // The install script configures and compiles: the one is done, of the other the commands are looked at.
  test('uses no network, and asks for no rights', async () => {
    const folder = await temporaryFolder();
    const calls = join(folder, 'calls');
    for (const name of watched) {
      const note = `#!/bin/sh\necho "${name} $*" >>'${calls}'\nexit 1\n`;
      writeFileSync(join(folder, name), note, { mode: 0o755 });
    }
    // where the system lets a user have a network of its own, with nobody in it
    const unshare = ['unshare', '--map-root-user', '--net'];
    const alone = spawnSync(unshare[0]!, [...unshare.slice(1), 'true']).status === 0;
    const build = join(folder, 'build');
    const cmakeJs = join(root, 'node_modules/cmake-js/bin/cmake-js');
    const configure = [process.execPath, cmakeJs, 'configure', '--prefer-make', '--out', build];
    const [command, ...args] = alone ? [...unshare, ...configure] : configure;
    const { status, stdout, stderr } = spawnSync(command!, args, {
      cwd: root,
      encoding: 'utf8',
      // without what earlier installations may have left at home
      env: { ...process.env, HOME: folder, PATH: `${folder}:${process.env.PATH}` },
    });
    expect(status, stdout + stderr).toBe(0);
    expect(existsSync(calls) ? readFileSync(calls, 'utf8') : '').toBe('');

    const commands = readdirSync(build, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\/build\.make$/.test(name))
      .flatMap((name) => [...readFileSync(join(build, name), 'utf8').matchAll(/^\t@?(.*)/gm)])
      .flatMap(([, line]) => line!.split(' && '));
    expect(commands.length).toBeGreaterThan(100);
    const compilers =
      /^(cd|\$\(CMAKE_COMMAND\)|([\w/.-]*\/)?(cmake|ccache|cc|gcc|c\+\+|g\+\+|clang|clang\+\+|nvcc)(-[\d.]+)?) /;
    expect(commands.filter((line) => !compilers.test(line))).toEqual([]);
  });
});
