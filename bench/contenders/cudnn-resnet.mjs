import { readFile } from 'node:fs/promises';
import { devices, ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 } from 'cudnn-resnet';
import { directory, serve } from './serve.mjs';

const models = {
  resnet18: ResNet18,
  resnet34: ResNet34,
  resnet50: ResNet50,
  resnet101: ResNet101,
  resnet152: ResNet152,
};
let model;

await serve({
  version: devices()[0].engine,
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
});
