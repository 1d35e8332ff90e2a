import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';
import { suiteFolder } from './support/temporary-folder.js';

const [width, height] = [56, 40];
const sizes = { size: 32, resize: 36 };

const folder = suiteFolder();

/** Smooth colours, so that lossy formats stay close. */
function gradient(w = width, h = height, channels: 3 | 4 = 3): Buffer {
  const pixels = Buffer.alloc(w * h * channels, 255);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const at = (y * w + x) * channels;
      pixels[at] = 40 + (x * 180) / w;
      pixels[at + 1] = 30 + (y * 200) / h;
      pixels[at + 2] = 120 + 60 * Math.sin((x + y) / 9);
    }
  }
  return pixels;
}

function image(pixels = gradient(), w = width, h = height, channels: 3 | 4 = 3): Sharp {
  return sharp(pixels, { raw: { width: w, height: h, channels } });
}

/** The largest and the mean difference of two pictures. */
function difference(a: Uint8Array, b: Uint8Array): { largest: number; mean: number } {
  expect(a.length).toBe(b.length);
  const differences = a.map((value, i) => Math.abs(value - b[i]!));
  return {
    largest: Math.max(...differences),
    mean: differences.reduce((sum, d) => sum + d, 0) / a.length,
  };
}

async function reference(): Promise<Uint8Array> {
  return preprocess(await image().png().toBuffer(), sizes);
}

describe('lossless formats give the same bytes', () => {
  it.each([
    ['PNG, interlaced', () => image().png({ progressive: true })],
    ['WebP', () => image().webp({ lossless: true })],
    ['TIFF, LZW', () => image().tiff({ compression: 'lzw' })],
    ['TIFF, tiled', () => image().tiff({ compression: 'none', tile: true, tileWidth: 16, tileHeight: 16 })],
    ['PNG with opaque alpha', () => image().ensureAlpha().png()],
  ])('%s', async (_, encode) => {
    expect(difference(await preprocess(await encode().toBuffer(), sizes), await reference()).largest).toBe(0);
  });
});

describe('lossy formats give nearly the same bytes', () => {
  it.each([
    ['JPEG', () => image().jpeg({ quality: 98, chromaSubsampling: '4:4:4' }), 1],
    ['JPEG, progressive', () => image().jpeg({ quality: 95, progressive: true }), 2],
    ['WebP', () => image().webp({ quality: 95 }), 3],
    ['AVIF', () => image().avif({ quality: 95 }), 3],
    ['GIF', () => image().gif(), 5],
    ['PNG, palette', () => image().png({ palette: true }), 5],
    // the inks of the profile do not reach every colour of a screen
    ['JPEG, CMYK', () => image().toColourspace('cmyk').jpeg({ quality: 98 }), 12],
  ])('%s', async (_, encode, mean) => {
    expect(
      difference(await preprocess(await encode().toBuffer(), sizes), await reference()).mean,
    ).toBeLessThan(mean);
  });
});

it('what a decoder only warns about is not an error', async () => {
  const jpeg = await image().jpeg().toBuffer();
  const marker = jpeg.indexOf(Buffer.from([0xff, 0xdb]));
  const stray = Buffer.concat([jpeg.subarray(0, marker), Buffer.from([1, 2, 3]), jpeg.subarray(marker)]);
  expect(await preprocess(stray, sizes)).toEqual(await preprocess(jpeg, sizes));
});

describe('EXIF orientation', () => {
  const mirror = (s: Sharp) => s.flop();
  const turn = (angle: number) => (s: Sharp) => s.rotate(angle);
  // what a viewer does to each stored picture, one step after the other
  const steps: Record<number, ((stored: Sharp) => Sharp)[]> = {
    1: [],
    2: [mirror],
    3: [turn(180)],
    4: [turn(180), mirror],
    5: [turn(90), mirror],
    6: [turn(90)],
    7: [turn(270), mirror],
    8: [turn(270)],
  };

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('%i is applied before scaling and cropping', async (orientation) => {
    const stored = await image().png().withMetadata({ orientation }).toBuffer();
    let upright = await image().png().toBuffer();
    for (const step of steps[orientation]!) {
      upright = await step(sharp(upright)).toBuffer();
    }
    const expected = await preprocess(upright, sizes);
    expect(difference(await preprocess(stored, sizes), expected).largest).toBe(0);
  });
});

