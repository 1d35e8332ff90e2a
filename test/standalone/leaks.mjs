// Uses most of the package once on the device that the first argument names, and disposes of all of it: what a sanitizer
// then finds at the end of the process was leaked. Prints, as JSON, the tensors that are left and what did not go as it should.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import sharp from 'sharp';
import * as library from '../../dist/index.js';

const { BasicBlock, ops, readWeights, ResNet, saveWeights, Tensor } = library;
const [, , device] = process.argv;
const on = library.device(device);
const start = on.memory().tensors;
const wrong = [];

class Small extends ResNet {
  constructor(options) {
    super({ block: BasicBlock, layers: [1, 1, 1, 1], numClasses: 10, ...options });
  }
}

/** Expects a promise to reject with an error of this code. */
async function fails(what, code, promise) {
  const outcome = await promise.then(
    (value) => {
      value?.dispose?.();
      return 'went through';
    },
    (error) => error.code ?? String(error),
  );
  if (outcome !== code) wrong.push(`${what}: ${outcome}, not ${code}`);
}

/** Expects what `run` gives to reject with the reason that its signal is aborted with, once `after` is over. */
async function aborted(what, run, after) {
  const controller = new AbortController();
  const running = run(controller.signal);
  after().then(() => controller.abort('enough'));
  const reason = await running.then(
    (value) => {
      value?.dispose?.();
      return 'went through';
    },
    (error) => error,
  );
  if (reason !== 'enough') wrong.push(`${what}: ${reason}`);
}

const folder = mkdtempSync(join(tmpdir(), 'cudnn-resnet-'));
try {
  // weights: written, read, loaded whole, damaged and not to the end
  const whole = join(folder, 'whole.safetensors');
  const made = new Small({ device });
  await saveWeights(whole, made.stateDict());
  made.dispose();
  const bytes = readFileSync(whole);
  const cut = join(folder, 'cut.safetensors');
  writeFileSync(cut, bytes.subarray(0, bytes.length - 1000));
  const damaged = join(folder, 'damaged.safetensors');
  writeFileSync(damaged, Buffer.concat([bytes.subarray(0, 40), Buffer.alloc(40, 0xff), bytes.subarray(80)]));
  for (const path of [cut, damaged]) {
    await fails(`a load of ${path}`, 'ERR_WEIGHTS', Small.load(path, { device }));
    await fails(`a read of ${path}`, 'ERR_WEIGHTS', readWeights(path));
  }
  await aborted('a load', (signal) => Small.load(whole, { device, signal }), turn);
  await aborted('a read of weights', (signal) => readWeights(whole, { signal }), turn);
  await readWeights(whole);
  const model = await Small.load(whole, { device });

  // forwards, and a reading that is aborted while they are queued
  const x = Tensor.randn([8, 3, 96, 96], { device });
  const results = Array.from({ length: 10 }, () => model.forward(x));
  await aborted(
    'a reading',
    (signal) => results[9].data({ signal }),
    async () => undefined,
  ); // no GPU is done by then
  await results[0].topK(3);
  for (const result of results) result.dispose();

  // encoded images
  const pictures = await Promise.all(
    [30, 60, 90].map((side) =>
      sharp(Buffer.alloc(side * 40 * 3, side), { raw: { width: side, height: 40, channels: 3 } })
        .png()
        .toBuffer(),
    ),
  );
  const classes = await model.classify(pictures, { top: 2, batch: 2 });
  if (classes.length !== 3) wrong.push(`classes of ${classes.length} images`);
  await model.embed(pictures[0]);
  await fails('an image that is none', 'ERR_IMAGE', model.classify(pictures[0].subarray(0, 50)));
  await aborted('classify', (signal) => model.classify(pictures, { signal }), turn);

  // a program
  const weight = Tensor.randn([4, 3, 3, 3], { device });
  const input = Tensor.randn([1, 3, 9, 9], { device });
  const program = on.record((y) => ops.softmax(ops.conv2d(y, weight, { activation: 'relu' })), [input]);
  for (let i = 0; i < 3; i++) {
    const y = program.run(input);
    await y.data();
    y.dispose();
  }
  await fails('a program given another shape', 'ERR_SHAPE', (async () => program.run(weight))());
  for (const held of [program, weight, input, x]) held.dispose();

  await saveWeights(join(folder, 'again.safetensors'), model.stateDict());
  if (!readFileSync(join(folder, 'again.safetensors')).equals(bytes)) wrong.push('other weights were saved');
  model.dispose();
} finally {
  rmSync(folder, { recursive: true });
}
await on.synchronize();
on.trim();
process.stdout.write(`${JSON.stringify({ tensors: on.memory().tensors - start, wrong })}\n`);
