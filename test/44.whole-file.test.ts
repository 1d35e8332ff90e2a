import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { transform } from 'esbuild';
import { expect, test } from 'vitest';
import { saveWeights } from '../lib/index.js';
import { ownName } from '../lib/owner.js';
import { removeUnfinished, WholeFile } from '../lib/whole-file.js';
import { writeAll } from '../lib/write-all.js';
import { listsOpenFiles, openFiles } from './support/open-files.js';
import { temporaryFolder } from './support/temporary-folder.js';

test('all is written, however few bytes the system takes at a time', async () => {
  const given = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  const taken = new Uint8Array(1010);
  const write = async (buffer: Uint8Array, offset: number, length: number, position: number) => {
    const bytesWritten = Math.min(length, 7);
    taken.set(buffer.subarray(offset, offset + bytesWritten), position);
    return { bytesWritten, buffer };
  };
  await writeAll({ write } as never, given, 10);
  expect(taken.subarray(10)).toEqual(given);
});

const bytes = (text: string) => new TextEncoder().encode(text);

test('has its name once it is finished; what was there stays until then', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  await writeFile(path, 'before');
  {
    await using file = await WholeFile.create(path);
    await file.append(bytes('?ew '));
    await file.overwrite(bytes('n'), 0);
    await file.append(bytes('text'));
    expect(await readFile(path, 'utf8')).toBe('before');
    await file.finish();
  }
  expect(await readFile(path, 'utf8')).toBe('new text');
  expect(await readdir(folder)).toEqual(['x']);
});

test('leaves nothing where it is not finished', async () => {
  const folder = await temporaryFolder();
  const failing = async () => {
    await using file = await WholeFile.create(join(folder, 'x'));
    await file.append(bytes('text'));
    throw new RangeError('as asked');
  };
  await expect(failing()).rejects.toThrow(RangeError);
  expect(await readdir(folder)).toEqual([]);
});

test.runIf(listsOpenFiles)('is not left open where it is not finished', async () => {
  const folder = await temporaryFolder();
  await using file = await WholeFile.create(join(folder, 'x'));
  expect(await openFiles(folder)).toBe(1);
  await file[Symbol.asyncDispose]();
  expect(await openFiles(folder)).toBe(0);
});

test('of two that are written at once the one that is finished last stays, whole', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  await using first = await WholeFile.create(path);
  await using second = await WholeFile.create(path);
  await first.append(bytes('first'));
  await second.append(bytes('second'));
  await first.append(bytes(' of two'));
  await second.finish();
  expect(await readFile(path, 'utf8')).toBe('second');
  await first.finish();
  expect(await readFile(path, 'utf8')).toBe('first of two');
  expect(await readdir(folder)).toEqual(['x']);
});

test('says before anything is written where no file can be', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'taken'));
  await expect(WholeFile.create(join(folder, 'taken'))).rejects.toThrow('it is a folder');
  await expect(WholeFile.create(join(folder, 'absent', 'x'))).rejects.toThrow('ENOENT');
  for (const nameless of ['', join(folder, 'x/')]) {
    await expect(WholeFile.create(nameless)).rejects.toThrow('it is no name of a file');
  }
  expect(await readdir(folder)).toEqual(['taken']);
});

test('what is there and is no file stays, and is named', async () => {
  const folder = await temporaryFolder();
  const [pipe, socket, link] = ['pipe', 'socket', 'link'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('mkfifo', [pipe]);
  await symlink('pipe', link);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  for (const [path, kind] of [
    [pipe, 'a pipe'],
    [link, 'a pipe'],
    [socket, 'a socket'],
    // which is tried and never finished: as root a mistake here would take it from the whole system
    ['/dev/null', 'a device'],
  ] as const) {
    await expect(WholeFile.create(path)).rejects.toThrow(`it is ${kind}`);
  }
  await expect(saveWeights(pipe, {})).rejects.toMatchObject({
    code: 'ERR_WEIGHTS',
    message: expect.stringContaining('it is a pipe'),
  });
  expect(await readdir(folder)).toEqual(['link', 'pipe', 'socket']);
  server.close();
});

async function write(path: string, text: string): Promise<void> {
  await using file = await WholeFile.create(path);
  await file.append(bytes(text));
  await file.finish();
}

test('a link stays, and what it leads to is written, there already or not', async () => {
  const folder = await temporaryFolder();
  const at = (...names: string[]) => join(folder, ...names);
  await mkdir(at('far', 'below'), { recursive: true });
  await writeFile(at('far', 'x'), 'before');
  await symlink('far/below', at('near'));
  // from where the link is, and not from where a name of its folder seems to be
  const links = {
    direct: 'far/x',
    chain: 'direct',
    'near/up': '../x',
    dangling: 'far/y',
    'near/new': '../z',
  };
  for (const [name, to] of Object.entries(links)) {
    await symlink(to, at(name));
    await write(at(name), `by ${name}`);
    expect(await readlink(at(name))).toBe(to);
    expect(await readFile(at(name), 'utf8')).toBe(`by ${name}`);
  }
  expect(await readdir(at('far'))).toEqual(['below', 'x', 'y', 'z']);

  await symlink('absent/x', at('lost'));
  await expect(WholeFile.create(at('lost'))).rejects.toThrow('ENOENT');
  await symlink('round', at('round'));
  await expect(WholeFile.create(at('round'))).rejects.toThrow('ELOOP');
});

test('has the permissions of the file that was there, from the start', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  await writeFile(path, 'before');
  for (const mode of [0o600, 0o400, 0o666]) {
    await chmod(path, mode);
    await using file = await WholeFile.create(path);
    for (const name of await readdir(folder))
      expect((await stat(join(folder, name))).mode & 0o777).toBe(mode);
    await file.finish();
    expect((await stat(path)).mode & 0o777).toBe(mode);
  }
  const plain = join(folder, 'plain');
  await writeFile(plain, '');
  await write(join(folder, 'new'), 'text');
  expect((await lstat(join(folder, 'new'))).mode).toBe((await lstat(plain)).mode);
});

