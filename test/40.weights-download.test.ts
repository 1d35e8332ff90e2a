import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { DownloadCache } from './support/download-cache.js';
import { answer, content, serve } from './support/download-server.js';
import { expectRefusal } from './support/weights-files.js';

const cache = new DownloadCache();

describe('a download', () => {
  test('into a folder that is not there', async () => {
    const { url, requests } = await serve();
    const progress: [number, number | undefined][] = [];
    await cache.download(url, { onProgress: (received, total) => progress.push([received, total]) });
    await cache.expectComplete();
    expect(requests).toEqual([undefined]);
    expect(progress[0]).toEqual([0, content.length]);
    expect(progress.at(-1)).toEqual([content.length, content.length]);
  });

  test('of unknown length', async () => {
    const { url } = await serve((_, response) => response.writeHead(200).end(content));
    let last: unknown[] = [];
    await cache.download(url, { onProgress: (...now) => (last = now) });
    await cache.expectComplete();
    expect(last[0]).toBe(content.length);
  });

  test('goes on by itself where the connection is cut', async () => {
    const { url, requests } = await serve((request, response, count) =>
      answer(request, response, count < 3 ? { cutAfter: 100_000 } : {}),
    );
    const received: number[] = [];
    await cache.download(url, { onProgress: (now) => received.push(now) });
    await cache.expectComplete();
    expect(requests).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
    expect(received).toEqual(received.toSorted((a, b) => a - b));
  });

  test('gives up where the connection is cut again and again, and keeps what came', async () => {
    const { url, requests } = await serve((request, response) =>
      answer(request, response, { cutAfter: 1000 }),
    );
    await expectRefusal(cache.download(url), /terminated|ended after/);
    expect(requests).toEqual([undefined, ...[1, 2, 3, 4, 5].map((i) => `bytes=${i}000-`)]);
    const [part] = await readdir(cache.folder);
    expect((await stat(join(cache.folder, part!))).size).toBe(6000);
  });

  test('gives up at once where a connection brings nothing', async () => {
    const { url, requests } = await serve((request, response) => {
      response.writeHead(200, { etag: '"one"', 'content-length': content.length });
      response.flushHeaders();
      setTimeout(() => request.destroy(), 20);
    });
    await expectRefusal(cache.download(url), /terminated|ended after/);
    expect(requests).toEqual([undefined]);
  });

  test('may take longer than the server may say nothing', async () => {
    const { url, requests } = await serve(async (_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      for (let first = 0; first < content.length; first += 50_000) {
        await delay(250);
        response.write(content.subarray(first, first + 50_000));
      }
      response.end();
    });
    await cache.download(url, { stallTimeout: 1000 });
    await cache.expectComplete();
    expect(requests).toHaveLength(1);
  });

  test('starts again where a cut connection cannot be resumed', async () => {
    const { url, requests } = await serve((request, response, count) =>
      answer(request, response, { etag: '', ...(count === 1 ? { cutAfter: 100_000 } : {}) }),
    );
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual([undefined, undefined]);
  });

  test('whose progress report throws rejects with what it threw, and can be gone on with', async () => {
    const { url, requests } = await serve();
    const own = new Error('my own');
    for (const when of [0, 1]) {
      const onProgress = (received: number) => {
        if (received >= when) throw own;
      };
      await expect(cache.download(url, { onProgress })).rejects.toBe(own);
    }
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toHaveLength(3);
    expect(requests[2]).toMatch(/^bytes=\d+-$/);
  });

  test('with another digest is removed', async () => {
    const { url } = await serve();
    const downloading = cache.download(url, { digest: '00000000' });
    await expectRefusal(downloading, /expected one that begins with 00000000/);
    expect(await readdir(cache.folder)).toEqual([]);
  });

  test.each([404, 403, 500])('answered with %i', async (status) => {
    const { url, requests } = await serve((_, response) => response.writeHead(status).end('<html>'));
    await expectRefusal(cache.download(url), new RegExp(`the server answered ${status}.*--weights FILE`));
    expect(await readdir(cache.folder)).toEqual([]);
    expect(requests.length).toBe(1);
  });

  test('answered with 404 and a compressed page', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(404, { 'content-encoding': 'gzip' }).end(gzipSync('<html>'));
    });
    await expectRefusal(cache.download(url), /the server answered 404/);
  });

  test('that never begins', async () => {
    const { url } = await serve(() => undefined);
    const downloading = cache.download(url, { stallTimeout: 100 });
    await expectRefusal(downloading, /nothing came from the server for 100 ms/);
  });

  test('that stalls again and again keeps what came', async () => {
    const { url, requests } = await serve((request, response, count) => {
      if (count > 1) return; // silence
      response.writeHead(200, { etag: '"one"', 'content-length': content.length });
      response.write(content.subarray(0, 100_000));
      request.on('close', () => response.destroy());
    });
    const downloading = cache.download(url, { stallTimeout: 150 });
    await expectRefusal(downloading, /nothing came from the server for 150 ms/);
    expect(requests).toEqual([undefined, 'bytes=100000-']);
    expect((await readdir(cache.folder)).length).toBe(1);
  });

  test('without a server', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const error = await cache.download(`http://127.0.0.1:${port}/x.pth`).catch((reason) => reason);
    expect(error.code).toBe('ERR_WEIGHTS');
    expect(error.message).toMatch(
      /\/x\.pth could not be fetched to .*file\.pth \(.*ECONNREFUSED.*--weights FILE/,
    );
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('into a folder that cannot be made', async () => {
    await writeFile(join(cache.folder, '..', 'file'), '');
    const { url } = await serve();
    const path = join(cache.folder, '..', 'file', 'x');
    await expectRefusal(cache.download(url, { path }), /CUDNN_RESNET_CACHE/);
  });
});
