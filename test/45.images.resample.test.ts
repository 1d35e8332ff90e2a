import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget } from '../lib/image/budget.js';
import { cropOf } from '../lib/image/crop.js';
import { imagenetLabels, labelOf } from '../lib/image/labels.js';
import { preprocess } from '../lib/image/preprocess.js';
import { bilinearFilter, resample } from '../lib/image/resample.js';
import { watchEventLoop } from './support/event-loop.mjs';

describe("torchvision's sizes and roundings", () => {
  it.each([
    { image: [500, 375], scaled: [341, 256], at: [58, 16] },
    { image: [375, 500], scaled: [256, 341], at: [16, 58] },
    { image: [333, 500], scaled: [256, 384], at: [16, 80] },
    // (299 - 224) / 2 = 37.5 goes up to the even 38, (297 - 224) / 2 = 36.5 down to 36
    { image: [299, 256], scaled: [299, 256], at: [38, 16] },
    { image: [297, 256], scaled: [297, 256], at: [36, 16] },
    { image: [1, 1000], scaled: [256, 256_000], at: [16, 127_888] },
  ])('$image is scaled to $scaled and cropped at $at', ({ image, scaled, at }) => {
    const { width, height, left, top } = cropOf(image[0]!, image[1]!, 224, 256);
    expect([width, height]).toEqual(scaled);
    expect([left, top]).toEqual(at);
  });
});

describe('the bilinear filter', () => {
  it('reads only pixels that are there, and its weights sum to one', () => {
    const lengths = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 400 }), fc.nat(), (input, output, offset) => {
        const from = offset % output;
        const { start, end, first, count, weights, taps } = bilinearFilter(
          input,
          output,
          from,
          output - from,
        );
        expect(start).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(input);
        for (const [i, begin] of first.entries()) {
          const used = weights.subarray(i * taps, i * taps + count[i]!);
          expect(used.length).toBeGreaterThan(0);
          expect(begin).toBeGreaterThanOrEqual(start);
          expect(begin + used.length).toBeLessThanOrEqual(end);
          const sum = used.reduce((total, weight) => total + weight, 0);
          expect(Math.abs(sum - 2 ** 22)).toBeLessThanOrEqual(used.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('leaves an image of the right size as it is', async () => {
    const data = Uint8Array.from({ length: 20 * 10 * 3 }, (_, i) => (i * 37) % 256);
    const same = await resample({ data, width: 20, height: 10 }, filterOf(20), filterOf(10));
    expect(same).toEqual(data);
  });

  it.each([0, 255])('keeps an even area of %i even, however it is scaled', async (value) => {
    const data = new Uint8Array(400 * 3 * 3).fill(value);
    const output = await resample(
      { data, width: 400, height: 3 },
      bilinearFilter(400, 7, 0, 7),
      bilinearFilter(3, 50, 0, 50),
    );
    expect(new Set(output)).toEqual(new Set([value]));
  });

  function filterOf(length: number) {
    return bilinearFilter(length, length, 0, length);
  }
});

it('the event loop turns while a large photo is scaled', async () => {
  const [width, height] = [6000, 4000];
  const image = { data: new Uint8Array(width * height * 3), width, height };
  const [columns, rows] = [bilinearFilter(width, 224, 0, 224), bilinearFilter(height, 224, 0, 224)];
  const { longest, elapsed } = await watchEventLoop(() => resample(image, columns, rows));
  // what is computed there holds it nearly all the time
  expect(longest).toBeLessThan(elapsed / 2);
});

describe('a budget', () => {
  it('is never overdrawn, and everyone gets a turn', async () => {
    const amounts = fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(amounts, async (wanted) => {
        const budget = new Budget(10);
        const order: number[] = [];
        let held = 0;
        const spent = wanted.map((amount, i) =>
          budget.spend(amount, async () => {
            order.push(i);
            held += Math.min(amount, 10);
            expect(held).toBeLessThanOrEqual(10);
            await Promise.resolve();
            held -= Math.min(amount, 10);
            if (i % 3 === 0) {
              throw new Error('failed work gives its share back');
            }
          }),
        );
        await Promise.allSettled(spent);
        expect(order).toEqual(wanted.map((_, i) => i));
      }),
      { numRuns: 50 },
    );
  });

  it('is not spent on what was aborted while it waited', async () => {
    const budget = new Budget(1);
    const controller = new AbortController();
    const begun: string[] = [];
    const spend = (name: string, signal?: AbortSignal) =>
      budget.spend(1, async () => void begun.push(name), signal);
    const spent = [spend('first'), spend('aborted', controller.signal), spend('last')];
    controller.abort('as asked');
    const [, aborted] = await Promise.allSettled(spent);
    expect(aborted).toEqual({ status: 'rejected', reason: 'as asked' });
    expect(begun).toEqual(['first', 'last']);
  });
});

it('many images at once come out as one by one', async () => {
  const path = fileURLToPath(new URL('golden/images/photo.jpg', import.meta.url));
  const all = await Promise.all(Array.from({ length: 30 }, () => preprocess(path, { size: 32 })));
  expect(new Set(all.map((pixels) => Buffer.from(pixels).toString('base64'))).size).toBe(1);
});

it('the example picture is drawn', async () => {
  const path = fileURLToPath(new URL('../examples/traffic-light.svg', import.meta.url));
  expect((await preprocess(path)).length).toBe(224 * 224 * 3);
});

describe('class names', () => {
  it('are a thousand different ones in the order of torchvision', () => {
    expect(new Set(imagenetLabels).size).toBe(1000);
    expect([imagenetLabels[0], imagenetLabels[920], imagenetLabels[999]]).toEqual([
      'tench',
      'traffic light',
      'toilet tissue',
    ]);
  });

  it('are not given to the classes of another model', () => {
    expect(labelOf(920, 1000)).toBe('traffic light');
    expect(labelOf(3, 10)).toBe('class 3');
  });
});
