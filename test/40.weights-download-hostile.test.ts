import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { pretrainedWeights } from '../lib/weights/pretrained.js';
import { DownloadCache } from './support/download-cache.js';
import { content, type Handler, serve } from './support/download-server.js';
import { expectRefusal } from './support/weights-files.js';

const cache = new DownloadCache();

describe('what a server, or the cache folder, may do', () => {
  test.each<[string, Handler, RegExp]>([
    [
      'to announce too much',
      (_, response) => response.writeHead(200, { etag: '"one"', 'content-length': 2e9 }).end('x'),
      /sends a file of 2000000000 bytes, over 200000/,
    ],
    [
      'to send without end',
      (_, response) => {
        response.writeHead(200, { etag: '"one"' });
        const more = setInterval(() => response.write(content), 1);
        response.on('close', () => clearInterval(more));
      },
      /sends more than 200000 bytes/,
    ],
    [
      'to send what becomes more',
      (_, response) => {
        response.writeHead(200, { etag: '"one"', 'content-encoding': 'gzip' });
        response.end(gzipSync(Buffer.alloc(100_000_000)));
      },
      /in the encoding gzip, which was not asked for/,
    ],
  ])('%s', async (_, handler, message) => {
    const { url } = await serve(handler);
    await expectRefusal(cache.download(url, { maxBytes: 200_000 }), message);
    expect(await readdir(cache.folder)).toEqual([]);
  });

  test('to answer with what a terminal would obey', async () => {
    const obeyed = Buffer.from('no\x9b2J').toString('latin1'); // its UTF-8
    const { url } = await serve((_, response, count) => {
      if (count === 1) response.writeHead(500, obeyed).end();
      else response.writeHead(200, { 'content-encoding': obeyed }).end();
    });
    await expectRefusal(cache.download(url), /the server answered 500 no\\u009b2J/);
    await expectRefusal(cache.download(url), /in the encoding no.*\\u009b2J, which was not asked for/);
  });

  test('to send more than the range says', async () => {
    await mkdir(cache.folder);
    await writeFile(join(cache.folder, cache.partName()), content.subarray(0, 1000));
    const { url } = await serve((_, response) => {
      response.writeHead(206, { etag: '"one"', 'content-range': 'bytes 1000-1999/2000' }).end(content);
    });
    await expectRefusal(cache.download(url), /sends more than 2000 bytes/);
    expect(await readdir(cache.folder)).toEqual([]);
  });

  test('a part that cannot be opened stays, beside a new one', async () => {
    for (const etag of ['"one"', '']) {
      await mkdir(join(cache.folder, cache.partName(etag)), { recursive: true });
    }
    const { url } = await serve();
    for (let i = 0; i < 2; i++) {
      await cache.download(url);
      expect((await readFile(cache.path)).equals(content)).toBe(true);
      await rm(cache.path);
    }
    expect(await readdir(cache.folder)).toHaveLength(2);
  });

  test('a user and a password are in no message', async () => {
    for (const baseUrl of [
      'https://me:secret@example.invalid/',
      'https://me:secret@',
      'http://me:sec/ret@:x',
    ]) {
      const options = { cacheFolder: cache.folder, baseUrl };
      const error = await pretrainedWeights('resnet18', options).catch((e) => e);
      expect(error.code).toBe('ERR_ARGUMENT');
      expect(String(error.stack)).not.toMatch(/me:|sec/);
    }
  });

  test.each<[string, string[], string, RegExp]>([
    ['no WebAssembly', ['--jitless'], '', /^ERR_WEIGHTS .*WebAssembly, which --jitless takes away/],
    [
      'no working directory',
      [],
      `const gone = fs.mkdtempSync(${JSON.stringify(join(tmpdir(), 'gone-'))});
       process.chdir(gone);
       fs.rmdirSync(gone);`,
      /^ERR_WEIGHTS the cache folder 'here' lies in the working directory, which is gone/,
    ],
  ])('%s', async (_, flags, before, says) => {
    const module = new URL('../lib/weights/pretrained.ts', import.meta.url).href;
    const script = `import fs from 'node:fs';
      import { pretrainedWeights } from ${JSON.stringify(module)};
      ${before}
      await pretrainedWeights('resnet18', { cacheFolder: 'here', baseUrl: 'http://127.0.0.1:1/' })
        .catch(({ code, message }) => console.log(code, message));`;
    const args = [...flags, '--import', 'tsx', '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toMatch(says);
  });
});
