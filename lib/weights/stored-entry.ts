import type { StoredDType, WeightEntry } from '../dtype.js';

/** An entry of a file of weights whose elements are still there. */
export interface StoredEntry {
  dtype: StoredDType;
  shape: number[];
  /** Memory that its elements take, beside what the file's other entries take as well. */
  bytes: number;
  /** The elements, in memory that `memory` gives. */
  read(memory: Memory): Promise<WeightEntry['data']>;
}

/** Gives a buffer of so many bytes or more. */
export type Memory = (bytes: number) => ArrayBuffer;

/** Memory that is nobody else's. */
export const newMemory: Memory = (bytes) => new ArrayBuffer(bytes);

/** Two buffers of `size` bytes in turn, so that one can be read into while the other is used: no new memory for each tensor. */
export function memoryInTurns(size: number): Memory {
  const buffers: ArrayBuffer[] = [];
  let turn = 0;
  return () => {
    turn = 1 - turn;
    const buffer = buffers[turn] ?? new ArrayBuffer(size);
    buffers[turn] = buffer;
    return buffer;
  };
}
