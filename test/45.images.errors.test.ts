import { execFile, execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';
import { expectRejects } from './support/errors.js';
import { suiteFolder } from './support/temporary-folder.js';

const folder = suiteFolder();

function noise(width: number, height: number): Promise<Buffer> {
  const pixels = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 251));
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
}

describe('what is no image is ERR_IMAGE with its name', () => {
  it.each([
    [
      'a file that is not there',
      () => join(folder, 'absent.jpg'),
      /absent\.jpg' cannot be read: no such file/,
    ],
    ['a path through a file', () => join(write('plain.txt', 'x'), 'x.jpg'), /x\.jpg' cannot be read/],
    ['a folder', () => folder, /is a directory, not an image file/],
    ['an empty file', () => write('empty.png', ''), /empty\.png' is empty/],
    ['a text', () => write('text.jpg', 'no image at all'), /text\.jpg': not an image of a known format/],
    ['a damaged header', () => write('bad.png', '\x89PNG\r\n\x1a\n and then nothing'), /bad\.png'/],
    ['broken SVG', () => write('broken.svg', '<svg xmlns="http://www.w3.org/2000/svg"><'), /broken\.svg'/],
    ['empty bytes', () => new Uint8Array(), /the encoded bytes given is empty/],
    ['bytes of no image', () => Buffer.alloc(100, 1), /the encoded bytes given: not an image/],
  ])('%s', async (_, image, message) => {
    await expectRejects('ERR_IMAGE', preprocess(image()), message);
  });

  it('a named pipe, without waiting for someone to write', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expectRejects('ERR_IMAGE', preprocess(pipe), /is not a regular file/);
  });

  it('a file of over a gigabyte', async () => {
    const path = write('huge.png', '');
    truncateSync(path, 2 ** 30 + 1); // of holes
    const says = /huge\.png' holds 1073741825 bytes: images of up to 1073741824 bytes are read/;
    await expectRejects('ERR_IMAGE', preprocess(path), says);
  });

  it('a truncated JPEG', async () => {
    const whole = await noise(200, 200);
    const half = preprocess(whole.subarray(0, whole.length >> 1));
    await expectRejects('ERR_IMAGE', half, /^the encoded bytes given cannot be decoded: [^\n]+$/);
  });
});

describe('bombs are refused at once', () => {
  /** A PNG header that claims a size; its pixels are missing. */
  function claim(width: number, height: number): Buffer {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 2, 0, 0, 0], 8);
    return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT')]);
  }

  function chunk(type: string, data = Buffer.alloc(0)): Buffer {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  }

  function crc32(bytes: Buffer): number {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let i = 0; i < 8; i++) {
        crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
      }
    }
    return (crc ^ 0xffffffff) >>> 0;
  }

  it('a PNG that claims 2.5 billion pixels', async () => {
    const claimed = preprocess(claim(50_000, 50_000));
    await expectRejects('ERR_IMAGE', claimed, /has 50000 × 50000 pixels, more than/);
  });

  it.each([
    ['an SVG that claims 10 billion pixels', 'width="100000" height="100000"'],
    ['an SVG without end in one direction', 'width="1" height="1000000"'],
  ])('%s', async (_, size) => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="9" height="9"/></svg>`;
    await expectRejects('ERR_IMAGE', preprocess(Buffer.from(svg)));
  });
});

it('a crop may be as large as the scaled image', async () => {
  const image = await noise(40, 30);
  expect(await preprocess(image, { size: 16, resize: 16 })).toHaveLength(16 * 16 * 3);
});

describe('wrong arguments are ERR_ARGUMENT', () => {
  it.each([
    ['a number for an image', () => preprocess(5 as unknown as string), /an image is a file's path/],
    ['an array for an image', () => preprocess([1] as unknown as string), /an image is a file's path/],
    ['a size of nothing', () => preprocess('x', { size: 0 }), /size must be a whole number/],
    ['a size that is too large', () => preprocess('x', { size: 16_384 }), /from 1 to 16383, got 16384/],
    ['a broken size', () => preprocess('x', { size: 22.4 }), /size must be a whole number/],
    ['a size of text', () => preprocess('x', { size: '9' as unknown as number }), /got "9"/],
    [
      'a crop larger than the image',
      () => preprocess('x', { size: 300, resize: 256 }),
      /at least size \(300\)/,
    ],
    ['a misspelt option', () => preprocess('x', { resise: 1 } as object), /did you mean 'resize'/],
  ])('%s', async (_, attempt, message) => {
    await expectRejects('ERR_ARGUMENT', attempt(), message);
  });
});

describe('without sharp', () => {
  it.each([
    ['ERR_MODULE_NOT_FOUND', /^ERR_IMAGE .*'sharp', which is not installed\. Run 'npm install sharp'/],
    [
      'ERR_DLOPEN_FAILED',
      /^ERR_IMAGE .*'sharp', which does not load here: no sharp\. Run 'npm install sharp'/,
    ],
  ])('says what to do, when the first image comes and not before: %s', async (code, says) => {
    const hook = `data:text/javascript,${encodeURIComponent(
      `import { register } from 'node:module';
       register('data:text/javascript,' + encodeURIComponent(\`export async function resolve(name, context, next) {
         if (name === 'sharp') throw Object.assign(new Error('no sharp'), { code: '${code}' });
         return next(name, context);
       }\`));`,
    )}`;
    const program = `
      import { preprocess } from ${JSON.stringify(new URL('../lib/image/preprocess.ts', import.meta.url).href)};
      await preprocess('any.jpg').catch(({ code, message }) => console.log(code, message));`;
    const args = ['--import', 'tsx', '--import', hook, '--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toMatch(says);
  });
});

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, 'latin1');
  return path;
}
