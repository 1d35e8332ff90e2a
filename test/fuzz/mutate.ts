import type { Random } from './random.js';

const numbers = [
  0n,
  1n,
  2n,
  7n,
  127n,
  255n,
  2n ** 16n,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const longest = 16 * 1024;

/** A changed copy of `bytes`: a few random changes, among them pieces of `dictionary` and of `other`. */
export function mutate(bytes: Buffer, other: Buffer, dictionary: readonly Buffer[], random: Random): Buffer {
  let result = bytes;
  for (let i = 1 << random.below(4); i > 0; i--) result = change(result, other, dictionary, random);
  return result.subarray(0, longest);
}

function change(bytes: Buffer, other: Buffer, dictionary: readonly Buffer[], random: Random): Buffer {
  const place = random.below(bytes.length + 1);
  const length = 1 + random.below(1 << random.below(8));
  const copy = Buffer.from(bytes);
  const put = (piece: Uint8Array, replaced = 0) =>
    Buffer.concat([bytes.subarray(0, place), piece, bytes.subarray(place + replaced)]);
  switch (random.below(10)) {
    case 0:
      if (place < copy.length) copy[place] = random.below(256);
      return copy;
    case 1:
      if (place < copy.length) copy[place]! ^= 1 << random.below(8);
      return copy;
    case 2:
      if (place < copy.length) copy[place]! += random.below(2) ? 1 : -1;
      return copy;
    case 3:
      return put(Buffer.alloc(0), length);
    case 4:
      return put(bytes.subarray(place, place + length));
    case 5: {
      const width = 1 << random.below(4);
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(random.pick(numbers));
      return put(value.subarray(0, width), width);
    }
    case 6: {
      const piece = random.pick(dictionary);
      return put(piece, random.below(2) ? piece.length : 0);
    }
    case 7: {
      const start = random.below(other.length + 1);
      return put(other.subarray(start, start + length), random.below(2) ? length : 0);
    }
    case 8: // a decimal number in JSON
      return put(Buffer.from(String(random.pick(numbers))), random.below(4));
    default:
      return bytes.subarray(0, random.below(4) ? bytes.length : place);
  }
}
