import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { checkSignal } from '../abort.js';
import { CudnnResnetError } from '../errors.js';
import { kindOf, shown } from '../kind-of.js';
import { checkMilliseconds } from '../milliseconds.js';
import { checkOptions, suggestion } from '../options.js';
import { cacheFolder as defaultCacheFolder } from './cache-folder.js';
import { download } from './download.js';

/** Models that torchvision publishes ImageNet weights of. */
export type PretrainedModel = 'resnet18' | 'resnet34' | 'resnet50' | 'resnet101' | 'resnet152';

/** torchvision's IMAGENET1K_V1 and IMAGENET1K_V2. */
export type PretrainedVersion = 'v1' | 'v2';

/** A published file and the preprocessing that belongs to it. */
interface PretrainedFile {
  /** Its name, which ends in the first eight hexadecimal digits of its SHA-256. */
  name: string;
  /** Pixels to which the shorter side of an image is resized before the 224×224 centre is cut out. */
  resize: number;
}

/** The public address that the files lie under. */
export const pretrainedBaseUrl = 'https://download.pytorch.org/models/';

/** torchvision's public ImageNet files. There is no `v2` of the two small models. */
export const pretrainedFiles: Readonly<Record<PretrainedModel, { v1: PretrainedFile; v2?: PretrainedFile }>> =
  {
    resnet18: { v1: { name: 'resnet18-f37072fd.pth', resize: 256 } },
    resnet34: { v1: { name: 'resnet34-b627a593.pth', resize: 256 } },
    resnet50: {
      v1: { name: 'resnet50-0676ba61.pth', resize: 256 },
      v2: { name: 'resnet50-11ad3fa6.pth', resize: 232 },
    },
    resnet101: {
      v1: { name: 'resnet101-63fe2227.pth', resize: 256 },
      v2: { name: 'resnet101-cd907fc2.pth', resize: 232 },
    },
    resnet152: {
      v1: { name: 'resnet152-394f9c45.pth', resize: 256 },
      v2: { name: 'resnet152-f82ba261.pth', resize: 232 },
    },
  };

/** What the shorter side of an image is scaled to for the weights in a file: what torchvision does for one of that name. */
export function publishedResize(path: string): number {
  const published = Object.values(pretrainedFiles).flatMap(({ v1, v2 }) => (v2 ? [v1, v2] : [v1]));
  return published.find(({ name }) => name === basename(path))?.resize ?? 256;
}

/** Options of {@link pretrainedWeights}. */
export interface PretrainedOptions {
  /** Which of torchvision's two sets of weights; `v1` for every model where it is left out. */
  version?: PretrainedVersion | undefined;
  /** Where the file is kept; `CUDNN_RESNET_CACHE` or the user's cache folder where it is left out. */
  cacheFolder?: string | undefined;
  /** A mirror that has the files under the same names. */
  baseUrl?: string | undefined;
  /** Milliseconds without a byte after which the server is given up; 30,000 where it is left out. */
  stallTimeout?: number | undefined;
  /**
   * Called as bytes arrive; `totalBytes` is undefined where the server does not say. Not called for a cached file. What it
   * throws ends the download, and the promise rejects with it.
   */
  onProgress?: ((receivedBytes: number, totalBytes: number | undefined) => void) | undefined;
  /** Ends the download; the promise rejects with the signal's reason, and what came is kept to be resumed. */
  signal?: AbortSignal | undefined;
}

/**
 * The file of torchvision's ImageNet weights of a model and version.
 *
 * @throws `ERR_ARGUMENT` where there is no such model or version.
 */
export function pretrainedFile(model: PretrainedModel, version: PretrainedVersion = 'v1'): PretrainedFile {
  const models = Object.keys(pretrainedFiles);
  if (!models.includes(model)) {
    const hint = suggestion(typeof model === 'string' ? model : '', models);
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `pretrainedWeights: no weights of model ${shown(model)}${hint}`,
    );
  }
  const versions = pretrainedFiles[model];
  const file = Object.keys(versions).includes(version) ? versions[version] : undefined;
  if (!file) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `pretrainedWeights: no version ${shown(version)} of ${model}; there is ${Object.keys(versions).join(' and ')}`,
    );
  }
  return file;
}

/**
 * Fetches torchvision's ImageNet weights into the cache folder, where they are not there already, and returns the path
 * of the file. An interrupted download is resumed, what came is compared with the digest in the file's name, and the
 * file appears under its name only then; several processes may do this at once. A file that was put into the folder
 * by hand under that name is taken as it is. Node's own `fetch` is used, which does not heed `HTTPS_PROXY`.
 *
 * @throws `ERR_WEIGHTS` where the file cannot be fetched (the cause is chained) or has another digest, and
 *   `ERR_ARGUMENT` where there is no such model or version.
 */
export async function pretrainedWeights(
  model: PretrainedModel,
  options: PretrainedOptions = {},
): Promise<string> {
  checkOptions('pretrainedWeights', options, [
    'version',
    'cacheFolder',
    'baseUrl',
    'stallTimeout',
    'onProgress',
    'signal',
  ]);
  const { name } = pretrainedFile(model, options.version);
  const {
    baseUrl = pretrainedBaseUrl,
    cacheFolder = defaultCacheFolder(),
    stallTimeout = 30_000,
    onProgress,
    signal,
  } = options;
  const wrong = (what: string) => new CudnnResnetError('ERR_ARGUMENT', `pretrainedWeights: ${what}`);
  const url = typeof baseUrl === 'string' ? `${baseUrl.replace(/\/*$/, '/')}${name}` : '';
  if (!URL.canParse(url)) {
    const open = typeof baseUrl === 'string' ? baseUrl.replace(/\/\/.*@/, '//…@') : baseUrl;
    throw wrong(`baseUrl must be the text of a URL, got ${shown(open)}`);
  }
  const { username, password } = new URL(url);
  if (username || password) throw wrong('baseUrl must hold no user and no password: fetch takes none');
  if (typeof cacheFolder !== 'string') {
    throw wrong(`cacheFolder must be the path of a folder, got ${kindOf(cacheFolder)}`);
  }
  checkMilliseconds('pretrainedWeights: stallTimeout', stallTimeout);
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw wrong(`onProgress must be a function, got ${kindOf(onProgress)}`);
  }
  checkSignal('pretrainedWeights', signal);
  signal?.throwIfAborted();

  const path = join(absolute(cacheFolder), name);
  const cached = await stat(path).catch(() => undefined);
  if (cached?.isFile()) return path;
  const digest = /-([0-9a-f]{8})\.pth$/.exec(name)![1]!;
  await download({ url, path, digest, stallTimeout, onProgress, signal });
  return path;
}

function absolute(folder: string): string {
  try {
    return resolve(folder);
  } catch (cause) {
    throw new CudnnResnetError(
      'ERR_WEIGHTS',
      `the cache folder '${folder}' lies in the working directory, which is gone: name it from the root on`,
      { cause },
    );
  }
}
