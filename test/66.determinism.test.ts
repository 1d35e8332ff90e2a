import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 } from '../lib/index.js';
import { lastLine, program } from './standalone/process.js';
import { deviceIds } from './support/devices.js';
import { returnsMemory } from './support/memory.js';

type Digests = { inference: Record<string, string>; sums: Record<string, string>; threads?: number };

/** More threads than there are free cores wait for each other at every step: seconds become minutes. */
const patience = 300_000;

describe.each(deviceIds)('bit for bit on %s', { timeout: 4 * patience }, (id) => {
  const digests = async (threads?: number) =>
    lastLine(
      await program('determinism.mjs', [id], {
        env: threads ? { OMP_NUM_THREADS: String(threads) } : {},
        patience,
      }),
    ) as Digests;

  test('every process comes to the same values', async () => {
    const { inference, sums } = await digests();
    expect(Object.keys(inference).length + Object.keys(sums).length).toBeGreaterThan(10);
    expect(await digests()).toMatchObject({ inference, sums });
  });

  // in training, and without the option, oneDNN splits some sums among threads: docs/reliability.md
  test('deterministic networks come to the same values on one thread, on two and on three', async () => {
    const one = await digests(1);
    for (const count of [2, 3]) {
      const { inference, threads } = await digests(count);
      expect(inference).toEqual(one.inference);
      // the queue's own is one of those that compute
      if (id === 'cpu' && one.threads) expect(threads).toBe(one.threads + count - 1);
    }
    const { inference, sums } = one;
    expect(await digests(1)).toMatchObject({ inference, sums });
  });
});

/** Of all parameters and buffers for seed 0, in the order of the state dict. They never change, on any machine. */
const initial = [
  { Model: ResNet18, digest: 'fe500a08e40be0edcddc4dcc30a2988e' },
  { Model: ResNet34, digest: '25776225132d70259b06df5e5db9a941' },
  { Model: ResNet50, digest: '7157289028119c7c8416d1e2a66998e4' },
  { Model: ResNet101, digest: '061be56e26535c711978a4e8deddb414' },
  { Model: ResNet152, digest: '15fb419546566c6e64b726a786b70be0' },
] as const;

describe.each(deviceIds)('initial values on %s', (id) => {
  returnsMemory();

  test.each(initial)('of $Model.name for seed 0', async ({ Model, digest }) => {
    expect(await initialDigest(Model, 0)).toBe(digest);
  });

  test('of another seed are others', async () => {
    expect(await initialDigest(ResNet18, 1)).not.toBe(initial[0].digest);
  });

  async function initialDigest(Model: (typeof initial)[number]['Model'], seed: number): Promise<string> {
    using model = new Model({ device: id, seed });
    const hash = createHash('sha256');
    for (const [key, tensor] of model.stateDict()) {
      hash.update(key).update(new Uint8Array((await tensor.data()).buffer));
    }
    return hash.digest('hex').slice(0, 32);
  }
});
