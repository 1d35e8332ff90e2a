// usage: layouts.mjs NETWORK BATCH DTYPE DETERMINISTIC     a forward pass after the line "ready", for oneDNN to tell what it runs
import { ResNet18, ResNet50, Tensor } from '../../dist/index.js';

const [name, batch, dtype, deterministic] = process.argv.slice(2);
const model = new { ResNet18, ResNet50 }[name]({
  device: 'cpu',
  dtype,
  deterministic: deterministic === 'true',
});
const images = Tensor.randn([Number(batch), 3, 224, 224], { device: 'cpu', seed: 1 });
const pass = async () => {
  const logits = model.forward(images);
  await logits.data();
};
await pass(); // weights are brought into their layouts
await pass();
console.log('ready');
await pass();
