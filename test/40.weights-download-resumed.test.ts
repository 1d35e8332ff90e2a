import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DownloadCache } from './support/download-cache.js';
import { answer, content, type Handler, serve } from './support/download-server.js';
import { expectRefusal } from './support/weights-files.js';

const cache = new DownloadCache();

describe('a download', () => {
  /** Leaves a part of 100,000 bytes, as an aborted call does. */
  async function leavePart(etag = '"one"'): Promise<void> {
    const controller = new AbortController();
    const { url } = await serve((request, response) => {
      answer(request, response, { etag, cutAfter: 100_000 });
    });
    const onProgress = (received: number) => received === 100_000 && controller.abort();
    await expect(cache.download(url, { onProgress, signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
  }

  test('is resumed by a later call', async () => {
    await leavePart();
    expect(await readdir(cache.folder)).toEqual([cache.partName()]);
    const { url, requests } = await serve();
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual(['bytes=100000-']);
  });

  test('takes one of the parts that nobody works on, and removes the others', async () => {
    await mkdir(cache.folder);
    for (const etag of ['', '"one"', '"two"']) {
      await writeFile(join(cache.folder, cache.partName(etag)), content.subarray(0, 10));
    }
    const { url, requests } = await serve();
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual(['bytes=10-']);
  });

  test('is resumed where the server does not name the file again', async () => {
    await leavePart();
    const { url, requests } = await serve((_, response) => {
      response
        .writeHead(206, { 'content-range': 'bytes 100000-299999/300000' })
        .end(content.subarray(100_000));
    });
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual(['bytes=100000-']);
  });

  test('that cannot be resumed leaves nothing behind', async () => {
    await leavePart('W/"weak"');
    expect(await readdir(cache.folder)).toEqual([]);
  });

  test('starts again where the server has another file by now', async () => {
    await leavePart();
    const { url, requests } = await serve((request, response) =>
      answer(request, response, { etag: '"two"' }),
    );
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual(['bytes=100000-']);
  });

  test('starts again where the server knows no ranges', async () => {
    await leavePart();
    const { url } = await serve((request, response) => answer(request, response, { ranges: false }));
    await cache.download(url);
    await cache.expectComplete();
  });

  test('whose entity tag is too long for the name of a part', async () => {
    const { url } = await serve((request, response) => {
      answer(request, response, { etag: `"${'x'.repeat(200)}"` });
    });
    await cache.download(url);
    await cache.expectComplete();
  });

  test.each<[string, Handler]>([
    [
      'another range than asked for',
      (_, response) => response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end(),
    ],
    [
      'a range of another file',
      (_, response) =>
        response.writeHead(206, { etag: '"two"', 'content-range': 'bytes 100000-299999/300000' }).end(),
    ],
    ['a range of nothing', (_, response) => response.writeHead(206).end()],
    ['that there is no such range', (_, response) => response.writeHead(416).end()],
  ])('starts again where the server answers with %s', async (_, first) => {
    await leavePart();
    const { url, requests } = await serve((request, response, count) =>
      count === 1 ? first(request, response, count) : answer(request, response),
    );
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual(['bytes=100000-', undefined]);
  });

  test('is not made again where the part is whole', async () => {
    await leavePart();
    const [part] = await readdir(cache.folder);
    await writeFile(join(cache.folder, part!), content);
    const { url, requests } = await serve();
    await cache.download(url);
    await cache.expectComplete();
    expect(requests).toEqual([`bytes=${content.length}-`]);
  });

  test('starts again where a part is as long as the file, and damaged', async () => {
    await leavePart();
    const [part] = await readdir(cache.folder);
    await writeFile(join(cache.folder, part!), Buffer.alloc(content.length));
    const { url } = await serve();
    await cache.download(url);
    await cache.expectComplete();
  });

  test('of a part that is longer than the file', async () => {
    await leavePart();
    const [part] = await readdir(cache.folder);
    await writeFile(join(cache.folder, part!), Buffer.alloc(400_000));
    const { url } = await serve();
    await cache.download(url);
    await cache.expectComplete();
  });

  test('of a damaged part is found out by its digest, and the next call succeeds', async () => {
    await leavePart();
    const [part] = await readdir(cache.folder);
    await writeFile(join(cache.folder, part!), Buffer.alloc(100_000));
    const { url } = await serve();
    await expectRefusal(cache.download(url), /SHA-256/);
    expect(await readdir(cache.folder)).toEqual([]);
    await cache.download(url);
    await cache.expectComplete();
  });
});
