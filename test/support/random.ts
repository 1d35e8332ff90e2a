import { uniform } from './generator.js';
import { map, type Values } from './values.js';

/** Fresh data in every run. A failing test prints the seed; `TEST_SEED` brings that run back. */
export const seed = process.env.TEST_SEED ?? String(Date.now());

/** Numbers in (-scale, scale) around `center`, the same for the same key and seed. */
export function random(key: string, shape: readonly number[], { scale = 1, center = 0 } = {}): Values {
  return map(uniform(`${seed}/${key}`, shape), (u) => center + scale * u);
}

/** Whole numbers from `low` to `high`, both included. */
export function randomIntegers(key: string, shape: readonly number[], low: number, high: number): Values {
  return map(uniform(`${seed}/${key}`, shape), (u) => low + Math.floor(((u + 1) / 2) * (high - low + 1)));
}
