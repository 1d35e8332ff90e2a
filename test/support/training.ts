import { expect } from 'vitest';
import type { nn, Tensor } from '../../lib/index.js';
import { expectClose, perNetwork } from './compare.js';
import { images } from './generator.js';
import { download, upload } from './tensors.js';
import { type Values, values } from './values.js';

/**
 * What `train_twice` of test/golden/make_networks.py does: evaluation, two steps in training mode, and evaluation again
 * with the statistics that those left behind.
 */
export async function expectGoldenTraining(
  module: nn.Module,
  name: string,
  shape: readonly [number, number, number, number],
  golden: (name: string) => Values,
): Promise<void> {
  const device = module.parameters()[0]!.device;
  const expectOutput = async (input: string, output: string) => {
    const x = upload(images(`${name}.${input}`, shape), 'float32', device);
    expectClose(await download(module.forward(x)), golden(`${name}.${output}`), perNetwork.float32, output);
  };

  module.eval();
  await expectOutput('x1', 'eval');
  expect(await batchesTracked(module)).toEqual(new Set([0]));
  module.train();
  await expectOutput('x1', 'train1');
  await expectOutput('x2', 'train2');
  module.eval();
  for (const statistic of ['running_mean', 'running_var']) {
    const found = values(golden(`${name}.${statistic}`).shape, (await entries(module, statistic)).flat());
    expectClose(found, golden(`${name}.${statistic}`), perNetwork.float32, statistic);
  }
  await expectOutput('x1', 'eval2');
  expect(await batchesTracked(module)).toEqual(new Set([2]));
}

async function batchesTracked(module: nn.Module): Promise<Set<number>> {
  return new Set((await entries(module, 'num_batches_tracked')).flat());
}

/** The elements of every entry of the state dict whose key ends so, in order. */
function entries(module: nn.Module, ending: string): Promise<number[][]> {
  const found = [...module.stateDict()].filter(([key]) => key.endsWith(ending));
  return Promise.all(found.map(async ([, x]: [string, Tensor]) => [...(await download(x)).data]));
}
