import { median, quantile } from '../lib/quantile.js';

export { median, quantile };

/** A middle value, and the quarter and the three quarters around it. */
export interface Spread {
  median: number;
  p25: number;
  p75: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), p25: quantile(values, 0.25), p75: quantile(values, 0.75) };
}

/** How many times as long as ours a peer takes: of each round one ratio, so that what disturbs a round disturbs both. */
export function ratios(peer: readonly number[], ours: readonly number[]): Spread {
  return spread(peer.map((value, round) => value / ours[round]!));
}
