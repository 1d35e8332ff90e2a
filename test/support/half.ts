/** 16-bit floats as their bit patterns, rounded to nearest, ties to even. Node 20 has no Float16Array. */

const word = new DataView(new ArrayBuffer(4));

function float32Bits(x: number): number {
  word.setFloat32(0, x);
  return word.getUint32(0);
}

export function toBfloat16(x: number): number {
  if (Number.isNaN(x)) {
    return 0x7fc0;
  }
  const bits = float32Bits(x);
  const lowestKept = (bits >>> 16) & 1;
  return (bits + 0x7fff + lowestKept) >>> 16;
}

export function fromBfloat16(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

export function toFloat16(x: number): number {
  const sign = (float32Bits(x) >>> 31) << 15;
  const magnitude = Math.abs(Math.fround(x));
  if (Number.isNaN(x)) {
    return 0x7e00;
  }
  if (magnitude >= 65520) {
    return sign | 0x7c00;
  }
  // The spacing of the numbers around this one; below 2^-14 they are subnormal and evenly spaced.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const steps = roundTiesToEven(magnitude * 2 ** (10 - exponent));
  // A count of 2048 carries into the next exponent by itself, and one below 1024 is subnormal.
  return sign | (((exponent + 14) << 10) + steps);
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) {
    return fraction === 0 ? sign * Infinity : NaN;
  }
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function roundTiesToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
