import { describe, expect, it } from 'vitest';
import { elementBytes, npyHeader } from '../lib/cli/npy.js';

/** Reads the parts of a header as the format's description lays them out. */
function parse(header: Uint8Array) {
  const bytes = Buffer.from(header);
  const length = bytes.readUInt16LE(8);
  return {
    magic: bytes.toString('latin1', 0, 6),
    version: [bytes[6], bytes[7]],
    end: 10 + length,
    text: bytes.toString('latin1', 10, 10 + length),
  };
}

describe('npyHeader', () => {
  it('follows format 1.0', () => {
    const header = npyHeader(3, 2048);
    const { magic, version, end, text } = parse(header);
    expect(magic).toBe('\x93NUMPY');
    expect(version).toEqual([1, 0]);
    expect(end).toBe(header.length);
    expect(text.trimEnd()).toBe("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2048), }");
    expect(text.endsWith('\n')).toBe(true);
  });

  it('is as long for no row as for a billion, a multiple of 64', () => {
    for (const rows of [0, 1, 10, 12345, 1_000_000_000]) {
      expect(npyHeader(rows, 2048).length).toBe(128);
    }
  });
});

describe('elementBytes', () => {
  it('gives a part of a buffer, and nothing around it', () => {
    const part = new Float32Array([9, 1, -2, 9]).subarray(1, 3);
    const bytes = Buffer.from(elementBytes(part));
    expect(bytes.length).toBe(8);
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([1, -2]);
  });
});
