import { type DeviceInfo, devices } from '../../lib/index.js';

export type DeviceId = DeviceInfo['id'];

/** The devices to test: all that are present, or those that `TEST_DEVICES` names ("cpu", "cpu,cuda:0"). */
export const deviceIds: readonly DeviceId[] = devices()
  .map(({ id }) => id)
  .filter((id) => process.env.TEST_DEVICES?.split(',').includes(id) ?? true);

if (deviceIds.length === 0) {
  throw new Error(`TEST_DEVICES=${process.env.TEST_DEVICES} names none of ${devices().map(({ id }) => id)}`);
}
