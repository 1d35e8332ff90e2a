import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';

describe('bytes whose buffer goes after the call, while other threads decode', () => {
  const encoded = () =>
    sharp({ create: { width: 900, height: 900, channels: 3, background: '#123456' } })
      .png({ compressionLevel: 0 })
      .toBuffer();

  /** The image in a buffer that can be shrunk. */
  const resizable = (bytes: Buffer) => {
    // biome-ignore lint/suspicious/noExplicitAny: ES2024, which Node knows and these types do not
    const buffer = new (ArrayBuffer as any)(bytes.length, { maxByteLength: bytes.length });
    const view = new Uint8Array(buffer, 0, bytes.length);
    view.set(bytes);
    return { view, shrink: () => buffer.resize(0) };
  };

  it('a buffer that shrinks', async () => {
    const bytes = await encoded();
    const expected = await preprocess(bytes);
    const { view, shrink } = resizable(bytes);
    const pending = preprocess(view);
    shrink();
    expect(Buffer.compare(await pending, expected)).toBe(0);
  });

  it('a buffer that is transferred and written to', async () => {
    const bytes = await encoded();
    const expected = await preprocess(bytes);
    const view = new Uint8Array(bytes);
    const pending = preprocess(view);
    new Uint8Array(structuredClone(view.buffer, { transfer: [view.buffer] })).fill(0);
    expect(Buffer.compare(await pending, expected)).toBe(0);
  });

  it('are ERR_ARGUMENT where it has gone before', async () => {
    const transferred = new Uint8Array(await encoded());
    structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
    const { view, shrink } = resizable(await encoded());
    shrink();
    for (const gone of [transferred, view]) {
      await expect(preprocess(gone)).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
        message: expect.stringContaining('their buffer was transferred, or has shrunk'),
      });
    }
  });
});

describe('an SVG with filters, which take minutes that nothing ends, is refused at once', () => {
  const svg = (body: string, before = '') =>
    `${before}<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256">${body}</svg>`;
  const rect = (attributes: string) => `<rect width="256" height="256" fill="red" ${attributes}/>`;
  const blurred = 'filter:blur(1px)';
  const css = (text: string) => Buffer.from(text).toString('base64');
  const bomb = svg(
    `<filter id="f">${'<feMorphology operator="dilate" radius="100"/><feTurbulence/>'.repeat(300)}</filter>` +
      rect('filter="url(#f)"').repeat(50),
  );

  it.each([
    ['20 kB of primitives', bomb, 'a filter'],
    ['compressed', gzipSync(bomb), 'a filter'],
    ['of another prefix', svg('<s:filter xmlns:s="http://www.w3.org/2000/svg"/>'), 'a filter'],
    ['in an attribute', svg(rect(`filter="Blur(1px)"`)), 'a filter function'],
    ['in a style', svg(`<style>rect{${blurred}}</style>${rect('')}`), 'a filter function'],
    ['escaped as XML does', svg(rect('style="filter:&#98;&#x6c;ur(1px)"')), 'a filter function'],
    ['escaped as CSS does', svg(rect('style="filter:b\\6c ur(1px)"')), 'a filter function'],
    ['escaped as both do', svg(rect('style="filter:b&#92;6c ur(1px)"')), 'a filter function'],
    ['in parts of a style', svg('<style>*{filter:bl<!-- -->ur(1px)}</style>'), 'markup within a style'],
    ['in parts of CDATA', svg('<style><![CDATA[*{filter:bl]]>ur(1px)}</style>'), 'a filter function'],
    ['in an entity', svg('&f;', '<!DOCTYPE svg [<!ENTITY f "&#60;filter id=\'f\'/>">]>'), 'a filter'],
    [
      'in two entities',
      svg(rect('style="filter:&b;(1px)"'), '<!DOCTYPE svg [<!ENTITY b "blur">]>'),
      'an entity that is no address',
    ],
    [
      'in an imported style',
      svg(`<style>@import url("data:text/css;base64,${css(`*{${blurred}}`)}");</style>`),
      'a data: URL',
    ],
    [
      'in an included document',
      svg(`<i:include xmlns:i="http://www.w3.org/2001/XInclude" href=" &#100;ata:;base64,${css(bomb)}"/>`),
      'a data: URL',
    ],
    ['in an image', svg(`<image href="data:image/svg+xml;base64,${css(bomb)}"/>`), 'a data: URL'],
    ['behind 4 MiB', gzipSync(svg(' '.repeat(5 << 20))), 'is longer than 4194304 bytes'],
    ['behind escapes', svg('\\a'.repeat(30_000)), 'has over 20000 escapes'],
  ])('%s', async (_, image, message) => {
    const begin = performance.now();
    await expect(preprocess(Buffer.from(image))).rejects.toMatchObject({
      code: 'ERR_IMAGE',
      message: expect.stringContaining(message),
    });
    expect(performance.now() - begin).toBeLessThan(2000);
  });

  const plain = svg(rect(''));
  it.each([
    ['plain', plain],
    ['compressed', gzipSync(plain)],
    ['with a style', svg(`<style type="text/css"><![CDATA[ rect{opacity:1} ]]></style>${rect('')}`)],
    ['with words', svg(`<title>a filter, metadata: C:\\data&#10;</title>${rect('style="filter:none"')}`)],
    [
      'of Illustrator',
      svg(
        rect('xmlns:x="&ns_extend;"'),
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE svg [<!ENTITY ns_extend "http://ns.adobe.com/Extensibility/1.0/">]>',
      ),
    ],
    [
      'with a picture',
      svg(
        `<image width="256" height="256" href="data:image/png;base64,${readFileSync('test/golden/images/small.png', 'base64')}"/>${rect('')}`,
      ),
    ],
  ])('but not one %s', async (_, image) => {
    const pixels = await preprocess(Buffer.from(image));
    expect([...pixels.subarray(0, 3)]).toEqual([255, 0, 0]);
  });

  it('nor the traffic light', async () => {
    expect(await preprocess('examples/traffic-light.svg')).toHaveLength(224 * 224 * 3);
  });
});

describe('values that no message can show', () => {
  const inspected = {
    [Symbol.for('nodejs.util.inspect.custom')]() {
      throw new Error('hostile');
    },
  };
  it.each([
    ['a bigint for size', 'x', { size: 1n }],
    ['a symbol for size', 'x', { size: Symbol('s') }],
    ['an object for resize', 'x', { resize: inspected }],
    ['an image whose text throws', inspected, {}],
  ])('%s', async (_, image, options) => {
    await expect(preprocess(image as never, options as never)).rejects.toMatchObject({
      name: 'CudnnResnetError',
      code: 'ERR_ARGUMENT',
    });
  });
});
