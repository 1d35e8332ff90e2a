import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * A part of a download, beside the file that it will become:
 * `NAME.part.ETAG` while nobody works on it, `NAME.part.ETAG.HOST.PID.RANDOM` while the process PID on HOST does.
 * The entity tag (in hexadecimal) is in the name, so that part and tag cannot come apart; renaming hands a part over,
 * and of two processes that try only one succeeds.
 */
interface PartName {
  etag: string;
  host?: string;
  pid?: number;
}

/** Milliseconds without a write after which a part counts as abandoned, whatever process it belongs to. */
const abandonedAfter = 10 * 60 * 1000;

/** Longer entity tags would not fit into a file's name. */
const maxEtagLength = 64;

const thisHost = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** Whether a download with this entity tag can be resumed: weak tags do not promise the same bytes. */
function isResumable(etag: string | null): etag is string {
  return etag !== null && /^"[\x21-\x7e]*"$/.test(etag) && etag.length <= maxEtagLength;
}

/** The path of a new part that belongs to this process. */
export function ownPart(target: string, etag: string | null): string {
  const tag = isResumable(etag) ? Buffer.from(etag).toString('hex') : '';
  return `${target}.part.${tag}.${thisHost}.${process.pid}.${randomBytes(4).toString('hex')}`;
}

/** The entity tag of a part; null where it has none and so cannot be resumed. */
export function etagOf(part: string, target: string): string | null {
  return parsePart(basename(part), basename(target))?.etag || null;
}

/** Makes a part that nobody works on this process's own and returns its path; undefined where there is none. */
export async function claimPart(target: string): Promise<string | undefined> {
  for (const part of await abandonedParts(target)) {
    const etag = etagOf(part, target);
    if (etag === null) continue;
    const own = ownPart(target, etag);
    const claimed = await rename(part, own).then(
      () => true,
      () => false, // another process was faster
    );
    if (claimed) return own;
  }
  return undefined;
}

/** Leaves a part for whoever comes next, or removes it where it cannot be resumed. */
export async function releasePart(part: string, target: string): Promise<void> {
  const etag = etagOf(part, target);
  if (etag === null) await rm(part, { force: true });
  else await rename(part, `${target}.part.${Buffer.from(etag).toString('hex')}`);
}

/** Removes the parts that nobody works on: the download is complete. */
export async function removeAbandonedParts(target: string): Promise<void> {
  for (const part of await abandonedParts(target)) {
    await rm(part, { force: true }).catch(() => undefined); // a folder, or someone else's
  }
}

async function abandonedParts(target: string): Promise<string[]> {
  const folder = dirname(target);
  const abandoned: string[] = [];
  for (const name of await readdir(folder)) {
    const part = parsePart(name, basename(target));
    if (part && (await isAbandoned(join(folder, name), part))) abandoned.push(join(folder, name));
  }
  return abandoned;
}

async function isAbandoned(path: string, { host, pid }: PartName): Promise<boolean> {
  if (pid === undefined) return true;
  if (host === thisHost && !isRunning(pid)) return true;
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > abandonedAfter;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function parsePart(name: string, target: string): PartName | undefined {
  if (!name.startsWith(`${target}.part.`)) return undefined;
  const match = /^([0-9a-f]*)(?:\.([0-9a-f]{8})\.(\d+)\.[0-9a-f]{8})?$/.exec(name.slice(target.length + 6));
  if (!match) return undefined;
  const [, tag, host, pid] = match;
  const etag = Buffer.from(tag!, 'hex').toString('latin1');
  return host === undefined ? { etag } : { etag, host, pid: Number(pid) };
}
