import { quote } from '../quote.js';
import { maxTensors } from './limits.js';
import type { WeightsFile } from './weights-file.js';
import { type DirectoryEntry, damaged, dataStart, zipDirectory } from './zip-directory.js';

/** Where the bytes of a stored zip entry lie in the file. */
export interface ZipEntry {
  start: number;
  size: number;
}

interface Extent {
  name: string;
  headerStart: number;
  start: number;
  end: number;
}

/**
 * The entries of a zip file by name. Only what `torch.save` writes is taken: nothing compressed or encrypted, no name
 * twice, no two entries that share bytes. So the sizes add up to no more than the file's, and nothing is inflated.
 * Checksums are not compared: PyTorch can be told not to compute them, and does not look at them itself.
 *
 * @throws `ERR_WEIGHTS` where the zip file is damaged or holds anything else.
 */
export async function readZipEntries(file: WeightsFile): Promise<Map<string, ZipEntry>> {
  const extents = new Map<string, Extent>();
  for await (const entry of zipDirectory(file)) {
    await file.pacer.breathe();
    const { name, size, headerStart } = entry;
    if (extents.size >= maxTensors) throw file.fault(`its zip archive has more than ${maxTensors} entries`);
    if (extents.has(name)) throw file.fault(`zip entry ${quote(name)} stands twice in it`);
    checkStored(entry, file);
    const start = await dataStart(file, entry);
    if (start + size > file.size) {
      throw damaged(file, `entry ${quote(name)} ends at byte ${start + size}, the file at ${file.size}`);
    }
    extents.set(name, { name, headerStart, start, end: start + size });
  }
  checkApart([...extents.values()], file);
  return new Map([...extents].map(([name, { start, end }]) => [name, { start, size: end - start }]));
}

function checkStored(entry: DirectoryEntry, file: WeightsFile): void {
  const wrong = (what: string) =>
    file.fault(
      `zip entry ${quote(entry.name)} ${what}, which torch.save never does (a TorchScript program of ` +
        'torch.jit.save may be); save model.state_dict() with torch.save',
    );
  if (entry.encrypted) throw wrong('is encrypted');
  if (entry.compressed) throw wrong('is compressed');
  if (entry.compressedSize !== entry.size) throw wrong('has two different sizes');
}

function checkApart(extents: Extent[], file: WeightsFile): void {
  extents.sort((a, b) => a.headerStart - b.headerStart);
  let free = 0;
  for (const { name, headerStart, end } of extents) {
    if (headerStart < free) throw file.fault(`zip entry ${quote(name)} overlaps the entry before it`);
    free = end;
  }
}
