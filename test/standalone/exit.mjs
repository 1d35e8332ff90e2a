// One way to end a process, named by the first argument, on the device named by the second; what follows depends on the case.
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { Worker } from 'node:worker_threads';
import * as library from '../../dist/index.js';

const { CudnnResnetError, ops, ResNet18, Tensor } = library;
const [, , name, device, ...args] = process.argv;

/** A network that is at work, its random weights first, and tensors that nobody disposes of. */
function busy(forwards = 5, side = 64, model = new ResNet18({ device, numClasses: 10 })) {
  const x = Tensor.randn([2, 3, side, side], { device });
  return Array.from({ length: forwards }, () => model.forward(x));
}

/** A network that has its weights. */
async function initialized() {
  const model = new ResNet18({ device, numClasses: 10 });
  await model.device.synchronize();
  return model;
}

/** Says how many operations are not done, and exits. */
function exitAtWork(code) {
  process.stdout.write(`${library.device(device).pending}\nend of main\n`);
  process.exit(code);
}

async function forever() {
  const model = new ResNet18({ device, numClasses: 10 });
  const x = Tensor.randn([2, 3, 64, 64], { device });
  await model.forward(x).data();
  process.stdout.write('ready\n');
  for (;;) {
    await model.forward(x).data();
  }
}

