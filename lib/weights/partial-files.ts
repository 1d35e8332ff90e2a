import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isGone, type Owner, ownerOf, ownName } from '../owner.js';

/**
 * A part of a download, beside the file that it will become:
 * `NAME.part.ETAG` while nobody works on it, `NAME.part.ETAG.OWNER` while its owner does.
 * The entity tag (in hexadecimal) is in the name, so that part and tag cannot come apart; renaming hands a part over,
 * and of two processes that try only one succeeds.
 */
interface PartName {
  etag: string;
  owner?: Owner;
}

/** Milliseconds without a write after which a part counts as abandoned, whatever process it belongs to. */
const abandonedAfter = 10 * 60 * 1000;

/** Longer entity tags would not fit into a file's name. */
const maxEtagLength = 64;

/** Whether a download with this entity tag can be resumed: weak tags do not promise the same bytes. */
function isResumable(etag: string | null): etag is string {
  return etag !== null && /^"[\x21-\x7e]*"$/.test(etag) && etag.length <= maxEtagLength;
}

/** The path of a new part that belongs to this process. */
export function ownPart(target: string, etag: string | null): string {
  const tag = isResumable(etag) ? Buffer.from(etag).toString('hex') : '';
  return `${target}.part.${tag}.${ownName()}`;
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

async function isAbandoned(path: string, { owner }: PartName): Promise<boolean> {
  if (owner === undefined || isGone(owner)) return true;
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > abandonedAfter;
}

function parsePart(name: string, target: string): PartName | undefined {
  if (!name.startsWith(`${target}.part.`)) return undefined;
  const match = /^([0-9a-f]*)(?:\.(.+))?$/.exec(name.slice(target.length + 6));
  if (!match) return undefined;
  const [, tag, own] = match;
  const etag = Buffer.from(tag!, 'hex').toString('latin1');
  if (own === undefined) return { etag };
  const owner = ownerOf(own);
  return owner && { etag, owner };
}
