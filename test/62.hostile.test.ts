import { describe, test } from 'vitest';
import { preprocess, ResNet18, readWeights, Tensor } from '../lib/index.js';
import { deviceIds } from './support/devices.js';
import { expectRejects } from './support/errors.js';
import { returnsMemory } from './support/memory.js';

returnsMemory();

const on = { device: deviceIds[0]! };

function revoked<T extends object>(target: T): never {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy as never;
}

describe('what only looks like an argument is ERR_ARGUMENT', () => {
  const fake = Object.create(AbortSignal.prototype);
  test.each<[string, () => unknown]>([
    ['a signal that is none', () => readWeights('x', { signal: fake })],
    [
      'a signal that is none, of a reading',
      async () => {
        using x = Tensor.zeros([1], on);
        await x.data({ signal: fake });
      },
    ],
    ['a revoked signal', () => readWeights('x', { signal: revoked(new AbortController().signal) })],
    ['revoked options', () => readWeights('x', revoked({}))],
    ['a revoked path', () => readWeights(revoked({}))],
    ['a revoked image', () => preprocess(revoked([]))],
    ['a revoked number of classes', () => new ResNet18({ ...on, numClasses: revoked({}) })],
  ])('%s', async (_, call) => {
    await expectRejects('ERR_ARGUMENT', (async () => call())());
  });
});
