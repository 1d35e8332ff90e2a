import { expect } from 'vitest';
import { BasicBlock, device } from '../lib/index.js';
import { expectThrows } from './support/errors.js';
import { checkGoldenBlocks } from './support/golden-blocks.js';
import { check, onEveryDevice } from './support/suite.js';

onEveryDevice('BasicBlock', (id) => {
  checkGoldenBlocks([
    ['basic-identity', () => new BasicBlock(17, 17, { device: id }), [2, 17, 5, 9]],
    ['basic-downsample', () => new BasicBlock(17, 34, { stride: 2, device: id }), [3, 17, 7, 5]],
  ]);

  check('refuses a stride that is none before anything is made', () => {
    const before = device(id).memory().tensors;
    for (const stride of [0, 1.5, [2, 1], '2'] as never[]) {
      expectThrows('ERR_ARGUMENT', () => new BasicBlock(8, 8, { stride, device: id }), /^BasicBlock: stride/);
    }
    expect(device(id).memory().tensors).toBe(before);
  });
});
