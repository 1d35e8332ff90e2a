import { freemem, totalmem } from 'node:os';
import { CudnnResnetError } from '../errors.js';

/** To ask the system takes longer than to read what is smaller. */
const worthAsking = 16 * 1024 * 1024;

/** The share of the machine's memory that is left to others. */
const leftToOthers = 1 / 16;

/**
 * Throws `ERR_OUT_OF_MEMORY` where the machine, or the container, has no `bytes` to spare for what `path` holds: the
 * system promises memory that it does not have, and ends the process that takes it. A sparse file of terabytes fits on
 * any disk.
 */
export function requireMemory(path: string, bytes: number): void {
  if (bytes < worthAsking) return;
  // what other systems call free leaves out what they would clear at once
  const free = process.platform === 'linux' ? freemem() : totalmem();
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const spare =
    Math.min(free, limit - process.memoryUsage.rss()) - leftToOthers * Math.min(totalmem(), limit);
  if (bytes > spare) {
    throw new CudnnResnetError(
      'ERR_OUT_OF_MEMORY',
      `${path}: its tensors take ${bytes} bytes of memory, of which ${Math.max(0, Math.floor(spare))} are free`,
    );
  }
}
