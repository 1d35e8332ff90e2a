import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { decodeAhead } from '../lib/models/decode-ahead.js';

const images = ['a', 'b', 'c', 'd', 'e'];
const device = { ready: () => Promise.resolve() };

test('decodes one batch ahead and no more, and waits for the device before each', async () => {
  const events: string[] = [];
  const decode = async (part: readonly string[]) => {
    if (part.length > 0) events.push(`decode ${part.join('')}`);
    return part.join('');
  };
  const busy = { ready: async () => void events.push('ready') };
  const batches: string[] = [];
  for await (const batch of decodeAhead(images, { batch: 2, device: busy }, decode)) {
    events.push(`work ${batch}`);
    batches.push(batch);
    await delay(1);
  }
  expect(batches).toEqual(['ab', 'cd', 'e']);
  expect(events).toEqual([
    ...['decode ab', 'decode cd', 'ready', 'work ab'],
    ...['decode e', 'ready', 'work cd'],
    ...['ready', 'work e'],
  ]);
});

test('gives nothing where there are no images', async () => {
  const batches: unknown[] = [];
  for await (const batch of decodeAhead([], { batch: 2, device }, async (part) => part)) batches.push(batch);
  expect(batches).toEqual([]);
});

test('rejects where it comes to a batch that cannot be decoded, and leaves none unheard that was decoded ahead', async () => {
  const decode = async (part: readonly string[]) => {
    if (part.includes('c')) throw new RangeError('c');
    return part.join('');
  };
  const ahead = decodeAhead(images, { batch: 2, device }, decode);
  expect(await ahead.next()).toEqual({ value: 'ab', done: false });
  await expect(ahead.next()).rejects.toThrow(RangeError);

  for await (const batch of decodeAhead(images, { batch: 2, device }, decode)) {
    expect(batch).toBe('ab');
    break; // an unhandled rejection would fail the run
  }
  await delay(1);
});

test('an abort ends the waiting for a batch, and for the device', async () => {
  const never = new Promise<never>(() => undefined);
  for (const [decode, ready] of [
    [() => never, () => Promise.resolve()],
    [async () => 'ab', () => never],
  ] as const) {
    const controller = new AbortController();
    const { signal } = controller;
    const next = decodeAhead<string, string>(images, { batch: 2, device: { ready }, signal }, decode).next();
    await delay(1); // until it waits for the device, where it does not for the batch
    controller.abort('as asked');
    await expect(next).rejects.toBe('as asked');
    const late = decodeAhead<string, string>(images, { batch: 2, device: { ready }, signal }, decode).next();
    await expect(late).rejects.toBe('as asked');
  }
});
