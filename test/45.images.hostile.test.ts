import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';
import { expectRejects } from './support/errors.js';

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
      const says = /their buffer was transferred, or has shrunk/;
      await expectRejects('ERR_ARGUMENT', preprocess(gone), says);
    }
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
    await expectRejects('ERR_ARGUMENT', preprocess(image as never, options as never));
  });
});
