// Worker threads that use the package, by the case that the first argument names, on the device that the second names.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as library from '../../dist/index.js';

const { BasicBlock, ops, ResNet, ResNet18, saveWeights, Tensor } = library;
const [, , name, device, ...args] = process.argv;

/** A sum that any thread must come to, over a few operations. */
async function checksum(seed) {
  const x = Tensor.randn([1, 4, 9, 9], { device, seed });
  const weight = Tensor.randn([6, 4, 3, 3], { device, seed: seed + 1 });
  const y = ops.softmax(ops.conv2d(x, weight, { activation: 'tanh' }));
  const sum = (await y.data()).reduce((total, value, i) => total + value * (i % 7), 0);
  return sum;
}

/** A network whose file of weights is 20 MB. */
class Small extends ResNet {
  constructor(options) {
    super({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 10, ...options });
  }
}

/** The scores of an image that any thread must come to. */
async function scoresOf(model) {
  const x = Tensor.randn([1, 3, 40, 40], { device, seed: 5 });
  return [...(await model.forward(x).data())].join();
}

const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

/** Hands `body` the path of a file with a network's weights, and what any thread must come to with them. */
async function withWeights(body) {
  const folder = mkdtempSync(join(tmpdir(), 'cudnn-resnet-'));
  try {
    const weights = join(folder, 'weights.safetensors');
    const model = new Small({ device, seed: 3 });
    await saveWeights(weights, model.stateDict());
    return await body(weights, () => scoresOf(model));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Loads a network from the file of `workerData`, runs it, asks for more, and goes on to its end at the moment given. */
async function loadAndRun() {
  const model = await Small.load(workerData.weights, { device });
  parentPort.postMessage(await scoresOf(model));
  const running = Promise.all(Array.from({ length: 20 }, () => scoresOf(model)));
  await sleep(50 * workerData.moment);
  return { model, running };
}

/** What a worker does, by its role; a role may never end by itself. */
const roles = {
  checksum: async () => parentPort.postMessage(await checksum(workerData.seed)),

  // and leaves all of it to the end
  'load and run once': async () => {
    const model = await Small.load(workerData.weights, { device });
    const scores = await scoresOf(model);
    parentPort.postMessage({ scores, reserved: library.device(device).memory().reservedBytes });
  },

  'many tensors': () => {
    const held = Array.from({ length: 20 }, () => Tensor.zeros([3], { device }));
    parentPort.postMessage(library.device(device).memory().tensors);
    for (const tensor of held) tensor.dispose();
  },

  work: async () => {
    const model = new ResNet18({ device, numClasses: 10 });
    const x = Tensor.randn([1, 3, 64, 64], { device });
    for (;;) {
      await Promise.all([model.forward(x).data(), model.predict(x).topK(3)]);
      parentPort.postMessage('results');
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

  'load, run and return': async () => {
    const { model, running } = await loadAndRun();
    await running;
    model.dispose();
  },

  'load, run and return at work': async () => {
    await loadAndRun();
  },

  'load, run and exit': async () => {
    await loadAndRun();
    process.exit(0);
  },

  'load, run and throw': async () => {
    await loadAndRun();
    throw new Error('thrown on purpose');
  },

  'load and run on': async () => {
    for (;;) await (await loadAndRun()).running;
  },
};

function start(role, data = {}) {
  return new Worker(new URL(import.meta.url), { argv: [name, device], workerData: { role, ...data } });
}

/** What a worker says before it ends, and its exit code: both may come in one turn of the event loop. */
async function resultOf(worker) {
  const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return { message, code };
}

const cases = {
  'load, run and end': async () => {
    const mine = await checksum(1);
    for (let i = 0; i < 3; i++) {
      const { message, code } = await resultOf(start('checksum', { seed: 1 }));
      if (message !== mine || code !== 0) throw new Error(`${message} and ${code}, not ${mine} and 0`);
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

  // each loads the same file, runs and ends in its way, at a moment that was drawn: a fraction of the time that there is
  'sixteen at once': () =>
    withWeights(async (weights, scoresHere) => {
      const moments = args[0]
        ? JSON.parse(args[0])
        : Array.from({ length: 16 }, (_, i) => ((5 * i) % 16) / 16);
      const expected = await scoresHere();
      /** Whether a worker of this role ends with this code, and came to no other scores until then. */
      const endsAsItShould = async ([role, code], moment) => {
        const worker = start(role, { weights, moment });
        const end = new Promise((resolve) => worker.on('exit', resolve)); // once() would reject at 'error'
        const scores = [];
        worker.on('message', (message) => scores.push(message));
        worker.on('error', (error) => error.message !== 'thrown on purpose' && scores.push(String(error)));
        if (role === 'load and run on') {
          await once(worker, 'online'); // Node gives one that ends sooner the code 0
          await sleep(1500 * moment); // while it loads or runs
          worker.terminate();
        }
        const right = (await end) === code && scores.every((of) => of === expected);
        return right && (role === 'load and run on' || scores.length === 1);
      };
      const roleEnds = Object.entries({
        'load, run and return': 0,
        'load, run and return at work': 0,
        'load, run and exit': 0,
        'load, run and throw': 1,
        'load and run on': 1,
      });
      const ends = moments.map((moment, i) => endsAsItShould(roleEnds[i % roleEnds.length], moment));
      return [...(await Promise.all(ends)), (await scoresHere()) === expected].every(Boolean);
    }),

  'memory of its own': async () => {
    const mine = Tensor.zeros([7], { device });
    const { message } = await resultOf(start('many tensors'));
    const { tensors } = library.device(device).memory();
    mine.dispose();
    return message === 20 && tensors === 1;
  },

  'memory of many lifetimes': () =>
    withWeights(async (weights, scoresHere) => {
      const expected = await scoresHere();
      const [resident, reserved] = [[], []];
      const lifetimes = process.env.LONG_TESTS === '1' ? 500 : 50;
      for (let i = 0; i < lifetimes; i++) {
        const { message } = await resultOf(start('load and run once', { weights }));
        if (message.scores !== expected) throw new Error(`other scores in worker ${i}`);
        resident.push(megabytes(process.memoryUsage.rss()));
        reserved.push(megabytes(message.reserved));
      }
      return { resident, reserved };
    }),
};

if (isMainThread) {
  const result = await cases[name]();
  process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  await roles[workerData.role]();
}
