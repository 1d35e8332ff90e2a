import { beforeEach, describe, test } from 'vitest';
import { scope } from '../../lib/index.js';
import { type DeviceId, deviceIds } from './devices.js';
import { returnsMemory } from './memory.js';
import { seed } from './random.js';

/** Declares a suite once for each device, with the check of its memory; a failing test prints the seed. */
export function onEveryDevice(subject: string, declare: (device: DeviceId) => void): void {
  describe.each(deviceIds)(`${subject} on %s`, (id) => {
    returnsMemory();
    beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(`TEST_SEED=${seed}`)));
    declare(id);
  });
}

/** A test whose tensors are disposed when it ends. */
export function check(
  name: string,
  body: () => void | Promise<void>,
  options: { timeout?: number } = {},
): void {
  test(name, options, async () => {
    await scope(async () => {
      await body();
    });
  });
}
