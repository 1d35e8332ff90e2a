/** The error function to about 1e-15, for the reference of GELU. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  return Math.sign(x) * (magnitude < 2.5 ? series(magnitude) : 1 - complement(magnitude));
}

/** 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)): all terms are positive, so nothing cancels. */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** e^(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), evaluated from its end. */
function complement(x: number): number {
  let fraction = x;
  for (let k = 60; k >= 1; k--) {
    fraction = x + k / 2 / fraction;
  }
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