test.runIf(process.getuid?.() === 0)("what root writes stays its owner's", async () => {
  const path = join(await temporaryFolder(), 'x');
  await writeFile(path, 'before', { mode: 0o640 });
  await chown(path, 1234, 5678);
  await write(path, 'text');
  const { uid, gid, mode } = await stat(path);
  expect([uid, gid, mode & 0o777]).toEqual([1234, 5678, 0o640]);
});

test('names may be as long as the system allows', async () => {
  const folder = await temporaryFolder();
  const longest = 'x'.repeat(255);
  await write(join(folder, longest), 'text');
  expect(await readdir(folder)).toEqual([longest]);
  await expect(WholeFile.create(join(folder, `${longest}x`))).rejects.toThrow('ENAMETOOLONG');
});

test('what processes left that are gone is removed, and nothing of others', async () => {
  const folder = await temporaryFolder();
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  const [host, , began] = ownName().split('.') as [string, string, string];
  const left = [
    `cudnn-resnet.${host}.${gone}.${began}.00000000.tmp`,
    // of this number, but before this process
    `cudnn-resnet.${host}.${process.pid}.${Number(began) - 2}.00000000.tmp`,
  ];
  const others = [
    `cudnn-resnet.${host}.${process.pid}.${began}.00000000.tmp`,
    `cudnn-resnet.${host}.${process.ppid}.1.00000000.tmp`,
    `cudnn-resnet.ffffffff.${gone}.${began}.00000000.tmp`,
    `other.${host}.${gone}.${began}.00000000.tmp`,
    `cudnn-resnet.${host}.${gone}.tmp`,
  ];
  for (const name of [...left, ...others]) await writeFile(join(folder, name), 'part');
  const folderOfThatName = `cudnn-resnet.${host}.${gone}.${began}.11111111.tmp`;
  await mkdir(join(folder, folderOfThatName));
  await write(join(folder, 'x'), 'text');
  expect((await readdir(folder)).sort()).toEqual([...others, folderOfThatName, 'x'].sort());
});

const another = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc'];

// where they may be made at all
test.runIf(spawnSync('unshare', [...another, 'true']).status === 0)(
  'a process in another namespace of process numbers is of another host',
  () => {
    const source = new URL('../lib/owner.ts', import.meta.url).href;
    const program = `const { isGone, ownerOf } = await import('${source}'); console.log(isGone(ownerOf('${ownName()}')))`;
    const args = [...another, process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
    expect(execFileSync('unshare', args, { encoding: 'utf8' })).toBe('false\n');
  },
);

test('a thread does not take another of its process to be gone', async () => {
  const source = await readFile(new URL('../lib/owner.ts', import.meta.url), 'utf8');
  const { code } = await transform(source, { loader: 'ts' });
  const program = `${code}
    import { parentPort, workerData } from 'node:worker_threads';
    parentPort.postMessage(isGone(ownerOf(workerData)));`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  // so long after its process that the times when both began could not be taken for the same
  await sleep(2500);
  const worker = new Worker(url, { workerData: ownName() });
  expect(await once(worker, 'message')).toEqual([false]);
  await worker.terminate();
});

test.each(['process.exit(0)', "process.kill(process.pid, 'SIGKILL')"])(
  'what %s left is removed by the next that writes there',
  async (end) => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x');
    await writeFile(path, 'before');
    const source = new URL('../lib/whole-file.ts', import.meta.url).href;
    const program = `const { WholeFile } = await import('${source}'); await WholeFile.create(process.argv[1]); ${end}`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', program, path];
    expect(spawnSync(process.execPath, args, { encoding: 'utf8' }).stderr).toBe('');
    expect(await readdir(folder)).toHaveLength(2);
    expect(await readFile(path, 'utf8')).toBe('before');
    await write(path, 'text');
    expect(await readdir(folder)).toEqual(['x']);
  },
);

test('a folder that takes its place meanwhile stays, and nothing else', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x');
  const failing = async () => {
    await using file = await WholeFile.create(path);
    await mkdir(path);
    await file.finish();
  };
  await expect(failing()).rejects.toThrow(/EISDIR|ENOTDIR|EEXIST|ENOTEMPTY/);
  expect(await readdir(folder)).toEqual(['x']);
});

test('what is unfinished can be removed at once, and what is finished stays', async () => {
  const folder = await temporaryFolder();
  {
    await using finished = await WholeFile.create(join(folder, 'finished'));
    await finished.finish();
    await using file = await WholeFile.create(join(folder, 'x'));
    await file.append(bytes('text'));
    removeUnfinished();
    expect(await readdir(folder)).toEqual(['finished']);
  }
  expect(existsSync(join(folder, 'x'))).toBe(false);
});