const cases = {
  return: async () => {
    await busy()[0].data();
    busy();
  },

  'process.exit during a forward': async () => {
    busy(20, 64, await initialized());
    await sleep(Number(args[0]));
    exitAtWork(3);
  },

  'process.exit during a read': async () => {
    for (const y of busy(20, 64, await initialized())) y.data();
    await sleep(Number(args[0]));
    exitAtWork(3);
  },

  // of as many images as take a fifth of a second, so many times
  'process.exit during a long operation': async () => {
    const [channels, side, times] = args.map(Number);
    const weight = Tensor.zeros([channels, channels, 7, 7], { device });
    const images = async (n) => {
      const x = Tensor.zeros([n, channels, side, side], { device });
      await library.device(device).synchronize();
      return x;
    };
    let [n, took] = [1, 0];
    for (; took < 200 && n <= 4096; n *= 2) {
      const x = await images(n);
      const begin = performance.now();
      ops.conv2d(x, weight, { padding: 3 });
      await library.device(device).synchronize();
      took = performance.now() - begin;
    }
    ops.conv2d(await images((n / 2) * times), weight, { padding: 3 });
    await sleep(20);
    process.stdout.write(`${took * times}\nend of main\n`);
    process.exit(3);
  },

  'process.exit with 1,000 forwards queued': async () => {
    busy(1000, Number(args[0]), await initialized());
    exitAtWork(4);
  },

  // a first forward at each size makes every primitive, or plan, anew
  'process.exit during planning': async () => {
    const model = await initialized();
    for (let side = 32; side < 160; side += 8) model.forward(Tensor.zeros([1, 3, side, side], { device }));
    await sleep(Number(args[0]));
    exitAtWork(3);
  },

  'process.exit while the queue is full': async () => {
    const on = library.device(device);
    on.setQueueLimit({ operations: 10 });
    const x = Tensor.randn([8, 8, 256, 256], { device });
    const fill = () => {
      try {
        // a device that keeps up has taken so many
        for (let i = 0; i < 100; i++)
          ops
            .activation(x, 'tanh')
            .data({ deadline: 60_000 })
            .catch(() => undefined);
      } catch (error) {
        if (error.code !== 'ERR_BUSY') throw error;
      }
    };
    fill();
    on.ready();
    await sleep(Number(args[0]));
    fill(); // for what was done meanwhile
    exitAtWork(3);
  },

  // one load after the other, so that at every moment one is under way
  'process.exit during weight loading': async () => {
    let loading = false;
    const load = async () => {
      for (;;) {
        loading = true;
        const model = await ResNet18.load(args[0], { device });
        loading = false;
        model.dispose();
      }
    };
    load();
    await sleep(Number(args[1]));
    process.stdout.write(`${loading}\nend of main\n`);
    process.exit(5);
  },

  'process.exit while workers work': async () => {
    const program = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.library).then(async ({ ResNet18, Tensor }) => {
        const model = new ResNet18({ device: workerData.device, numClasses: 10 });
        const x = Tensor.randn([1, 3, 32, 32], { device: workerData.device });
        for (;;) {
          await model.forward(x).data();
          parentPort.postMessage('a result');
        }
      });`;
    const workerData = { device, library: new URL('../../dist/index.js', import.meta.url).href };
    const workers = Array.from({ length: 4 }, () => new Worker(program, { eval: true, workerData }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    busy();
    await sleep(Number(args[0]));
    process.exit(6);
  },

  'exit code of its own': () => {
    busy();
    process.exitCode = 7;
  },

  throw: () => {
    busy();
    throw new Error('thrown on purpose');
  },

  'throw later': async () => {
    busy();
    await sleep(20);
    setImmediate(() => {
      throw new Error('thrown on purpose');
    });
    await forever();
  },

  'unhandled rejection': () => {
    busy();
    const without = Tensor.from([1, 2], [2], { device });
    library.device(device).setMemoryLimit(0);
    ops.add(without, without).data(); // beyond the limit, and nobody catches it
  },

  signal: forever,

  'a pending read': () => {
    busy()[4]
      .data()
      .then(() => process.stdout.write('resolved\n'));
    process.stdout.write('end of main\n');
  },

  'work that nobody waits for': () => {
    busy(Number(args[0]), 224);
    process.stdout.write('end of main\n');
  },

  'reading in the exit handler': () => {
    const y = busy()[4];
    process.on('exit', () => process.stdout.write(`${y.dataSync().length}\n`));
  },

  'disposing in the exit handler': () => {
    const all = busy();
    process.on('exit', () => {
      for (const y of all) y.dispose();
    });
  },

  'the addon from two paths': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cudnn-resnet-'));
    const require = createRequire(import.meta.url);
    const built = fileURLToPath(new URL('../../build/Release/cudnn_resnet.node', import.meta.url));
    busy();
    const sums = [];
    for (const file of ['a.node', 'b.node']) {
      copyFileSync(built, join(folder, file));
      const addon = require(join(folder, file));
      const on = addon.openDevice(device);
      const data = Float32Array.of(1, 2, 3);
      const x = addon.upload({ device: on, shape: [3], dtype: 'float32', dataType: 'float32', data });
      sums.push(...new Float32Array(await addon.add({ a: x, b: x }).data()));
    }
    rmSync(folder, { recursive: true });
    process.stdout.write(`${JSON.stringify(sums)}\n`);
  },

  'the handles of another copy': () => {
    const folder = mkdtempSync(join(tmpdir(), 'cudnn-resnet-'));
    const require = createRequire(import.meta.url);
    const built = fileURLToPath(new URL('../../build/Release/cudnn_resnet.node', import.meta.url));
    copyFileSync(built, join(folder, 'other.node'));
    const addon = require(join(folder, 'other.node'));
    rmSync(folder, { recursive: true });
    const mine = Tensor.zeros([2], { device });
    const theirs = addon.zeros({ device: addon.openDevice(device), shape: [2], dtype: 'float32' });
    let answer = 'taken';
    try {
      addon.add({ a: mine.handle, b: theirs }).dataSync();
    } catch (error) {
      answer = error.code;
    }
    process.stdout.write(`${answer}\n`);
  },

  'a vm context': async () => {
    const context = vm.createContext({ ...library, device: library.device(device), failed: [] });
    const script = `
      (async () => {
        const x = Tensor.from(new Float32Array([1, -2, 3]), [3], { device });
        const y = Tensor.from([1, 1, 1], [3], { device });
        try { Tensor.from(new Float32Array(2), [3], { device }); }
        catch (error) { failed.push(error.code, error instanceof CudnnResnetError); }
        return [...(await ops.add(x, y, { activation: 'relu' }).data())];
      })()`;
    const sum = await vm.runInContext(script, context);
    process.stdout.write(`${JSON.stringify([[...sum], ...context.failed])}\n`);
  },

  'collection between every two operations': async () => {
    // what is collected is freed in the turns of the event loop after that
    const collect = async (value) => {
      globalThis.gc();
      await nextTurn();
      return value;
    };
    const run = async (step) => {
      let x = await step(Tensor.randn([1, 4, 6, 6], { device, seed: 1 }));
      for (let i = 0; i < 20; i++) {
        const weight = await step(Tensor.randn([4, 4, 3, 3], { device, seed: i }));
        const y = await step(ops.conv2d(x, weight, { padding: 1, add: x }));
        x = await step(ops.softmax(await step(ops.activation(y, 'tanh'))));
      }
      return { tensors: library.device(device).memory().tensors, values: [...(await x.data())] };
    };
    const [collected, plain] = [await run(collect), await run((value) => value)];
    const same = collected.values.every((value, i) => value === plain.values[i]);
    process.stdout.write(`${JSON.stringify({ same, tensors: collected.tensors })}\n`);
  },

  'fork after use': async () => {
    await busy()[4].data();
    const child = fork(fileURLToPath(import.meta.url), ['return', device]);
    const running = busy(20);
    const code = await new Promise((resolve) => child.on('exit', (c, signal) => resolve(c ?? signal)));
    const sync = spawnSync(process.execPath, [fileURLToPath(import.meta.url), 'throw', device]);
    const echoed = execFileSync('sh', ['-c', 'echo from a shell'], { encoding: 'utf8' }).trim();
    await running[19].data();
    process.stdout.write(`${JSON.stringify([code, sync.status, echoed])}\n`);
  },

  'more threads than can be made': async () => {
    await busy()[0].data();
    library.device(device).setThreads(2000);
    await busy()[0].data();
  },

  'a failed allocation': async () => {
    const codes = [];
    for (const make of [
      () => Tensor.zeros([2 ** 30, 4], { device }),
      () => Tensor.randn([2 ** 30, 4], { device }),
      () => Tensor.zeros([2 ** 30, 4], { device, dtype: 'bfloat16' }),
      () =>
        ops.conv2d(Tensor.zeros([1, 1, 512, 512], { device }), Tensor.zeros([16384, 1, 1, 1], { device })),
    ]) {
      try {
        const x = make();
        await x.data();
        codes.push('none');
      } catch (error) {
        codes.push(error instanceof CudnnResnetError ? error.code : String(error));
      }
    }
    const one = Tensor.from([1, 2], [2], { device });
    process.stdout.write(`${JSON.stringify([codes, [...(await ops.add(one, one).data())]])}\n`);
  },
};

await cases[name]();
