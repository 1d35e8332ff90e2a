// How long the first forward of a process takes with plans made beforehand:
//
//   node scripts/gpu/first-forward.mjs PLANS BATCH DTYPE
//
// Runs in the package's folder, built, with CUDNN_RESNET_CACHE at an empty folder. Exits 1 where it takes a second or more,
// or where a plan had to be compiled after all.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ResNet50, Tensor } from '../../dist/index.js';

const [plans, batch, dtype] = process.argv.slice(2);
const model = new ResNet50({ device: 'cuda', dtype, plans });
const x = Tensor.randn([Number(batch), 3, 224, 224], { device: 'cuda', dtype, seed: 1 });
await model.device.synchronize();

const time = async () => {
  const begin = performance.now();
  await model.forward(x).data();
  return performance.now() - begin;
};
const first = await time();
const second = await time();
const kept = join(process.env.CUDNN_RESNET_CACHE, 'plans');
const compiled = existsSync(kept) ? readdirSync(kept).length : 0;
console.log(
  `${dtype}, batch ${batch}: first forward ${first.toFixed(0)} ms, second ${second.toFixed(1)} ms, ${compiled} plans compiled`,
);
process.exitCode = first < 1000 && compiled === 0 ? 0 : 1;
