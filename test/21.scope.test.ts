import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { BasicBlock, Bottleneck, nn, ops, ResNet, scope, Tensor } from '../lib/index.js';
import type { DeviceId } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { collectGarbage } from './support/garbage.js';
import { inUse } from './support/memory.js';
import { onEveryDevice } from './support/suite.js';
import { sizeOf } from './support/values.js';

/** Gives its input back, a copy, and keeps the sum of all of them in a buffer that it makes anew each time. */
class Sum extends nn.Module {
  total: Tensor;
  runs = 0;

  constructor(shape: number[], device: DeviceId) {
    super();
    this.total = Tensor.zeros(shape, { device });
  }

  forward(x: Tensor): Tensor {
    const former = this.total;
    this.total = ops.add(former, x);
    former.dispose();
    this.runs++;
    return x.reshape(x.shape);
  }
}

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

  test('keeps tensors in what contains itself', () => {
    const kept = scope(() => {
      const list: unknown[] = [one()];
      list.push(list, { list });
      return list as [Tensor];
    });
    expect(kept[0].disposed).toBe(false);
    kept[0].dispose();
  });

  test('keeps tensors in objects, maps and sets of another vm context that are returned', () => {
    const build = runInNewContext(
      '(make) => ({ named: { x: make() }, map: new Map([[make(), [make()]]]), set: new Set([make()]) })',
    ) as (make: () => Tensor) => { named: { x: Tensor }; map: Map<Tensor, Tensor[]>; set: Set<Tensor> };
    const kept = scope(() => build(one));
    const tensors = [kept.named.x, ...[...kept.map].flat(2), ...kept.set];
    expect(tensors.map((x) => x.disposed)).toEqual(Array(4).fill(false));
    for (const x of tensors) x.dispose();
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

  test('waits for the promise of another vm context', async () => {
    const later = runInNewContext('async (make) => make()') as (make: () => Tensor) => Promise<Tensor>;
    const kept = await scope(() => later(one));
    expect(kept.disposed).toBe(false);
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

  test('leaves alone what a module took over that was made in a scope within it', () => {
    class Holder extends nn.Module {
      constructor(readonly held: Tensor) {
        super();
      }
      forward(x: Tensor): Tensor {
        return ops.add(x, this.held);
      }
    }
    let holder: Holder | undefined;
    scope(() => {
      const x = one();
      scope(() => {
        holder = new Holder(x);
      });
    });
    expect(holder?.held.disposed).toBe(false);
    holder?.dispose();
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
    expect(() => scope(() => scope(() => [one(), broken('y')]))).toThrow(RangeError);
    expect(() => scope(() => [one(), broken('y')])).toThrow(RangeError);
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
      collectGarbage();
      return inUse(id);
    };
    await expect.poll(inUseWithoutGarbage, { timeout: 10_000 }).toEqual(before);
  });

  test('leaves alone a buffer that a module of a Sequential replaces', async () => {
    using sum = new Sum([1], id);
    const net = new nn.Sequential(new nn.Sequential(sum));
    net.forward(one()).dispose();
    const failing = new nn.Sequential(sum, new nn.Linear(2, 2, { device: id }));
    expectThrows('ERR_SHAPE', () => scope(() => failing.forward(one())));
    failing.children()[1]![1].dispose();
    expect(await sum.total.data()).toEqual(Float32Array.of(2));
  });

  describe('leaves alone a buffer that a module replaces', () => {
    const ones = (...shape: number[]) =>
      Tensor.from(new Float32Array(sizeOf(shape)).fill(1), shape, { device: id });

    /** Runs the network twice, a second time in a scope of the user's own. */
    const runTwice = (net: nn.Module, ...shape: number[]) => {
      using x = ones(...shape);
      net.forward(x).dispose();
      scope(() => {
        scope(() => net.forward(x));
      });
    };

    test('in the place of the last layer of a ResNet', async () => {
      const structure = { block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 3, device: id } as const;
      using model = new ResNet(structure);
      model.fc.dispose();
      const sum = new Sum([2, 512], id);
      model.fc = sum as nn.Module as nn.Linear;
      model.train();
      runTwice(model, 2, 3, 32, 32);
      expect(sum.runs).toBe(2);
      expect((await sum.total.data()).length).toBe(1024);
    });

    test.each([
      ['BasicBlock', () => new BasicBlock(4, 4, { device: id })],
      ['Bottleneck', () => new Bottleneck(4, 4, { device: id })],
    ])('in the shortcut of a %s, or in its Sequential', async (_, make) => {
      for (const wrap of [(sum: Sum) => sum, (sum: Sum) => new nn.Sequential(sum)]) {
        using block = make();
        const sum = new Sum([2, 4, 3, 3], id);
        block.downsample = wrap(sum) as nn.Module as nn.Sequential;
        runTwice(block.eval(), 2, 4, 3, 3);
        runTwice(block.train(), 2, 4, 3, 3);
        expect(await sum.total.data()).toEqual(new Float32Array(72).fill(4));
      }
    });

    test('in the place of a batch norm', async () => {
      class Counting extends nn.BatchNorm2d {
        readonly inner = new Sum([2, 4, 3, 3], id);

        override forward(x: Tensor): Tensor {
          this.inner.forward(x).dispose();
          return super.forward(x);
        }
      }
      using block = new BasicBlock(4, 4, { device: id });
      block.bn2.dispose();
      block.bn2 = new Counting(4, { device: id });
      runTwice(block, 2, 4, 3, 3);
      expect((await block.stateDict().get('bn2.inner.total')!.data()).length).toBe(72);
    });
  });

  test('does not hold modules and tensors that were disposed of in it', () =>
    scope(async () => {
      const disposed = () => {
        using x = one();
        return x;
      };
      const module = () => {
        const made = new nn.Sequential(new nn.Linear(2, 2, { device: id }));
        made.forward(Tensor.zeros([1, 2], { device: id })).dispose();
        scope(() => made.dispose());
        const { weight } = made[0] as nn.Linear;
        return [made, made[0]!, weight, disposed()].map((each) => new WeakRef<object>(each));
      };
      const modules = Array.from({ length: 3 }, module).flat();
      const alive = () => {
        collectGarbage();
        return modules.filter((each) => each.deref()).length;
      };
      await expect.poll(alive, { timeout: 5000 }).toBe(0);
    }));

  test('holds nothing after its end, though a timer that was started in it goes on', async () => {
    let timer: NodeJS.Timeout | undefined;
    const idle = () => undefined; // out here, where it holds nothing of what follows
    const start = () => {
      let linear: nn.Linear | undefined;
      const x = scope(() => {
        timer = setInterval(idle, 1000);
        linear = new nn.Linear(2, 2, { device: id });
        return new WeakRef(Tensor.zeros([1, 2], { device: id }));
      });
      linear!.dispose();
      return [x, new WeakRef(linear!)];
    };
    const held = start();
    const alive = () => {
      collectGarbage();
      return held.filter((each) => each.deref()).length;
    };
    await expect.poll(alive, { timeout: 5000 }).toBe(0);
    clearInterval(timer);
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
