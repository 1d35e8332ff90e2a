import { afterAll, beforeAll, expect } from 'vitest';
import { device } from '../../lib/index.js';
import { deviceIds } from './devices.js';

/** Registers the check of every test file: when its tests are over, no device holds more than when they began. */
export function returnsMemory(): void {
  const before = new Map<string, { tensors: number; bytes: number }>();

  beforeAll(async () => {
    for (const id of deviceIds) {
      before.set(id, await inUse(id));
    }
  });

  afterAll(async () => {
    for (const id of deviceIds) {
      expect(await inUse(id), `memory of ${id}`).toEqual(before.get(id));
    }
  });
}

/** Storage is freed by the device's queue, so what was disposed counts until the queue has come to it. */
export async function inUse(id: (typeof deviceIds)[number]): Promise<{ tensors: number; bytes: number }> {
  await device(id).synchronize();
  const { tensors, bytes } = device(id).memory();
  return { tensors, bytes };
}
