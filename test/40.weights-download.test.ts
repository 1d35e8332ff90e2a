import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { cacheFolder } from '../lib/weights/cache-folder.js';
import { type Download, download } from '../lib/weights/download.js';
import {
  pretrainedBaseUrl,
  pretrainedFile,
  pretrainedFiles,
  pretrainedWeights,
} from '../lib/weights/pretrained.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { expectRefusal } from './support/weights-files.js';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const digest = createHash('sha256').update(content).digest('hex');

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A server on loopback; `requests` are the Range headers that came. */
async function serve(handler: Handler): Promise<{ url: string; requests: (string | undefined)[] }> {
  const requests: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers.range);
    handler(request, response, requests.length);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests };
}

interface Behaviour {
  etag?: string;
  ranges?: boolean;
  body?: Buffer;
  /** Bytes after which the connection is cut. */
  cutAfter?: number;
}

/** Answers as a proper server of files does. */
function answer(request: IncomingMessage, response: ServerResponse, behaviour: Behaviour = {}): void {
  const { etag = '"one"', ranges = true, body = content, cutAfter = Number.POSITIVE_INFINITY } = behaviour;
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
  const partial = ranges && first >= 0 && request.headers['if-range'] === etag;
  if (partial && first >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const start = partial ? first : 0;
  response.writeHead(partial ? 206 : 200, {
    'content-length': body.length - start,
    ...(etag === '' ? {} : { etag }),
    ...(partial ? { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
  });
  if (cutAfter < body.length - start) {
    response.write(body.subarray(start, start + cutAfter), () => setTimeout(() => response.destroy(), 20));
  } else {
    response.end(body.subarray(start));
  }
}

let folder: string;
let path: string;
beforeEach(async () => {
  folder = join(await temporaryFolder(), 'cache');
  path = join(folder, 'file.pth');
});

function job(url: string, options: Partial<Download> = {}): Download {
  return {
    url,
    path,
    digest: digest.slice(0, 8),
    stallTimeout: 5000,
    onProgress: undefined,
    signal: undefined,
    ...options,
  };
}

async function expectComplete(): Promise<void> {
  expect(await readdir(folder)).toEqual(['file.pth']);
  expect((await readFile(path)).equals(content)).toBe(true);
}

describe('a download', () => {
  test('into a folder that is not there', async () => {
    const { url, requests } = await serve((request, response) => answer(request, response));
    const progress: [number, number | undefined][] = [];
    await download(job(url, { onProgress: (received, total) => progress.push([received, total]) }));
    await expectComplete();
    expect(requests).toEqual([undefined]);
    expect(progress[0]).toEqual([0, content.length]);
    expect(progress.at(-1)).toEqual([content.length, content.length]);
  });

  test('of unknown length', async () => {
    const { url } = await serve((_, response) => response.writeHead(200).end(content));
    let last: unknown[] = [];
    await download(job(url, { onProgress: (...now) => (last = now) }));
    await expectComplete();
    expect(last[0]).toBe(content.length);
  });

  test('goes on by itself where the connection is cut', async () => {
    const { url, requests } = await serve((request, response, count) =>
      answer(request, response, count < 3 ? { cutAfter: 100_000 } : {}),
    );
    const received: number[] = [];
    await download(job(url, { onProgress: (now) => received.push(now) }));
    await expectComplete();
    expect(requests).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
    expect(received).toEqual(received.toSorted((a, b) => a - b));
  });

  test('gives up where the connection is cut again and again, and keeps what came', async () => {
    const { url, requests } = await serve((request, response) =>
      answer(request, response, { cutAfter: 1000 }),
    );
    await expectRefusal(download(job(url)), /terminated|ended after/);
    expect(requests).toEqual([undefined, ...[1, 2, 3, 4, 5].map((i) => `bytes=${i}000-`)]);
    const [part] = await readdir(folder);
    expect((await stat(join(folder, part!))).size).toBe(6000);
  });

  test('gives up at once where a connection brings nothing', async () => {
    const { url, requests } = await serve((request, response) => {
      response.writeHead(200, { etag: '"one"', 'content-length': content.length });
      response.flushHeaders();
      setTimeout(() => request.destroy(), 20);
    });
    await expectRefusal(download(job(url)), /terminated|ended after/);
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
    await download(job(url, { stallTimeout: 1000 }));
    await expectComplete();
    expect(requests).toHaveLength(1);
  });

  test('starts again where a cut connection cannot be resumed', async () => {
    const { url, requests } = await serve((request, response, count) =>
      answer(request, response, { etag: '', ...(count === 1 ? { cutAfter: 100_000 } : {}) }),
    );
    await download(job(url));
    await expectComplete();
    expect(requests).toEqual([undefined, undefined]);
  });

  test('whose progress report throws rejects with what it threw, and can be gone on with', async () => {
    const { url, requests } = await serve((request, response) => answer(request, response));
    const own = new Error('my own');
    for (const when of [0, 1]) {
      const onProgress = (received: number) => {
        if (received >= when) throw own;
      };
      await expect(download(job(url, { onProgress }))).rejects.toBe(own);
    }
    await download(job(url));
    await expectComplete();
    expect(requests).toHaveLength(3);
    expect(requests[2]).toMatch(/^bytes=\d+-$/);
  });

  /** Leaves a part of 100,000 bytes, as an aborted call does. */
  async function leavePart(etag = '"one"'): Promise<void> {
    const controller = new AbortController();
    const { url } = await serve((request, response) => {
      answer(request, response, { etag, cutAfter: 100_000 });
    });
    const onProgress = (received: number) => received === 100_000 && controller.abort();
    await expect(download(job(url, { onProgress, signal: controller.signal }))).rejects.toMatchObject({
      name: 'AbortError',
    });
  }

  test('is resumed by a later call', async () => {
    await leavePart();
    expect(await readdir(folder)).toEqual([`file.pth.part.${Buffer.from('"one"').toString('hex')}`]);
    const { url, requests } = await serve((request, response) => answer(request, response));
    await download(job(url));
    await expectComplete();
    expect(requests).toEqual(['bytes=100000-']);
  });

  test('takes one of the parts that nobody works on, and removes the others', async () => {
    await mkdir(folder);
    for (const etag of ['', '"one"', '"two"']) {
      await writeFile(
        join(folder, `file.pth.part.${Buffer.from(etag).toString('hex')}`),
        content.subarray(0, 10),
      );
    }
    const { url, requests } = await serve((request, response) => answer(request, response));
    await download(job(url));
    await expectComplete();
    expect(requests).toEqual(['bytes=10-']);
  });

  test('is resumed where the server does not name the file again', async () => {
    await leavePart();
    const { url, requests } = await serve((_, response) => {
      response
        .writeHead(206, { 'content-range': 'bytes 100000-299999/300000' })
        .end(content.subarray(100_000));
    });
    await download(job(url));
    await expectComplete();
    expect(requests).toEqual(['bytes=100000-']);
  });

  test('that cannot be resumed leaves nothing behind', async () => {
    await leavePart('W/"weak"');
    expect(await readdir(folder)).toEqual([]);
  });

  test('starts again where the server has another file by now', async () => {
    await leavePart();
    const { url, requests } = await serve((request, response) =>
      answer(request, response, { etag: '"two"' }),
    );
    await download(job(url));
    await expectComplete();
    expect(requests).toEqual(['bytes=100000-']);
  });

  test('starts again where the server knows no ranges', async () => {
    await leavePart();
    const { url } = await serve((request, response) => answer(request, response, { ranges: false }));
    await download(job(url));
    await expectComplete();
  });

  test('whose entity tag is too long for the name of a part', async () => {
    const { url } = await serve((request, response) => {
      answer(request, response, { etag: `"${'x'.repeat(200)}"` });
    });
    await download(job(url));
    await expectComplete();
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
    await download(job(url));
    await expectComplete();
    expect(requests).toEqual(['bytes=100000-', undefined]);
  });

  test('of a part that is longer than the file', async () => {
    await leavePart();
    const [part] = await readdir(folder);
    await writeFile(join(folder, part!), Buffer.alloc(400_000));
    const { url } = await serve((request, response) => answer(request, response));
    await download(job(url));
    await expectComplete();
  });

  test('of a damaged part is found out by its digest, and the next call succeeds', async () => {
    await leavePart();
    const [part] = await readdir(folder);
    await writeFile(join(folder, part!), Buffer.alloc(100_000));
    const { url } = await serve((request, response) => answer(request, response));
    await expectRefusal(download(job(url)), /SHA-256/);
    expect(await readdir(folder)).toEqual([]);
    await download(job(url));
    await expectComplete();
  });

  test('with another digest is removed', async () => {
    const { url } = await serve((request, response) => answer(request, response));
    await expectRefusal(download(job(url, { digest: '00000000' })), /expected one that begins with 00000000/);
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([404, 403, 500])('answered with %i', async (status) => {
    const { url, requests } = await serve((_, response) => response.writeHead(status).end('<html>'));
    await expectRefusal(download(job(url)), new RegExp(`the server answered ${status}.*--weights FILE`));
    expect(await readdir(folder)).toEqual([]);
    expect(requests.length).toBe(1);
  });

  test('answered with 404 and a compressed page', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(404, { 'content-encoding': 'gzip' }).end(gzipSync('<html>'));
    });
    await expectRefusal(download(job(url)), /the server answered 404/);
  });

  test('that never begins', async () => {
    const { url } = await serve(() => undefined);
    await expectRefusal(download(job(url, { stallTimeout: 100 })), /nothing came from the server for 100 ms/);
  });

  test('that stalls again and again keeps what came', async () => {
    const { url, requests } = await serve((request, response, count) => {
      if (count > 1) return; // silence
      response.writeHead(200, { etag: '"one"', 'content-length': content.length });
      response.write(content.subarray(0, 100_000));
      request.on('close', () => response.destroy());
    });
    await expectRefusal(download(job(url, { stallTimeout: 150 })), /nothing came from the server for 150 ms/);
    expect(requests).toEqual([undefined, 'bytes=100000-']);
    expect((await readdir(folder)).length).toBe(1);
  });

  test('without a server', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const error = await download(job(`http://127.0.0.1:${port}/x.pth`)).catch((reason) => reason);
    expect(error.code).toBe('ERR_WEIGHTS');
    expect(error.message).toMatch(
      /\/x\.pth could not be fetched to .*file\.pth \(.*ECONNREFUSED.*--weights FILE/,
    );
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('into a folder that cannot be made', async () => {
    await writeFile(join(folder, '..', 'file'), '');
    const { url } = await serve((request, response) => answer(request, response));
    await expectRefusal(download(job(url, { path: join(folder, '..', 'file', 'x') })), /CUDNN_RESNET_CACHE/);
  });
});

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
    await expectRefusal(download(job(url, { maxBytes: 200_000 })), message);
    expect(await readdir(folder)).toEqual([]);
  });

  test('to answer with what a terminal would obey', async () => {
    const obeyed = Buffer.from('no\x9b2J').toString('latin1'); // its UTF-8
    const { url } = await serve((_, response, count) => {
      if (count === 1) response.writeHead(500, obeyed).end();
      else response.writeHead(200, { 'content-encoding': obeyed }).end();
    });
    await expectRefusal(download(job(url)), /the server answered 500 no\\u009b2J/);
    await expectRefusal(download(job(url)), /in the encoding no.*\\u009b2J, which was not asked for/);
  });

  test('to send more than the range says', async () => {
    const part = `file.pth.part.${Buffer.from('"one"').toString('hex')}`;
    await mkdir(folder);
    await writeFile(join(folder, part), content.subarray(0, 1000));
    const { url } = await serve((_, response) => {
      response.writeHead(206, { etag: '"one"', 'content-range': 'bytes 1000-1999/2000' }).end(content);
    });
    await expectRefusal(download(job(url)), /sends more than 2000 bytes/);
    expect(await readdir(folder)).toEqual([]);
  });

  test('a part that cannot be opened stays, beside a new one', async () => {
    const part = `file.pth.part.${Buffer.from('"one"').toString('hex')}`;
    for (const name of [part, 'file.pth.part.']) await mkdir(join(folder, name), { recursive: true });
    const { url } = await serve((request, response) => answer(request, response));
    for (let i = 0; i < 2; i++) {
      await download(job(url));
      expect((await readFile(path)).equals(content)).toBe(true);
      await rm(path);
    }
    expect(await readdir(folder)).toHaveLength(2);
  });

  test('a user and a password are in no message', async () => {
    for (const baseUrl of [
      'https://me:secret@example.invalid/',
      'https://me:secret@',
      'http://me:sec/ret@:x',
    ]) {
      const error = await pretrainedWeights('resnet18', { cacheFolder: folder, baseUrl }).catch((e) => e);
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

describe('several downloads of one file', () => {
  test('at once in one process', async () => {
    const { url } = await serve((request, response) => answer(request, response));
    await Promise.all([download(job(url)), download(job(url)), download(job(url))]);
    await expectComplete();
  });

  /** A download in a process of its own. */
  function downloadElsewhere(url: string): ChildProcess {
    const module = new URL('../lib/weights/download.ts', import.meta.url).href;
    const script = `import { download } from ${JSON.stringify(module)};
      await download(${JSON.stringify({ ...job(url), onProgress: undefined, signal: undefined })});`;
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
    await expectComplete();
  });

  test('of which one was killed: the next goes on with its part', async () => {
    const { url, requests } = await serve((request, response, count) => {
      if (count > 1) return answer(request, response);
      response.writeHead(200, { etag: '"one"', 'content-length': content.length });
      response.write(content.subarray(0, 100_000)); // and then nothing
    });
    const child = downloadElsewhere(url);
    const received = async () => {
      const [part] = await readdir(folder).catch(() => []);
      return part ? (await stat(join(folder, part))).size : 0;
    };
    await vi.waitFor(async () => expect(await received()).toBe(100_000), { timeout: 20_000 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await download(job(url));
    expect(requests).toEqual([undefined, 'bytes=100000-']);
    await expectComplete();
  });

  test('do not take the part of one that is still running, but that of one that is gone', async () => {
    await mkdir(folder);
    const tag = Buffer.from('"one"').toString('hex');
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    const running = join(folder, `file.pth.part.${tag}.${host}.${process.pid}.00000000`);
    const elsewhere = join(folder, `file.pth.part.${tag}.ffffffff.1.00000000`);
    const abandoned = join(folder, `file.pth.part.${tag}.${host}.${gone.pid}.00000000`);
    for (const part of [running, elsewhere]) await writeFile(part, content.subarray(0, 10));
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await utimes(elsewhere, minutesAgo(9), minutesAgo(9));

    const { url, requests } = await serve((request, response) => answer(request, response));
    await download(job(url));
    expect(requests).toEqual([undefined]);
    expect((await readdir(folder)).sort()).toEqual(
      ['file.pth', ...[running, elsewhere].map((p) => basename(p))].sort(),
    );

    await rename(path, abandoned);
    await writeFile(abandoned, content.subarray(0, 1000));
    await download(job(url));
    expect(requests.at(-1)).toBe('bytes=1000-');

    // another machine's part counts as abandoned once nothing was written for long
    await utimes(elsewhere, minutesAgo(11), minutesAgo(11));
    await rename(path, join(folder, 'away'));
    await download(job(url));
    expect(requests.at(-1)).toBe('bytes=10-');
  });
});

describe('pretrainedWeights', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('the table of files', () => {
    expect(pretrainedBaseUrl).toBe('https://download.pytorch.org/models/');
    for (const versions of Object.values(pretrainedFiles)) {
      for (const file of Object.values(versions)) expect(file.name).toMatch(/^resnet\d+-[0-9a-f]{8}\.pth$/);
    }
    expect(pretrainedFile('resnet50')).toEqual({ name: 'resnet50-0676ba61.pth', resize: 256 });
    expect(pretrainedFile('resnet50', 'v2')).toEqual({ name: 'resnet50-11ad3fa6.pth', resize: 232 });
  });

  test('takes a file that is there without asking the server', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'resnet18-f37072fd.pth'), 'mine');
    const options = { cacheFolder: folder, baseUrl: 'http://127.0.0.1:1' };
    expect(await pretrainedWeights('resnet18', options)).toBe(join(folder, 'resnet18-f37072fd.pth'));
    const aborted = pretrainedWeights('resnet18', { ...options, signal: AbortSignal.abort('now') });
    await expect(aborted).rejects.toBe('now');
  });

  test('does not take a folder of that name for the file', async () => {
    await mkdir(join(folder, 'resnet18-f37072fd.pth'), { recursive: true });
    const { url } = await serve((_, response) => response.writeHead(404).end());
    const fetching = pretrainedWeights('resnet18', { cacheFolder: folder, baseUrl: url });
    await expectRefusal(fetching, /the server answered 404/);
  });

  test('asks for the file of the model and compares its digest', async () => {
    const asked: (string | undefined)[] = [];
    const { url } = await serve((request, response) => {
      asked.push(request.url);
      answer(request, response);
    });
    for (const baseUrl of [`${url}models`, `${url}models/`, `${url}models//`]) {
      const fetching = pretrainedWeights('resnet101', { version: 'v2', cacheFolder: folder, baseUrl });
      await expectRefusal(fetching, /expected one that begins with cd907fc2/);
    }
    expect(asked).toEqual(Array(3).fill('/models/resnet101-cd907fc2.pth'));
  });

  test.each<[unknown[], RegExp]>([
    [['resnet5'], /no weights of model "resnet5"; did you mean 'resnet50'|did you mean/],
    [['toString'], /no weights of model "toString"/],
    [['resnet18', { version: 'v2' }], /no version "v2" of resnet18; there is v1/],
    [['resnet50', { version: 'constructor' }], /no version "constructor"/],
    [['resnet50', { verison: 'v2' }], /did you mean 'version'/],
    [['resnet50', { baseUrl: 'nowhere' }], /baseUrl .*URL, got "nowhere"/],
    [['resnet50', { stallTimeout: 0 }], /stallTimeout .*got 0/],
    [['resnet50', { stallTimeout: 2 ** 31 }], /stallTimeout .*got 2147483648/],
    [[Symbol('a')], /no weights of model symbol; known are 'resnet18'/],
    [[Object.create(null)], /no weights of model object/],
    [['resnet50', { version: Symbol('a') }], /no version symbol of resnet50; there is v1 and v2/],
    [['resnet50', { version: Object.create(null) }], /no version object/],
    [['resnet50', { baseUrl: Symbol('a') }], /baseUrl .*got symbol/],
    [['resnet50', { baseUrl: Object.create(null) }], /baseUrl .*got object/],
    [['resnet50', { cacheFolder: Symbol('a') }], /cacheFolder .*got symbol/],
    [['resnet50', { stallTimeout: Symbol('a') }], /stallTimeout .*got symbol/],
    [['resnet50', { onProgress: Symbol('a') }], /onProgress .*got symbol/],
    [['resnet50', { signal: Symbol('a') }], /signal .*got symbol/],
  ])('refuses %j', async (given, message) => {
    const refused = pretrainedWeights(...(given as Parameters<typeof pretrainedWeights>));
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  test('the cache folder', () => {
    vi.stubEnv('CUDNN_RESNET_CACHE', '/chosen');
    expect(cacheFolder()).toBe('/chosen');
    vi.stubEnv('CUDNN_RESNET_CACHE', '');
    vi.stubEnv('XDG_CACHE_HOME', '/xdg');
    expect(cacheFolder()).toBe('/xdg/cudnn-resnet');
    vi.stubEnv('XDG_CACHE_HOME', 'relative');
    vi.stubEnv('HOME', '/home/someone');
    expect(cacheFolder()).toBe('/home/someone/.cache/cudnn-resnet');
    vi.stubEnv('HOME', '');
    expect(() => cacheFolder()).toThrow(/no home folder.*CUDNN_RESNET_CACHE/);
  });
});
