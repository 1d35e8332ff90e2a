// Prints, as JSON, digests of what seeded networks and operations come to, bit for bit, and how many threads there were.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { ops, ResNet18, ResNet50, Tensor } from '../../dist/index.js';

const [, , device] = process.argv;
const at = { device };

async function digest(...tensors) {
  const hash = createHash('sha256');
  for (const tensor of tensors) hash.update(new Uint8Array((await tensor.data()).buffer));
  return hash.digest('hex').slice(0, 16);
}

const draw = (shape, seed, dtype = 'float32') => Tensor.randn(shape, { ...at, seed, dtype });

/** What deterministic networks and operations give in inference, and operations that sum over no more than a window. */
const inference = {};
/** What else does: an engine may split its sums among threads. */
const sums = {};

for (const [Model, batch, side, dtype] of [
  [ResNet18, 1, 64, 'float32'],
  [ResNet50, 3, 65, 'float32'],
  [ResNet50, 2, 64, 'bfloat16'],
]) {
  const name = `${Model.name} ${dtype} ${batch} ${side}`;
  const x = draw([batch, 3, side, side], 1, dtype);
  const deterministic = new Model({ ...at, dtype, seed: 7, deterministic: true });
  inference[name] = await digest(
    deterministic.forward(x),
    deterministic.features(x),
    deterministic.predict(x),
  );
  deterministic.dispose();
  const model = new Model({ ...at, dtype, seed: 7 });
  sums[name] = await digest(model.forward(x), model.forward(x), model.features(x));
  model.train();
  sums[`${name} in training`] = await digest(
    model.forward(draw([2, 3, 64, 64], 2, dtype)),
    ...model.buffers(),
  );
  model.dispose();
}
for (const [n, c, side] of [
  [1, 3, 7],
  [2, 17, 30],
  [5, 64, 56],
]) {
  const x = draw([n, c, side, side], 3);
  const name = `operations ${n} ${c} ${side}`;
  inference[name] = await digest(
    ops.conv2d(x, draw([c + 1, c, 3, 3], 4), { padding: 1, activation: 'gelu' }),
    ops.conv2d(x, draw([c, 1, 5, 5], 5), { groups: c, stride: 2 }),
    ops.conv2d(x.reshape([n, -1, 1, 1]), draw([11, c * side * side, 1, 1], 6)),
    ops.linear(x.reshape([n, -1]), draw([11, c * side * side], 6), { deterministic: true }),
    ops.globalAvgPool(x),
    ops.avgPool2d(x, { kernelSize: 3, stride: 2 }),
    ops.softmax(x),
    ops.add(x, x, { activation: 'tanh' }),
  );
  const statistics = [Tensor.zeros([c], at), Tensor.zeros([c], at)];
  const [runningMean, runningVariance] = statistics;
  sums[name] = await digest(
    ops.linear(x.reshape([n, -1]), draw([11, c * side * side], 6)),
    ops.batchNormTraining(x, { runningMean, runningVariance }),
    ...statistics,
  );
}
/** Of this process, where the system lists them. */
const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').length : undefined;
process.stdout.write(`${JSON.stringify({ inference, sums, threads })}\n`);
