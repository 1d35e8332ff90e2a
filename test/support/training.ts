import { expect } from 'vitest';
import type { nn, Tensor } from '../../lib/index.js';
import { expectClose, perNetwork } from './compare.js';
import type { DeviceId } from './devices.js';
import { images } from './generator.js';
import { loadGenerated } from './modules.js';
import { download, upload } from './tensors.js';
import { sizeOf, type Values, values } from './values.js';

/**
 * What `train_twice` of test/golden/make_networks.py does: evaluation, two steps in training mode, and evaluation again
 * with the statistics that those left behind.
 */
export async function expectGoldenTraining(
  module: nn.Module & { forward(x: Tensor): Tensor },
  name: string,
  weights: string,
  golden: (name: string) => Values,
  shape: [number, number, number, number],
  id: DeviceId,
): Promise<void> {
  loadGenerated(module, weights).to({ device: id });
  const [x1, x2] = [images(`${name}.x1`, shape), images(`${name}.x2`, shape)];
  const compare = async (x: Values, output: string) => {
    const y = module.forward(upload(x, 'float32', id));
    expectClose(await download(y), golden(`${name}.${output}`), perNetwork.float32, output);
  };

  module.eval();
  await compare(x1, 'eval');
  expect(await batchesTracked(module)).toEqual(new Set([0n]));
  module.train();
  await compare(x1, 'train1');
  await compare(x2, 'train2');
  expect(await batchesTracked(module)).toEqual(new Set([2n]));
  for (const statistic of ['running_mean', 'running_var']) {
    const all = await concatenated(module, statistic);
    expectClose(all, golden(`${name}.${statistic}`), perNetwork.float32, statistic);
  }
  module.eval();
  await compare(x1, 'eval2');
  expect(await batchesTracked(module)).toEqual(new Set([2n]));
}

async function batchesTracked(module: nn.Module): Promise<Set<bigint>> {
  const counts = entries(module, 'num_batches_tracked').map(async (x) => (await x.data()) as BigInt64Array);
  return new Set((await Promise.all(counts)).map(([count]) => count!));
}

async function concatenated(module: nn.Module, suffix: string): Promise<Values> {
  const parts = await Promise.all(entries(module, suffix).map(download));
  const data = parts.flatMap(({ data }) => [...data]);
  return values([parts.reduce((sum, { shape }) => sum + sizeOf(shape), 0)], data);
}

function entries(module: nn.Module, suffix: string): Tensor[] {
  return [...module.stateDict()].filter(([key]) => key.endsWith(suffix)).map(([, x]) => x);
}
