import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CudnnResnetError, messageOf } from '../errors.js';
import { printable } from '../quote.js';
import { writeAll } from '../write-all.js';
import { claimPart, etagOf, ownPart, releasePart, removeAbandonedParts } from './partial-files.js';

/** What {@link download} is to fetch, and how. */
export interface Download {
  url: string;
  /** Where the complete file is to appear. */
  path: string;
  /** The first hexadecimal digits of its SHA-256. */
  digest: string;
  /** The most bytes that are taken of it; 1 GiB, four times the largest that is published, where it is left out. */
  maxBytes?: number;
  /** Milliseconds without a byte after which the server is given up. */
  stallTimeout: number;
  onProgress: ((receivedBytes: number, totalBytes: number | undefined) => void) | undefined;
  signal: AbortSignal | undefined;
}

/** How often a connection that is cut after it brought something is taken up again, and how long to wait before. */
const maxResumptions = 5;
const resumptionDelay = 500;

/**
 * Downloads a file whose name holds its digest. Bytes go to a part beside it, which a later call resumes where the
 * server still has the same file; it takes the file's name once it is complete and has the digest.
 *
 * @throws `ERR_WEIGHTS` where it cannot be fetched or stored, or has another digest; the signal's reason on an abort;
 *   what `onProgress` throws.
 */
export async function download(job: Download): Promise<void> {
  const folder = dirname(job.path);
  let part: string | undefined;
  try {
    // fetch would end the process
    if (!('WebAssembly' in globalThis))
      throw new Error("Node's fetch needs WebAssembly, which --jitless takes away");
    await mkdir(folder, { recursive: true });
    part = await claimPart(job.path);
    for (let resumptions = 0; ; resumptions++) {
      const transfer = new Transfer(job, part);
      try {
        await transfer.run();
        part = transfer.part;
        break;
      } catch (error) {
        part = transfer.part;
        const again = error instanceof ConnectionCut && transfer.progressed && resumptions < maxResumptions;
        if (!again) throw error;
      }
      await sleep(resumptionDelay, undefined, { signal: job.signal });
    }
    await checkDigest(job, part!);
    await rename(part!, job.path);
    part = undefined;
    await removeAbandonedParts(job.path);
  } catch (error) {
    job.signal?.throwIfAborted();
    if (error instanceof CudnnResnetError) throw error;
    if (error instanceof ProgressFailure) throw error.cause;
    throw notFetched(job, error);
  } finally {
    if (part) await releasePart(part, job.path).catch(() => undefined);
  }
}

/** The server went away, or said nothing for too long, in the middle of an answer. */
class ConnectionCut extends Error {}

/** What the caller's own function threw, for which neither the server nor the disk is to blame. */
class ProgressFailure extends Error {}

/** One request and its answer. */
class Transfer {
  /** Whether this request brought any byte. */
  progressed = false;

  constructor(
    private readonly job: Download,
    /** The part to go on with; replaced where the server does not go on with it. */
    public part: string | undefined,
  ) {}

  async run(): Promise<void> {
    if (await this.attempt()) return;
    // the part is of no use to this server
    if (this.part) await rm(this.part, { force: true });
    this.part = undefined;
    await this.attempt();
  }

  /** False where the server cannot go on with the part. */
  private async attempt(): Promise<boolean> {
    const stall = new StallWatch(this.job.stallTimeout);
    const signals = this.job.signal ? [stall.signal, this.job.signal] : [stall.signal];
    const handle = this.part ? await open(this.part, 'r+').catch(() => undefined) : undefined;
    // a folder, or someone else's: it stays, beside a new one
    if (!handle) this.part = undefined;
    try {
      const have = handle ? (await handle.stat()).size : 0;
      const response = await fetch(this.job.url, {
        headers: { 'accept-encoding': 'identity', ...this.rangeHeaders(have) },
        signal: AbortSignal.any(signals),
      });
      const encoding = response.headers.get('content-encoding') ?? 'identity';
      if (response.ok && encoding !== 'identity') {
        // a few bytes could become any number
        throw new Error(
          `the server answered in the encoding ${printable(encoding)}, which was not asked for`,
        );
      } else if (response.status === 200) {
        await this.restart(response, stall);
      } else if (response.status === 206 && handle && this.continues(response, have)) {
        await this.receive(response, handle, have, stall);
      } else if (handle && isWholeAt(response, have) && (await this.hasDigest())) {
        // an earlier call ended before the part had the file's name
      } else if (handle && (response.status === 206 || response.status === 416)) {
        return false;
      } else {
        throw new Error(`the server answered ${response.status} ${printable(response.statusText)}`.trimEnd());
      }
      return true;
    } finally {
      stall.stop();
      await handle?.close();
    }
  }

