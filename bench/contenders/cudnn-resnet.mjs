// usage: cudnn-resnet.mjs DIRECTORY THREADS [DEVICE] [DTYPE] [FOLDER]     FOLDER: of another checkout of this package
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { directory, serve } from './serve.mjs';

const [device = 'cpu', dtype = 'float32', folder] = process.argv.slice(4);
const api = await import(folder ? pathToFileURL(join(folder, 'dist/index.js')).href : 'cudnn-resnet');
let model;
let images;

/** How long `work` takes, and for how long cores computed meanwhile. */
async function measured(work) {
  const [begin, cpuBegin] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpuBegin);
  return { seconds: (performance.now() - begin) / 1000, cpuSeconds: (user + system) / 1e6 };
}

async function filesIn(images) {
  const names = (await readdir(images)).filter((name) => name.endsWith('.jpg')).sort();
  return names.map((name) => join(images, name));
}

await serve({
  version: api.device(device).info.engine,
  async load() {
    const { model: name } = JSON.parse(await readFile(`${directory}/model.json`, 'utf8'));
    model = await api[name.replace('resnet', 'ResNet')].load(`${directory}/model.safetensors`, {
      device,
      dtype,
    });
  },
  inference(batch) {
    images = batch;
    return async () => {
      const logits = model.forward(images);
      const numbers = dtype === 'float32' ? logits : logits.to({ dtype: 'float32' });
      const values = await numbers.data();
      logits.dispose();
      numbers.dispose();
      return values;
    };
  },
  commands: {
    // forward passes whose inputs are on the device already, and in no cache of a GPU
    async resident(count) {
      const shape = [images.length / (3 * 224 * 224), 3, 224, 224];
      const inputs = Array.from({ length: Math.min(64, 1 + Math.floor(2 ** 28 / images.byteLength)) }, () =>
        api.Tensor.from(images, shape, { device, dtype }),
      );
      const forward = (i) => model.forward(inputs[i % inputs.length]).dispose();
      forward(0);
      await model.device.synchronize();
      const begin = performance.now();
      for (let i = 0; i < Number(count); i++) forward(i);
      await model.device.synchronize();
      const milliseconds = (performance.now() - begin) / Number(count);
      for (const input of inputs) input.dispose();
      return { milliseconds };
    },
    // from an array on the host to one on the host, three of them under way at a time
    async overlapped(count) {
      let left = Number(count);
      const begin = performance.now();
      const inTurn = async () => {
        while (left-- > 0) {
          const logits = model.forward(images);
          await logits.data();
          logits.dispose();
        }
      };
      await Promise.all([inTurn(), inTurn(), inTurn()]);
      return { milliseconds: (performance.now() - begin) / Number(count) };
    },
    // from files to classes
    async classify(images, batch) {
      const files = await filesIn(images);
      return measured(() => model.classify(files, { batch: Number(batch), top: 5 }));
    },
    // from files to pixels
    async decode(images, batch) {
      const files = await filesIn(images);
      return measured(async () => {
        for (let first = 0; first < files.length; first += Number(batch)) {
          await Promise.all(files.slice(first, first + Number(batch)).map((file) => api.preprocess(file)));
        }
      });
    },
    // from pixels to classes
    async infer(images, batch) {
      const files = await filesIn(images);
      const pixels = Buffer.concat(
        await Promise.all(files.slice(0, Number(batch)).map((file) => api.preprocess(file))),
      );
      return measured(async () => {
        for (let first = 0; first < files.length; first += Number(batch)) {
          const scores = model.predict(pixels);
          await scores.topK(5);
          scores.dispose();
        }
      });
    },
  },
});
