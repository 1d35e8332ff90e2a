// Worker threads that use the package, by the case that the first argument names, on the device that the second names.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as library from '../../dist/index.js';

const { ops, ResNet18, Tensor } = library;
const [, , name, device, ...args] = process.argv;

/** A sum that any thread must come to, over a few operations. */
async function checksum(seed) {
  const x = Tensor.randn([1, 4, 9, 9], { device, seed });
  const weight = Tensor.randn([6, 4, 3, 3], { device, seed: seed + 1 });
  const y = ops.softmax(ops.conv2d(x, weight, { activation: 'tanh' }));
  const sum = (await y.data()).reduce((total, value, i) => total + value * (i % 7), 0);
  return sum;
}

/** What a worker does, by its role; a role may never end by itself. */
const roles = {
  checksum: async () => parentPort.postMessage(await checksum(workerData.seed)),

  'many tensors': () => {
    const held = Array.from({ length: 20 }, () => Tensor.zeros([3], { device }));
    parentPort.postMessage(library.device(device).memory().tensors);
    for (const tensor of held) tensor.dispose();
  },

  work: async () => {
    const model = new ResNet18({ device, numClasses: 10 });
    const x = Tensor.randn([1, 3, 64, 64], { device });
    parentPort.postMessage('ready');
    for (;;) {
      await Promise.all([model.forward(x).data(), model.predict(x).topK(3)]);
    }
  },

  'work without waiting': () => {
    const x = Tensor.randn([1, 8, 32, 32], { device });
    parentPort.postMessage('ready');
    for (;;) {
      for (let i = 0; i < 50; i++) ops.activation(x, 'relu').dispose();
      x.dataSync();
    }
  },

  'throw and catch': () => {
    parentPort.postMessage('ready');
    for (;;) {
      try {
        ops.softmax(5);
      } catch {}
      try {
        Tensor.zeros([-1], { device });
      } catch {}
    }
  },

  'failing reads': async () => {
    library.device(device).setMemoryLimit(0);
    parentPort.postMessage('ready');
    for (;;) {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          Tensor.zeros([4], { device })
            .data()
            .catch(() => 0),
        ),
      );
    }
  },

  load: async () => {
    parentPort.postMessage('ready');
    for (;;) {
      const model = await ResNet18.load(workerData.weights, { device });
      model.dispose();
    }
  },

  'exit by itself': async () => {
    await checksum(1);
    checksum(2);
    process.exit(0);
  },

  throw: async () => {
    await checksum(1);
    checksum(2);
    throw new Error('thrown on purpose');
  },
};

function start(role, data = {}) {
  return new Worker(new URL(import.meta.url), { argv: [name, device], workerData: { role, ...data } });
}

const cases = {
  'load, run and end': async () => {
    const mine = await checksum(1);
    for (let i = 0; i < 3; i++) {
      const worker = start('checksum', { seed: 1 });
      const [theirs] = await once(worker, 'message');
      const [code] = await once(worker, 'exit');
      if (theirs !== mine || code !== 0) throw new Error(`${theirs} and ${code}, not ${mine} and 0`);
    }
    return mine === (await checksum(1));
  },

  'terminate mid-run': async () => {
    const before = await checksum(1);
    for (const role of ['work', 'work without waiting', 'throw and catch', 'failing reads', 'load']) {
      for (const moment of [0, 2, 11, 40]) {
        const worker = start(role, { weights: args[0] });
        await once(worker, 'message');
        await sleep(moment);
        const code = await worker.terminate();
        if (code !== 1) throw new Error(`${role} ended with ${code} after ${moment} ms`);
      }
    }
    return (await checksum(1)) === before;
  },

  'sixteen at once': async () => {
    const expected = await checksum(3);
    const ends = [];
    for (let i = 0; i < 16; i++) {
      const role = ['checksum', 'work', 'exit by itself', 'throw'][i % 4];
      const worker = start(role, { seed: 3 });
      const end = new Promise((resolve) => worker.on('exit', resolve)); // once() would reject at 'error'
      if (role === 'checksum') {
        ends.push(once(worker, 'message').then(async ([sum]) => sum === expected && (await end) === 0));
      } else if (role === 'work') {
        ends.push(
          (async () => {
            await once(worker, 'message');
            await sleep(Math.random() * 100);
            worker.terminate();
            return (await end) === 1;
          })(),
        );
      } else if (role === 'throw') {
        worker.on('error', () => undefined);
        ends.push(end.then((code) => code === 1));
      } else {
        ends.push(end.then((code) => code === 0));
      }
    }
    return [...(await Promise.all(ends)), (await checksum(3)) === expected].every(Boolean);
  },

  'memory of its own': async () => {
    const mine = Tensor.zeros([7], { device });
    const worker = start('many tensors');
    const [theirs] = await once(worker, 'message');
    await once(worker, 'exit');
    const { tensors } = library.device(device).memory();
    mine.dispose();
    return theirs === 20 && tensors === 1;
  },

  'resident memory of many lifetimes': async () => {
    const resident = [];
    const lifetimes = process.env.LONG_TESTS === '1' ? 500 : 50;
    for (let i = 0; i < lifetimes; i++) {
      const worker = start('checksum', { seed: i });
      await once(worker, 'exit');
      resident.push(process.memoryUsage.rss());
    }
    return resident.map((bytes) => Math.round(bytes / 2 ** 20));
  },
};

if (isMainThread) {
  const result = await cases[name]();
  process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  await roles[workerData.role]();
}
