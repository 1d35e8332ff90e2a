import { BasicBlock } from '../lib/index.js';
import type { DeviceId } from './support/devices.js';
import { goldenTensors } from './support/golden.js';
import { loadGenerated, withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';
import { expectGoldenTraining } from './support/training.js';

const golden = goldenTensors('blocks.safetensors');

const blocks: [string, (device: DeviceId) => BasicBlock, [number, number, number, number]][] = [
  ['basic-identity', (device) => new BasicBlock(17, 17, { device }), [2, 17, 5, 9]],
  ['basic-downsample', (device) => new BasicBlock(17, 34, { stride: 2, device }), [3, 17, 7, 5]],
];

onEveryDevice('BasicBlock', (id) => {
  for (const [name, make, shape] of blocks) {
    check(`${name}: eval, two steps of training, eval again`, () =>
      withModule(make(id), async (module) => {
        loadGenerated(module, name);
        await expectGoldenTraining(module, name, shape, golden);
      }),
    );
  }
});
