import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { ownName } from '../lib/owner.js';
import { DownloadCache } from './support/download-cache.js';
import { answer, content, serve } from './support/download-server.js';

const cache = new DownloadCache();

describe('several downloads of one file', () => {
  test('at once in one process', async () => {
    const { url } = await serve();
    await Promise.all([cache.download(url), cache.download(url), cache.download(url)]);
    await cache.expectComplete();
  });

  /** A download in a process of its own. */
  function downloadElsewhere(url: string): ChildProcess {
    const module = new URL('../lib/weights/download.ts', import.meta.url).href;
    const script = `import { download } from ${JSON.stringify(module)};
      await download(${JSON.stringify(cache.job(url))});`;
    return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: 'inherit',
    });
  }

  test('at once in several processes', async () => {
    const { url, requests } = await serve((request, response) => {
      setTimeout(() => answer(request, response), 200);
    });
    const exits = [1, 2, 3].map(() => once(downloadElsewhere(url), 'exit'));
    for (const [code] of await Promise.all(exits)) expect(code).toBe(0);
    expect(requests.length).toBeGreaterThan(0);
    await cache.expectComplete();
  });

  test('of which one was killed: the next goes on with its part', async () => {
    const { url, requests } = await serve((request, response, count) => {
      if (count > 1) return answer(request, response);
      response.writeHead(200, { etag: '"one"', 'content-length': content.length });
      response.write(content.subarray(0, 100_000)); // and then nothing
    });
    const child = downloadElsewhere(url);
    const received = async () => {
      const [part] = await readdir(cache.folder).catch(() => []);
      return part ? (await stat(join(cache.folder, part))).size : 0;
    };
    await vi.waitFor(async () => expect(await received()).toBe(100_000), { timeout: 20_000 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await cache.download(url);
    expect(requests).toEqual([undefined, 'bytes=100000-']);
    await cache.expectComplete();
  });

  test('do not take the part of one that is still running, but that of one that is gone', async () => {
    await mkdir(cache.folder);
    const part = join(cache.folder, cache.partName());
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    const running = `${part}.${ownName()}`;
    const elsewhere = `${part}.ffffffff.1.1.00000000`;
    const abandoned = `${part}.${ownName().replace(`.${process.pid}.`, `.${gone.pid}.`)}`;
    for (const taken of [running, elsewhere]) await writeFile(taken, content.subarray(0, 10));
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await utimes(elsewhere, minutesAgo(9), minutesAgo(9));

    const { url, requests } = await serve();
    await cache.download(url);
    expect(requests).toEqual([undefined]);
    expect((await readdir(cache.folder)).sort()).toEqual(
      ['file.pth', ...[running, elsewhere].map((p) => basename(p))].sort(),
    );

    await rename(cache.path, abandoned);
    await writeFile(abandoned, content.subarray(0, 1000));
    await cache.download(url);
    expect(requests.at(-1)).toBe('bytes=1000-');

    // another machine's part counts as abandoned once nothing was written for long
    await utimes(elsewhere, minutesAgo(11), minutesAgo(11));
    await rename(cache.path, join(cache.folder, 'away'));
    await cache.download(url);
    expect(requests.at(-1)).toBe('bytes=10-');
  });
});