  private rangeHeaders(have: number): Record<string, string> {
    const etag = this.part && have > 0 ? etagOf(this.part, this.job.path) : null;
    return etag ? { range: `bytes=${have}-`, 'if-range': etag } : {};
  }

  /** Whether a partial answer is what was asked for: the same file, from where the part ends. */
  private continues(response: Response, have: number): boolean {
    const etag = response.headers.get('etag');
    const sameFile = etag === null || etag === etagOf(this.part!, this.job.path);
    return sameFile && contentRange(response)?.first === have;
  }

  private async restart(response: Response, stall: StallWatch): Promise<void> {
    if (this.part) await rm(this.part, { force: true });
    this.part = ownPart(this.job.path, response.headers.get('etag'));
    const handle = await open(this.part, 'wx');
    try {
      await this.receive(response, handle, 0, stall);
    } finally {
      await handle.close();
    }
  }

  private async receive(
    response: Response,
    handle: FileHandle,
    have: number,
    stall: StallWatch,
  ): Promise<void> {
    const { maxBytes = 1 << 30 } = this.job;
    const total = have > 0 ? contentRange(response)?.total : contentLength(response);
    let received = have;
    if (total !== undefined && total > maxBytes)
      await this.giveUp(`a file of ${total} bytes, over ${maxBytes}`);
    this.report(received, total);
    const chunks = response.body?.[Symbol.asyncIterator]();
    for (;;) {
      stall.restart();
      // only what the network does wrong is worth another try
      const chunk = await chunks?.next().catch((error) => {
        throw new ConnectionCut(explain(error), { cause: error });
      });
      if (!chunk || chunk.done) break;
      const most = total ?? maxBytes;
      if (received + chunk.value.length > most) await this.giveUp(`more than ${most} bytes`);
      await writeAll(handle, chunk.value, received);
      received += chunk.value.length;
      this.progressed = true;
      this.report(received, total);
    }
    if (total !== undefined && received !== total) {
      throw new ConnectionCut(`the connection ended after ${received} of ${total} bytes`);
    }
    await handle.sync();
  }

  /** For what is no published file: nothing of it is kept. */
  private async giveUp(sent: string): Promise<never> {
    await rm(this.part!, { force: true });
    this.part = undefined;
    throw new Error(`the server sends ${sent}`);
  }

  private async hasDigest(): Promise<boolean> {
    return (await sha256(this.part!, this.job.signal)).startsWith(this.job.digest);
  }

  private report(received: number, total: number | undefined): void {
    try {
      this.job.onProgress?.(received, total);
    } catch (cause) {
      throw new ProgressFailure('onProgress threw', { cause });
    }
  }
}

/** Aborts its signal when nothing has happened for a while, and at the end, so that no answer is left half read. */
class StallWatch {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    this.timer = setTimeout(() => {
      this.controller.abort(new Error(`nothing came from the server for ${milliseconds} ms`));
    }, milliseconds);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  restart(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.controller.abort();
  }
}

/** Bytes of the whole body; undefined where the server does not say. */
function contentLength({ headers }: Response): number | undefined {
  const length = headers.get('content-length') ?? '';
  return /^\d+$/.test(length) ? Number(length) : undefined;
}

function contentRange(response: Response): { first: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (!match) return undefined;
  return { first: Number(match[1]), total: match[2] === '*' ? undefined : Number(match[2]) };
}

/** Whether the server refuses a range because there is nothing behind what is there. */
function isWholeAt({ status, headers }: Response, have: number): boolean {
  return status === 416 && headers.get('content-range') === `bytes */${have}`;
}

async function sha256(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}

async function checkDigest(job: Download, part: string): Promise<void> {
  const found = await sha256(part, job.signal);
  if (found.startsWith(job.digest)) return;
  await rm(part, { force: true });
  throw new CudnnResnetError(
    'ERR_WEIGHTS',
    `${job.url}: what came has the SHA-256 ${found}, expected one that begins with ${job.digest}; ` +
      'it was removed. Try again, or look for a proxy that answers instead of the server',
  );
}

function notFetched(job: Download, error: unknown): CudnnResnetError {
  return new CudnnResnetError(
    'ERR_WEIGHTS',
    `${job.url} could not be fetched to ${job.path} (${explain(error)}). Without network pass a file of weights ` +
      '(--weights FILE on the command line), or put this file into that folder under that name; ' +
      'CUDNN_RESNET_CACHE names another folder',
    { cause: error },
  );
}

/** The messages of an error and its causes: fetch itself says no more than 'fetch failed'. */
function explain(error: unknown): string {
  const messages = new Set<string>();
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    // several addresses that all refuse make an AggregateError without a message
    messages.add(messageOf(at) || String((at as NodeJS.ErrnoException).code));
  }
  return [...messages].join(': ');
}
