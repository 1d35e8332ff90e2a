import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';

const folder = new URL('golden/images/', import.meta.url);
const cases: { image: string; size: number; resize: number; rgb: string }[] = JSON.parse(
  readFileSync(new URL('cases.json', folder), 'utf8'),
);

describe("preprocessing gives the bytes of torchvision's", () => {
  it.each(cases)('$image to $resize, cropped to $size', async ({ image, size, resize, rgb }) => {
    const encoded = readFileSync(new URL(image, folder));
    const pixels = await preprocess(encoded, { size, resize });
    const expected = Buffer.from(rgb, 'base64');
    expect(pixels.length).toBe(size * size * 3);
    const largest = pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(largest).toBe(0);
  });
});
