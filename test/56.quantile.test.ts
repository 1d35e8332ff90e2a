import { expect, test } from 'vitest';
import * as statistics from '../bench/statistics.js';
import { median, quantile } from '../lib/quantile.js';
import { random } from './support/random.js';

test('the quantiles of `bench` and of the package’s benchmarks are the same', () => {
  for (const count of [1, 2, 3, 10, 101]) {
    const values = [...random(`${count} values`, [count]).data];
    for (const q of [0, 0.25, 0.5, 0.95, 0.99, 1]) {
      expect(quantile(values, q)).toBe(statistics.quantile(values, q));
    }
    expect(median(values)).toBe(statistics.median(values));
  }
});

test('quantiles lie between values, whose order does not matter', () => {
  const values = [40, 10, 30, 20];
  expect([0, 0.5, 0.95, 1].map((q) => quantile(values, q))).toEqual([10, 25, 38.5, 40]);
  expect(median([3, 1, 2])).toBe(2);
  expect(values).toEqual([40, 10, 30, 20]);
});
