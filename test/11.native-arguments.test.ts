import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NativeProgram, NativeTensor } from '../binding.js';
import { CudnnResnetError, device as open } from '../lib/index.js';
import { native } from '../lib/native.js';
import { deviceIds } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { hostile, interruptions, Sentinel } from './support/hostile-values.js';
import { returnsMemory } from './support/memory.js';
import { addon, Case, calls, callsWithoutOptions } from './support/native-calls.js';

/** Calls of each entry point; FUZZ_RUNS makes it thorough. */
const runs = Number(process.env.FUZZ_RUNS ?? 250);

/** Whether the engine that makes plans was built. */
const plans = !/^CUDA engine: not built/m.test(native().diagnose());

/** Most take a millisecond or two; under a sanitizer, and on a busy machine, far more. */
const timeout = 180_000 + 100 * runs;

const manglings = fc.oneof(
  fc.record({
    kind: fc.constant('value' as const),
    which: fc.nat(),
    how: fc.constantFrom(...Object.keys(hostile)),
  }),
  fc.record({
    kind: fc.constant('interruption' as const),
    which: fc.nat(),
    how: fc.constantFrom(...Object.keys(interruptions)),
  }),
  // right at first, wrong at the look given by `after`
  fc.record({
    kind: fc.constant('change' as const),
    which: fc.nat(),
    how: fc.constantFrom(...Object.keys(hostile)),
    after: fc.integer({ min: 1, max: 4 }),
  }),
);
type Mangling = typeof manglings extends fc.Arbitrary<infer T> ? T : never;

function mangle(c: Case, options: Record<string, unknown>, mangling: Mangling): void {
  const names = Object.keys(options);
  const name = names[mangling.which % names.length]!;
  const valid = Object.getOwnPropertyDescriptor(options, name)!.value;
  if (mangling.kind === 'value') {
    Object.defineProperty(options, name, {
      value: hostile[mangling.how]!(c, valid),
      enumerable: true,
      configurable: true,
    });
    return;
  }
  let looks = 0;
  Object.defineProperty(options, name, {
    get() {
      looks++;
      if (mangling.kind === 'interruption') {
        interruptions[mangling.how]!(c);
        return valid;
      }
      return looks > mangling.after ? hostile[mangling.how]!(c, valid) : valid;
    },
    enumerable: true,
    configurable: true,
  });
}

function isOurs(error: unknown): boolean {
  return (
    (error instanceof CudnnResnetError && /^ERR_[A-Z_]+$/.test(error.code)) ||
    error instanceof Sentinel ||
    (error instanceof TypeError && error.message.includes('proxy that has been revoked'))
  );
}

test('each entry point is called with wrong options', () => {
  const functions = Object.keys(addon).filter((name) => typeof addon[name] === 'function');
  expect([...Object.keys(calls), ...callsWithoutOptions].sort()).toEqual(functions.sort());
});

