import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl';
import { CudnnResnetError } from '../errors.js';
import { messageOf, quote } from './fault.js';
import { maxTensors } from './stored-dtypes.js';
import type { WeightsFile } from './weights-file.js';

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
  try {
    const zip = await fromRandomAccessReaderPromise(new BoundedReader(file), file.size, {
      autoClose: false,
      strictFileNames: true,
    });
    for await (const entry of zip.eachEntry()) {
      await file.pacer.breathe();
      if (extents.size >= maxTensors) throw file.fault(`its zip archive has more than ${maxTensors} entries`);
      if (extents.has(entry.fileName))
        throw file.fault(`zip entry ${quote(entry.fileName)} stands twice in it`);
      checkStored(entry, file);
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      extents.set(entry.fileName, {
        name: entry.fileName,
        headerStart: entry.relativeOffsetOfLocalHeader,
        start: fileDataStart,
        end: fileDataStart + entry.uncompressedSize,
      });
    }
  } catch (error) {
    if (error instanceof CudnnResnetError || file.pacer.signal?.aborted) throw error;
    throw file.fault(`is a damaged or truncated zip archive (${messageOf(error)})`, error);
  }
  checkApart([...extents.values()], file);
  return new Map([...extents].map(([name, { start, end }]) => [name, { start, size: end - start }]));
}

/** Answers reads outside the file with an error: node:fs throws at positions that are no safe integers. */
class BoundedReader extends RandomAccessReader {
  constructor(private readonly file: WeightsFile) {
    super();
  }

  override read(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.file.size)) {
      setImmediate(callback, new Error(`it points to byte ${position}, the file has ${this.file.size}`));
      return;
    }
    this.file.handle.read(target, offset, length, position).then(
      ({ bytesRead }) => callback(null, bytesRead),
      (error) => callback(error),
    );
  }
}

function checkStored(entry: Entry, file: WeightsFile): void {
  const wrong = (what: string) =>
    file.fault(
      `zip entry ${quote(entry.fileName)} ${what}, which torch.save never does (a TorchScript program of ` +
        'torch.jit.save may be); save model.state_dict() with torch.save',
    );
  if (entry.isEncrypted()) throw wrong('is encrypted');
  if (entry.compressionMethod !== 0) throw wrong('is compressed');
  if (entry.compressedSize !== entry.uncompressedSize) throw wrong('has two different sizes');
}

function checkApart(extents: Extent[], file: WeightsFile): void {
  extents.sort((a, b) => a.headerStart - b.headerStart);
  let free = 0;
  for (const { name, headerStart, end } of extents) {
    if (headerStart < free) throw file.fault(`zip entry ${quote(name)} overlaps the entry before it`);
    free = end;
  }
}
