import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { BasicBlock, device, devices, diagnose, ops, ResNet, Tensor } from '../lib/index.js';
import { expectEnd, lastLine, program } from './standalone/process.js';
import { deviceIds } from './support/devices.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { check, onEveryDevice } from './support/suite.js';

describe('devices', () => {
  test('are listed with an id, a name, an engine and memory, GPUs first', () => {
    expect(devices().length).toBeGreaterThan(0);
    for (const { id, name, engine, memory } of devices()) {
      expect(id).toMatch(/^(cpu|cuda:\d+)$/);
      expect(name).toMatch(/\S/);
      expect(engine).toMatch(/^(oneDNN|cuDNN) \d+\.\d+/);
      expect(memory).toBeGreaterThan(2 ** 20);
    }
    const ids = devices().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted((a, b) => Number(a === 'cpu') - Number(b === 'cpu'))).toEqual(ids);
  });

  test('of one id are one object, and auto is the first', () => {
    expect(device()).toBe(device('auto'));
    expect(device().id).toBe(devices()[0]!.id);
    for (const { id } of devices()) {
      expect(device(id)).toBe(device(id));
      expect(device(device(id))).toBe(device(id));
      expect(device(id).info).toEqual(devices().find((info) => info.id === id));
      expect(String(device(id))).toBe(id);
    }
  });

  test('of a wrong id are ERR_DEVICE', () => {
    for (const id of [
      'gpu',
      'CPU',
      'cuda:',
      'cuda:-1',
      'cuda:1.5',
      'cuda:0 ',
      '',
      'cpu\n',
      0,
      null,
      {},
      1n,
      Object.create(null),
      Symbol('x'),
    ]) {
      expectThrows('ERR_DEVICE', () => device(id as 'cpu'), /'auto', 'cpu', 'cuda' or 'cuda:N'/);
    }
  });

  test('that this machine does not have are ERR_DEVICE, which says what it has', () => {
    expectThrows('ERR_DEVICE', () => device('cuda:99'), new RegExp(`cuda:99.*${devices()[0]!.id}`));
    expectThrows('ERR_DEVICE', () => Tensor.zeros([1], { device: 'cuda:4294967296' }));
  });

  test('are in what diagnose() says', () => {
    const report = diagnose();
    expect(report).toContain(process.version);
    for (const { id, name, engine } of devices()) {
      expect(report).toContain(id);
      expect(report).toContain(name);
      expect(report).toContain(engine);
    }
  });
});

