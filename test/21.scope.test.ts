import { expect, test } from 'vitest';
import { nn, ops, scope, Tensor } from '../lib/index.js';
import { inUse } from './support/memory.js';
import { onEveryDevice } from './support/suite.js';

onEveryDevice('scope', (id) => {
  const one = () => Tensor.from([1], [1], { device: id });

  test('disposes what was made inside and not returned', () => {
    let inner: Tensor | undefined;
    const kept = scope(() => {
      inner = one();
      return ops.add(inner, inner);
    });
    expect(inner?.disposed).toBe(true);
    expect(kept.disposed).toBe(false);
    expect(kept.dataSync()).toEqual(Float32Array.of(2));
    kept.dispose();
  });

  test('keeps tensors in arrays, objects and maps that are returned', () => {
    const kept = scope(() => ({ list: [one(), [one()]], named: { x: one() }, map: new Map([['x', one()]]) }));
    const tensors = [
      kept.list[0],
      (kept.list[1] as Tensor[])[0],
      kept.named.x,
      kept.map.get('x'),
    ] as Tensor[];
    expect(tensors.map((x) => x.disposed)).toEqual([false, false, false, false]);
    for (const x of tensors) {
      x.dispose();
    }
  });

  test('leaves alone what was made outside', () => {
    const outside = one();
    scope(() => ops.add(outside, outside)).dispose();
    expect(outside.disposed).toBe(false);
    outside.dispose();
  });

  test('waits for an asynchronous body', async () => {
    let inner: Tensor | undefined;
    const kept = await scope(async () => {
      inner = one();
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(inner.disposed).toBe(false);
      const late = one();
      return ops.add(inner, late);
    });
    expect(inner?.disposed).toBe(true);
    expect(await kept.data()).toEqual(Float32Array.of(2));
    kept.dispose();
  });

  test('asynchronous scopes that overlap keep to their own tensors', async () => {
    const made: Tensor[] = [];
    const run = (delay: number) =>
      scope(async () => {
        const x = one();
        made.push(x);
        await new Promise((resolve) => setTimeout(resolve, delay));
        expect(x.disposed).toBe(false);
        return x;
      });
    const kept = await Promise.all([run(20), run(5), run(10)]);
    expect(made.map((x) => x.disposed)).toEqual([false, false, false]);
    for (const x of kept) {
      x.dispose();
    }
  });

  test('an inner scope hands what it returns to the outer one', () => {
    let inner: Tensor | undefined;
    scope(() => {
      inner = scope(() => one());
      expect(inner.disposed).toBe(false);
    });
    expect(inner?.disposed).toBe(true);
  });

  test('leaves alone what a parameter took over in a scope within it', () => {
    let parameter: nn.Parameter | undefined;
    scope(() => {
      const x = one();
      scope(() => {
        parameter = new nn.Parameter(x);
      });
    });
    expect(parameter?.disposed).toBe(false);
    parameter?.dispose();
  });

  test('disposes everything when the body throws or rejects', async () => {
    const before = await inUse(id);
    const fail = () => {
      one();
      throw new RangeError('as asked');
    };
    expect(() => scope(fail)).toThrow(RangeError);
    await expect(scope(async () => fail())).rejects.toThrow(RangeError);
    expect(await inUse(id)).toEqual(before);
  });

  test('returns what is no tensor as it is', async () => {
    const value = { a: 1 };
    expect(scope(() => value)).toBe(value);
    expect(await scope(async () => value)).toBe(value);
    expect(scope(() => undefined)).toBeUndefined();
  });
});
