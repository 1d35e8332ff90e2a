import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { cacheFolder } from '../lib/weights/cache-folder.js';
import {
  pretrainedBaseUrl,
  pretrainedFile,
  pretrainedFiles,
  pretrainedWeights,
} from '../lib/weights/pretrained.js';
import { DownloadCache } from './support/download-cache.js';
import { answer, serve } from './support/download-server.js';
import { expectRejects } from './support/errors.js';
import { expectRefusal } from './support/weights-files.js';

const cache = new DownloadCache();

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
    await mkdir(cache.folder);
    await writeFile(join(cache.folder, 'resnet18-f37072fd.pth'), 'mine');
    const options = { cacheFolder: cache.folder, baseUrl: 'http://127.0.0.1:1' };
    expect(await pretrainedWeights('resnet18', options)).toBe(join(cache.folder, 'resnet18-f37072fd.pth'));
    const aborted = pretrainedWeights('resnet18', { ...options, signal: AbortSignal.abort('now') });
    await expect(aborted).rejects.toBe('now');
  });

  test('does not take a folder of that name for the file', async () => {
    await mkdir(join(cache.folder, 'resnet18-f37072fd.pth'), { recursive: true });
    const { url } = await serve((_, response) => response.writeHead(404).end());
    const fetching = pretrainedWeights('resnet18', { cacheFolder: cache.folder, baseUrl: url });
    await expectRefusal(fetching, /the server answered 404/);
  });

  test('asks for the file of the model and compares its digest', async () => {
    const asked: (string | undefined)[] = [];
    const { url } = await serve((request, response) => {
      asked.push(request.url);
      answer(request, response);
    });
    for (const baseUrl of [`${url}models`, `${url}models/`, `${url}models//`]) {
      const fetching = pretrainedWeights('resnet101', { version: 'v2', cacheFolder: cache.folder, baseUrl });
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
    await expectRejects('ERR_ARGUMENT', refused, message);
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
