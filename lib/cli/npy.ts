/** `\x93NUMPY` and the format's version, 1.0. */
const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1');

/**
 * The header of a NumPy file (format 1.0) of rows of little-endian float32 numbers; these follow it.
 *
 * Its length is a multiple of 128 bytes, twice the alignment that the format wants, so that it stays the same for
 * every count of rows, which can then be filled in after the rows are written.
 */
export function npyHeader(rows: number, width: number): Uint8Array {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${width}), }`;
  const before = magic.length + 2;
  const length = Math.ceil((before + description.length + 1) / 128) * 128;
  const header = Buffer.alloc(length, ' ');
  magic.copy(header);
  header.writeUInt16LE(length - before, magic.length);
  header.write(description, before, 'latin1');
  header.write('\n', length - 1, 'latin1');
  return header;
}

/** The elements as they stand in the file. */
export function elementBytes(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
