import { expect } from 'vitest';
import { BasicBlock, device } from '../lib/index.js';
import type { DeviceId } from './support/devices.js';
import { expectThrows } from './support/errors.js';
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

  check('refuses a stride that is none before anything is made', () => {
    const before = device(id).memory().tensors;
    for (const stride of [0, 1.5, [2, 1], '2'] as never[]) {
      expectThrows('ERR_ARGUMENT', () => new BasicBlock(8, 8, { stride, device: id }), /^BasicBlock: stride/);
    }
    expect(device(id).memory().tensors).toBe(before);
  });
});