onEveryDevice('Device', (id) => {
  const on = device(id);
  const everything = on.info.memory;
  const one = () => Tensor.from([1, 2], [2], { device: id });

  /** Runs `body` while the device may hold no more than `bytes` above what it holds now. */
  async function limited(bytes: number, body: () => Promise<void>): Promise<void> {
    on.trim();
    await on.synchronize();
    on.setMemoryLimit(on.memory().reservedBytes + bytes);
    try {
      await body();
    } finally {
      on.setMemoryLimit(everything);
    }
  }

  check('counts tensors and their bytes', async () => {
    const before = on.memory();
    const x = Tensor.zeros([1000], { device: id });
    const y = Tensor.zeros([3], { device: id, dtype: 'int64' });
    expect(on.memory()).toMatchObject({ tensors: before.tensors + 2, bytes: before.bytes + 4000 + 24 });
    x.dispose();
    x.dispose();
    y.dispose();
    expect(on.memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
  });

  check('synchronize waits for what was asked for', async () => {
    let x = Tensor.randn([64, 64, 32, 32], { device: id });
    for (let i = 0; i < 10; i++) x = ops.activation(x, 'tanh');
    const { peakBytes } = on.memory();
    await on.synchronize();
    expect(on.memory().peakBytes).toBeGreaterThanOrEqual(Math.max(peakBytes, x.bytes));
  });

  check('trim gives back what is kept for reuse, and only that', async () => {
    on.trim();
    await on.synchronize();
    const { reservedBytes } = on.memory();
    const kept = Tensor.zeros([2 ** 20], { device: id });
    const freed = Tensor.zeros([2 ** 21], { device: id });
    await on.synchronize();
    freed.dispose();
    await on.synchronize();
    expect(on.memory().reservedBytes).toBeGreaterThanOrEqual(reservedBytes + kept.bytes + freed.bytes);
    on.trim();
    await on.synchronize();
    const { reservedBytes: left } = on.memory();
    expect(left).toBeGreaterThanOrEqual(reservedBytes + kept.bytes);
    expect(left).toBeLessThan(reservedBytes + kept.bytes * 1.25);
    expect((await kept.data())[7]).toBe(0);
  });

  check(
    'beyond the memory limit an operation is ERR_OUT_OF_MEMORY when it is read, and the device goes on',
    async () => {
      await limited(2 ** 20, async () => {
        const large = Tensor.zeros([2 ** 20], { device: id });
        await expectRejects('ERR_OUT_OF_MEMORY', large.data());
        expectThrows('ERR_OUT_OF_MEMORY', () => large.dataSync());
        expect(await ops.add(one(), one()).data()).toEqual(Float32Array.of(2, 4));
      });
      expect((await Tensor.zeros([2 ** 20], { device: id }).data())[0]).toBe(0);
    },
  );

  check('several gigabytes that may not be had are ERR_OUT_OF_MEMORY for every maker', async () => {
    await limited(2 ** 20, async () => {
      const shape = [2 ** 30, 2];
      for (const x of [
        Tensor.zeros(shape, { device: id }),
        Tensor.randn(shape, { device: id }),
        Tensor.rand(shape, { device: id, dtype: 'bfloat16' }),
      ]) {
        await expectRejects('ERR_OUT_OF_MEMORY', x.topK(1));
        await expectRejects('ERR_OUT_OF_MEMORY', ops.activation(x, 'relu').topK(1));
      }
      expect(await one().data()).toEqual(Float32Array.of(1, 2));
    });
  });

  check('a limit below what is in use refuses what comes and leaves what is there', async () => {
    const x = one();
    await on.synchronize();
    on.setMemoryLimit(0);
    await expectRejects('ERR_OUT_OF_MEMORY', ops.activation(x, 'relu').data());
    on.setMemoryLimit(everything);
    expect(await x.data()).toEqual(Float32Array.of(1, 2));
  });

  check('a wrong limit is ERR_ARGUMENT', async () => {
    for (const bytes of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, undefined]) {
      expectThrows('ERR_ARGUMENT', () => on.setMemoryLimit(bytes as number), /setMemoryLimit/);
    }
  });

  check('the first error passes through a chain of operations to every read of it', async () => {
    await limited(2 ** 20, async () => {
      const failed = Tensor.zeros([4, 2 ** 19], { device: id });
      const weight = Tensor.zeros([2, 2 ** 19], { device: id });
      const bias = Tensor.zeros([2], { device: id });
      let y = ops.linear(failed, weight, { bias });
      for (let i = 0; i < 5; i++) y = ops.softmax(ops.add(y, ops.activation(y, 'relu')));
      const messages = await Promise.all(
        [y.data(), y.topK(1), y.to({ dtype: 'float16' }).data(), y.reshape([8]).data(), failed.data()].map(
          (read) =>
            (read as Promise<unknown>).then(
              () => 'read',
              (error: Error) => error.message,
            ),
        ),
      );
      expect(new Set(messages).size).toBe(1);
      expect(messages[0]).toMatch(/memory/);
      expect(await bias.data()).toEqual(new Float32Array(2));
    });
  });

  // Whatever allocation of the operation fails, all three statistics move, or none does.
  check('running statistics survive an operation that fails', async () => {
    const x = Tensor.randn([2, 8, 16, 16], { device: id });
    await x.data();
    const outcomes = new Set<boolean>();
    for (let bytes = 0; bytes <= 2 ** 17; bytes += 2 ** 11) {
      const runningMean = Tensor.from(new Float32Array(8).fill(3), [8], { device: id });
      const runningVariance = Tensor.from(new Float32Array(8).fill(5), [8], { device: id });
      const batchesTracked = Tensor.zeros([], { device: id, dtype: 'int64' });
      await batchesTracked.data();
      let failed = false;
      await limited(bytes, async () => {
        const y = ops.batchNormTraining(x, { runningMean, runningVariance, batchesTracked });
        await on.synchronize();
        on.setMemoryLimit(everything);
        failed = await y.data().then(
          () => false,
          () => true,
        );
        y.dispose();
      });
      outcomes.add(failed);
      const [mean, variance, count] = await Promise.all([
        runningMean.data(),
        runningVariance.data(),
        batchesTracked.data(),
      ]);
      expect(count[0], `${bytes} bytes`).toBe(failed ? 0n : 1n);
      expect(mean.every((value) => (value === 3) === failed)).toBe(true);
      expect(variance.every((value) => (value === 5) === failed)).toBe(true);
      for (const tensor of [runningMean, runningVariance, batchesTracked]) tensor.dispose();
    }
    expect(outcomes).toEqual(new Set([true, false]));
  });

  check('the number of threads can be set', async () => {
    const model = new ResNet({
      block: BasicBlock,
      layers: [1, 1, 1, 1],
      numClasses: 5,
      device: id,
      deterministic: true, // so that the threads change no bit
    });
    const x = Tensor.randn([2, 3, 65, 50], { device: id });
    const results = [];
    try {
      for (const threads of [1, 3, 2, 1]) {
        on.setThreads(threads);
        results.push(await model.forward(x).data(), await model.forward(x).data());
      }
      for (const result of results) expect(result).toEqual(results[0]);
      for (const wrong of [0, -1, 1.5, NaN, 1e6, '2' as unknown as number]) {
        expectThrows('ERR_ARGUMENT', () => on.setThreads(wrong), /setThreads: threads/);
      }
    } finally {
      on.setThreads(availableParallelism());
      model.dispose();
    }
  });

  check('a tensor that failed can be disposed of and costs nothing', async () => {
    await limited(2 ** 20, async () => {
      const { reservedBytes } = on.memory();
      for (let i = 0; i < 100; i++) Tensor.zeros([2 ** 21], { device: id }).dispose();
      await on.synchronize();
      expect(on.memory().reservedBytes).toBe(reservedBytes);
    });
  });
});

// The address space is large enough for Node and far too small for the 16 GB that are asked for.
test.each(deviceIds.filter((id) => id === 'cpu'))(
  'where the system refuses memory on %s it is ERR_OUT_OF_MEMORY, and the process goes on',
  async (id) => {
    const ended = await program('exit.mjs', ['a failed allocation', id], { addressSpace: 8 * 2 ** 20 });
    expect(lastLine(ended)).toEqual([
      ['ERR_OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY'],
      [2, 4],
    ]);
  },
);

// Of a thousand threads each would have a stack of 8 MiB.
test.each(deviceIds.filter((id) => id === 'cpu'))(
  'where the system refuses threads %s computes with fewer',
  async (id) => {
    const surroundings = { addressSpace: 4 * 2 ** 20, env: { OMP_NUM_THREADS: '1000' } };
    expectEnd(await program('exit.mjs', ['more threads than can be made', id], surroundings), 0);
  },
);