describe('colours', () => {
  it('makes three equal channels of grey', async () => {
    const pixels = Buffer.from(gradient().filter((_, i) => i % 3 === 0));
    const grey = sharp(pixels, { raw: { width, height, channels: 1 } });
    const output = await preprocess(await grey.toColourspace('b-w').png().toBuffer(), sizes);
    expect(output.length).toBe(32 * 32 * 3);
    const red = (await reference()).filter((_, i) => i % 3 === 0);
    for (const channel of [0, 1, 2]) {
      expect(output.filter((_, i) => i % 3 === channel)).toEqual(red);
    }
  });

  it('keeps the colours beneath alpha, grey ones too', async () => {
    const pixels = gradient(width, height, 4);
    for (let i = 3; i < pixels.length; i += 4) {
      pixels[i] = (i * 7) % 256;
    }
    const colour = await image(pixels, width, height, 4).png().toBuffer();
    expect(difference(await preprocess(colour, sizes), await reference()).largest).toBe(0);
    const grey = Buffer.from([90, 0, 90, 255]);
    const tiny = await sharp(grey, { raw: { width: 2, height: 1, channels: 2 } })
      .png()
      .toBuffer();
    expect(new Set(await preprocess(tiny, sizes))).toEqual(new Set([90]));
  });

  it('takes the upper 8 of 16 bits', async () => {
    const deep = Uint16Array.from(gradient(), (value, i) => value * 256 + ((i * 31) % 256));
    const encoded = await sharp(deep, { raw: { width, height, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(encoded).metadata()).depth).toBe('ushort');
    expect(difference(await preprocess(encoded, sizes), await reference()).largest).toBe(0);
  });

  it('ignores an embedded profile, as Pillow does', async () => {
    const encoded = await image().withIccProfile('p3').png().toBuffer();
    const { data } = await sharp(encoded, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
    expect((await sharp(encoded).metadata()).icc).toBeDefined();
    const bare = await image(data).png().toBuffer();
    expect(difference(await preprocess(encoded, sizes), await preprocess(bare, sizes)).largest).toBe(0);
  });
});

describe('many pictures in one file', () => {
  it.each(['gif', 'webp'] as const)('takes the first of an animated %s', async (format) => {
    const frames = Buffer.concat([Buffer.alloc(60 * 60 * 3, 200), Buffer.alloc(60 * 60 * 3, 10)]);
    const animation = sharp(frames, { raw: { width: 60, height: 120, channels: 3, pageHeight: 60 } });
    const encoded = await animation.toFormat(format, format === 'webp' ? { lossless: true } : {}).toBuffer();
    expect((await sharp(encoded).metadata()).pages).toBe(2);
    expect(new Set(await preprocess(encoded, sizes))).toEqual(new Set([200]));
  });
});

describe('bytes', () => {
  it('may be a part of a buffer, shared, or of another context', async () => {
    const encoded = await image().png().toBuffer();
    const expected = await preprocess(encoded, sizes);
    const padded = Buffer.concat([Buffer.alloc(3), encoded, Buffer.alloc(5)]);
    const shared = new Uint8Array(new SharedArrayBuffer(encoded.length));
    shared.set(encoded);
    const foreign: Uint8Array = runInNewContext('Uint8Array.from(bytes)', { bytes: encoded });
    expect(foreign).not.toBeInstanceOf(Uint8Array);
    for (const bytes of [padded.subarray(3, 3 + encoded.length), shared, foreign]) {
      expect(await preprocess(bytes, sizes)).toEqual(expected);
    }
  });
});

describe('SVG', () => {
  it('is drawn at the size it is needed in, on white', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><path d="M2 0h2v4H2z"/></svg>';
    const output = await preprocess(Buffer.from(svg));
    expect(output.length).toBe(224 * 224 * 3);
    const row = output.subarray(0, 224 * 3);
    expect(new Set(row.subarray(0, 111 * 3))).toEqual(new Set([255]));
    expect(new Set(row.subarray(113 * 3))).toEqual(new Set([0]));
  });

  it('does not read other files', async () => {
    const target = join(folder, 'secret.png');
    await image(Buffer.alloc(width * height * 3, 7))
      .png()
      .toFile(target);
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">' +
      `<image href="file://${target}" width="40" height="40"/></svg>`;
    expect(new Set(await preprocess(Buffer.from(svg)))).toEqual(new Set([255]));
  });

  describe('that waits to be drawn', () => {
    const slow =
      '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400">' +
      '<filter id="f"><feTurbulence baseFrequency="0.05" numOctaves="20"/></filter>' +
      '<rect width="400" height="400" filter="url(#f)"/></svg>';
    const large = { size: 400, resize: 400 };

    it('keeps no photo waiting', async () => {
      const jpeg = await image().jpeg().toBuffer();
      let drawn = 0;
      const svgs = Array.from({ length: 16 }, async () => {
        await preprocess(Buffer.from(slow), large);
        drawn++;
      });
      await preprocess(jpeg, sizes);
      expect(drawn).toBeLessThan(8); // of eight places for all, nine SVGs had to leave theirs first
      await Promise.all(svgs);
    });

    it('waits for two others, and no more are drawn at once', async () => {
      let [drawing, most] = [0, 0];
      const { prototype } = sharp as unknown as { prototype: Sharp };
      const { toBuffer } = prototype;
      const drawn = vi.spyOn(prototype, 'toBuffer').mockImplementation(async function (this: Sharp) {
        most = Math.max(most, ++drawing);
        try {
          return await Reflect.apply(toBuffer, this, []);
        } finally {
          drawing--;
        }
      });
      onTestFinished(() => drawn.mockRestore());
      await Promise.all(Array.from({ length: 16 }, () => preprocess(Buffer.from(slow), large)));
      expect(drawn).toHaveBeenCalledTimes(16);
      expect(most).toBe(2);
    });

    it('is not kept in memory, but what its file holds then is taken', async () => {
      const [path, other] = [join(folder, 'waiting'), join(folder, 'other')];
      const png = await image().png().toBuffer();
      writeFileSync(path, slow);
      writeFileSync(other, png);
      const asked = Array.from({ length: 16 }, () => preprocess(path, large));
      await preprocess(png, sizes); // by then all have had their turn among the eight
      renameSync(other, path);
      const last = (await Promise.all(asked)).at(-1)!;
      expect(Buffer.compare(last, await preprocess(png, large))).toBe(0);
    });
  });
});
