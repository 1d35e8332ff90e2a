import { readFileSync } from 'node:fs';
import { type Values, values } from './values.js';

const folder = new URL('../golden/', import.meta.url);

export function goldenJson<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
}

/**
 * The float32 tensors of a safetensors file. Read here in a few lines rather than by the package, whose reader has
 * tests of its own.
 */
export function goldenTensors(file: string): (name: string) => Values {
  const bytes = readFileSync(new URL(file, folder));
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, headerEnd)) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  return (name) => {
    const entry = header[name];
    if (!entry) {
      throw new Error(`${file} has no ${name}`);
    }
    const [start, end] = entry.data_offsets;
    const count = (end - start) / 4;
    return values(
      entry.shape,
      Array.from({ length: count }, (_, i) => bytes.readFloatLE(headerEnd + start + 4 * i)),
    );
  };
}
