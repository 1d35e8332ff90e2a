/** `(3, 3)`, as Python prints a tuple. */
export function pythonTuple(values: readonly number[]): string {
  return `(${values.join(', ')})`;
}

/** A float as Python prints it: `1e-05`, `0.1`, `1.0`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  }
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

export function pythonBool(value: boolean): string {
  return value ? 'True' : 'False';
}
