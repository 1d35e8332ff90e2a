import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { nn, ops, scope, Tensor } from '../lib/index.js';
import { expectThrows } from './support/errors.js';
import { inUse } from './support/memory.js';
import { onEveryDevice } from './support/suite.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

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

  test('keeps tensors in arrays, objects, maps and sets that are returned', () => {
    const kept = scope(() => ({
      list: [one(), [one()]],
      named: { x: one() },
      bare: Object.assign(Object.create(null) as { x: Tensor }, { x: one() }),
      map: new Map([[one(), one()]]),
      set: new Set([one()]),
    }));
    const tensors = [
      ...kept.list.flat(),
      kept.named.x,
      kept.bare.x,
      ...[...kept.map].flat(),
      ...kept.set,
    ] as Tensor[];
    expect(tensors.map((x) => x.disposed)).toEqual(Array(7).fill(false));
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

  test('disposes everything when what is returned cannot be looked into', async () => {
    const before = await inUse(id);
    const broken = (name: string) => {
      const result = { x: one() };
      return Object.defineProperty(result, name, {
        enumerable: true,
        get() {
          throw new RangeError('as asked');
        },
      });
    };
    expect(() => scope(() => broken('y'))).toThrow(RangeError);
    expect(() => scope(() => broken('then'))).toThrow(RangeError);
    await expect(scope(async () => broken('y'))).rejects.toThrow(RangeError);
    expect(await inUse(id)).toEqual(before);
  });

  test('leaves what is made after its end to the scope around it, or to the collector', async () => {
    const later = () => new Promise((resolve) => setTimeout(resolve, 5)).then(one);
    const started: Promise<Tensor>[] = [];
    const start = async () => {
      started.push(later());
    };
    await scope(async () => {
      await scope(start);
      expect((await started[0]!).disposed).toBe(false);
    });
    expect((await started.pop()!).disposed).toBe(true);

    const before = await inUse(id);
    await scope(start);
    expect((await started.pop()!).disposed).toBe(false);
    const inUseWithoutGarbage = () => {
      gc();
      return inUse(id);
    };
    await expect.poll(inUseWithoutGarbage, { timeout: 10_000 }).toEqual(before);
  });

  test('leaves alone a buffer that a module of a Sequential replaces', async () => {
    class Mean extends nn.Module {
      mean: Tensor = Tensor.zeros([1], { device: id });

      forward(x: Tensor): Tensor {
        const old = this.mean;
        this.mean = ops.add(old, x);
        old.dispose();
        return x;
      }
    }
    using mean = new Mean();
    const net = new nn.Sequential(new nn.Sequential(mean));
    net.forward(one()).dispose();
    const failing = new nn.Sequential(mean, new nn.Linear(2, 2, { device: id }));
    expectThrows('ERR_SHAPE', () => scope(() => failing.forward(one())));
    failing.children()[1]![1].dispose();
    expect(await mean.mean.data()).toEqual(Float32Array.of(2));
  });

  test('takes a function only', () => {
    expectThrows('ERR_ARGUMENT', () => scope(5 as never), /scope: expected a function, got number/);
    expectThrows('ERR_ARGUMENT', () => (scope as () => void)(), /got undefined/);
  });

  test('returns what is no tensor as it is', async () => {
    const value = { a: 1 };
    expect(scope(() => value)).toBe(value);
    expect(await scope(async () => value)).toBe(value);
    expect(scope(() => undefined)).toBeUndefined();
  });
});