describe.each(deviceIds)('hostile arguments on %s', (id) => {
  // An operation that asks for much fails by this limit, and not by taking the machine's memory.
  const limit = 64 * 2 ** 20;
  const device = native().openDevice(id);
  returnsMemory();

  function attempt(c: Case, call: () => unknown): void {
    let result: unknown;
    try {
      result = call();
    } catch (error) {
      if (!isOurs(error)) {
        throw error;
      }
    }
    const made =
      result && typeof result === 'object' ? [result, ...Object.values(result as object)] : [result];
    for (const handle of made as Partial<NativeTensor>[]) {
      handle?.dispose?.();
    }
    if (result instanceof Promise) {
      result.catch((error: unknown) => expect(isOurs(error), String(error)).toBe(true));
    }
    c.disposeAll();
    device.setMemoryLimit(limit);
  }

  async function stillWorks(): Promise<void> {
    device.setMemoryLimit(limit);
    const x = native().upload({
      device,
      shape: [2],
      dtype: 'float32',
      dataType: 'float32',
      data: Float32Array.of(1, -2),
    });
    const y = native().activation({ x, kind: 'relu' });
    expect(new Float32Array(await y.data())).toEqual(Float32Array.of(1, 0));
    x.dispose();
    y.dispose();
  }

  const restored = () => device.setMemoryLimit(open(id).info.memory);

  // or the manglings would be of calls that are refused anyway
  test.each(Object.keys(calls))('%s is called rightly, before that is made wrong', async (name) => {
    const c = new Case(device);
    const call = () => addon[name]!(calls[name]!(c));
    if (name === 'openPlanner' && !plans) return expectThrows('ERR_DEVICE', call, /built without it/);
    const made = (await call()) as Partial<NativeTensor> | undefined;
    await device.synchronize();
    for (const x of [made, ...c.made]) expect(x?.failed?.() ?? false).toBe(false);
    made?.dispose?.();
    c.disposeAll();
  });

  test.each(Object.keys(calls))('%s', { timeout }, async (name) => {
    device.setMemoryLimit(limit);
    const before = device.memory().tensors;
    fc.assert(
      fc.property(fc.array(manglings, { minLength: 1, maxLength: 3 }), (list) => {
        const c = new Case(device);
        const options = calls[name]!(c);
        for (const mangling of list.filter((m, i) => list.findIndex((o) => o.which === m.which) === i)) {
          try {
            mangle(c, options, mangling);
          } catch (error) {
            if (!(error instanceof TypeError)) throw error; // a property that is a getter already
          }
        }
        attempt(c, () => addon[name]!(options));
      }),
      { numRuns: runs },
    );
    await stillWorks();
    expect(device.memory().tensors).toBe(before);
    restored();
  });

  test('every value at every option of every entry point', async () => {
    device.setMemoryLimit(limit);
    for (const [name, valid] of Object.entries(calls)) {
      const example = new Case(device);
      const fields = Object.keys(valid(example)).length;
      example.disposeAll();
      for (let which = 0; which < fields; which++) {
        for (const how of Object.keys(hostile)) {
          const c = new Case(device);
          const options = valid(c);
          mangle(c, options, { kind: 'value', which, how });
          attempt(c, () => addon[name]!(options));
        }
        for (const how of Object.keys(interruptions)) {
          const c = new Case(device);
          const options = valid(c);
          mangle(c, options, { kind: 'interruption', which, how });
          attempt(c, () => addon[name]!(options));
        }
      }
      await device.synchronize();
    }
    await stillWorks();
    restored();
  });

  test('what is asked of a large tensor without values leaves room in the queue for others', async () => {
    const size = [1, 2, 2 ** 19, 2 ** 19]; // 2 TB, were there any
    const x = native().unwritten({ device, shape: size, dtype: 'float32' });
    const rows = native().unwritten({ device, shape: [2 ** 20, 2 ** 19], dtype: 'float32' });
    // work that the rest waits for
    const busy = { normal: true, a: 0, b: 1, seed: 1, stream: 0, dtype: 'float32' } as const;
    native()
      .random({ device, shape: [2 ** 23], ...busy })
      .dispose();
    for (let i = 0; i < 20; i++) {
      native().copyTo({ x, device }).dispose();
      rows.topK(1).catch(() => undefined);
      native()
        .zeros({ device, shape: [2], dtype: 'float32' })
        .dispose();
    }
    x.dispose();
    rows.dispose();
    await stillWorks();
    restored();
  });

  test('anything in the place of the options, of a method and of too many arguments', async () => {
    device.setMemoryLimit(limit);
    for (const name of Object.keys(addon).filter((key) => typeof addon[key] === 'function')) {
      for (const [how, value] of Object.entries(hostile)) {
        if (name === 'setup' && how === 'a function') continue; // would be taken for the class of errors
        const c = new Case(device);
        attempt(c, () => addon[name]!(value(c, undefined), value(c, undefined)));
      }
      attempt(new Case(device), () => addon[name]!());
    }
    for (const value of Object.values(hostile)) {
      const c = new Case(device);
      const x = c.tensor([2, 3]);
      attempt(c, () => x.topK(value(c, 1) as number));
      attempt(c, () => device.setMemoryLimit(value(c, 1) as number));
      attempt(c, () => (device.memory as (...args: unknown[]) => unknown)(value(c, 1)));
    }
    for (const [how, value] of Object.entries(hostile)) {
      const c = new Case(device);
      const program = addon.record!(calls.record!(c)) as NativeProgram;
      attempt(c, () => program.run(value(c, [c.tensor([2, 3]), c.tensor([2, 3])]) as never));
      attempt(c, () => program.run([value(c, c.tensor([2, 3])), c.tensor([2, 3])] as never));
      program.dispose();
      attempt(c, () => device.setQueueLimit(value(c, {}) as never));
      for (const what of ['operations', 'bytes']) {
        attempt(c, () => device.setQueueLimit({ [what]: value(c, 1) } as never));
      }
      device.setQueueLimit({ operations: 10_000, bytes: 2 ** 30 });
      attempt(c, () => device.usePlans(value(c, '') as never));
      // as many as the system makes are tried elsewhere
      if (!/^2\^|^1e308/.test(how)) attempt(c, () => device.setThreads(value(c, 1) as never));
      attempt(c, () => device.profileLayer(value(c, 'layer') as never));
    }
    device.setThreads(2);
    await stillWorks();
    restored();
  });

  test('a disposed handle answers every method', async () => {
    const x = native().zeros({ device, shape: [2, 2], dtype: 'float32' });
    x.dispose();
    x.dispose();
    expect(x.disposed()).toBe(true);
    expectThrows('ERR_DISPOSED', () => x.data());
    expectThrows('ERR_DISPOSED', () => x.dataSync());
    expectThrows('ERR_DISPOSED', () => x.topK(1));
    await stillWorks();
    restored();
  });

  test('a tensor larger than any memory is an error at its reading, not the end of the process', async () => {
    const x = native().unwritten({ device, shape: [2 ** 38], dtype: 'int64' });
    expectThrows('ERR_OUT_OF_MEMORY', () => x.data());
    expectThrows('ERR_OUT_OF_MEMORY', () => x.dataSync());
    x.dispose();
    await stillWorks();
    restored();
  });

  // a convolution writes what it adds to over that where it is the last to read it
  test('a getter that disposes of what the call reads, once all else has read it', async () => {
    const values = { device, dtype: 'float32', normal: true, a: 0, b: 1, seed: 1, stream: 0 } as const;
    const a = native().random({ ...values, shape: [1, 16, 9, 9] });
    const weight = native().random({ ...values, shape: [16, 16, 3, 3] });
    const pair = (first: number, meanwhile: () => void, second: number) => {
      const get = () => {
        meanwhile();
        return first;
      };
      return Object.defineProperty([0, second], 0, { get }) as [number, number];
    };
    const cases: ((x: NativeTensor, meanwhile: () => void) => NativeTensor)[] = [
      (x, meanwhile) => native().conv2d({ x: a, weight, add: x, padding: pair(1, meanwhile, 1) }),
      (x, meanwhile) => native().reshape({ x, shape: pair(16, meanwhile, 81) }),
    ];
    for (const call of cases) {
      const x = native().conv2d({ x: a, weight, padding: 1 });
      const expected = call(x, () => undefined);
      const y = call(x, () => {
        const reader = native().conv2d({ x: a, weight, padding: 1, add: x });
        x.dispose();
        reader.dataSync();
        reader.dispose();
      });
      expect(new Float32Array(await y.data())).toEqual(new Float32Array(await expected.data()));
      for (const tensor of [expected, y]) tensor.dispose();
    }
    for (const tensor of [a, weight]) tensor.dispose();
  });

  test('a getter that takes an option back does not pass the check with another value', () => {
    let looks = 0;
    const c = new Case(device);
    const options = { ...calls.conv2d!(c), add: undefined };
    Object.defineProperty(options, 'stride', { get: () => (++looks < 3 ? 1 : undefined) });
    const y = addon.conv2d!(options) as NativeTensor;
    expect(looks).toBe(1);
    expect(y.shape).toEqual([1, 2, 4, 4]);
    y.dispose();
    c.disposeAll();
  });
});
