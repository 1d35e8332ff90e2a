// Of this checkout, or of the package in the folder that is named as a third argument.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { directory, serve } from './serve.mjs';

const [folder] = process.argv.slice(4);
const api = await import(folder ? pathToFileURL(join(folder, 'dist/index.js')).href : 'cudnn-resnet');
const models = {
  resnet18: api.ResNet18,
  resnet34: api.ResNet34,
  resnet50: api.ResNet50,
  resnet101: api.ResNet101,
  resnet152: api.ResNet152,
};
let model;

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
  version: api.devices()[0].engine,
  async load() {
    const { model: name } = JSON.parse(await readFile(`${directory}/model.json`, 'utf8'));
    model = await models[name].load(`${directory}/model.safetensors`);
  },
  inference: (images) => async () => {
    const logits = model.forward(images);
    const values = await logits.data();
    logits.dispose();
    return values;
  },
  commands: {
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
