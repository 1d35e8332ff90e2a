import { expect, test } from 'vitest';
import { median, quantile } from '../lib/quantile.js';

test('quantiles lie between values, whose order does not matter', () => {
  const values = [40, 10, 30, 20];
  expect([0, 0.5, 0.95, 1].map((q) => quantile(values, q))).toEqual([10, 25, 38.5, 40]);
  expect(median([3, 1, 2])).toBe(2);
  expect(values).toEqual([40, 10, 30, 20]);
});
