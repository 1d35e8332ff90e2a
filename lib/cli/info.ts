import type { DeviceInfo } from '../index.js';
import { print } from './output.js';
import { type Command, textOf, UsageError } from './usage.js';

export const info: Command = {
  summary: 'Tells which devices there are, what was built, what is missing and how to get it',
  operands: '',
  details: 'Put its output into a bug report.',
  options: {
    json: { help: 'the devices and the text as one line of JSON' },
    'device-properties': { help: "only the properties of a GPU, as JSON: a file for 'plan --gpu'" },
    device: { value: 'ID', help: 'which GPU has the properties: cuda:N (default cuda:0)' },
  },

  async run(given) {
    if (given['device-properties']) {
      const { native } = await import('../native.js');
      await print(`${native().deviceProperties(textOf(given, 'device') ?? 'cuda:0')}\n`);
      return 0;
    }
    if (given.device !== undefined) {
      throw new UsageError('--device goes with --device-properties: info is about all devices');
    }
    const { diagnose } = await import('../index.js');
    const diagnosis = diagnose().trimEnd();
    const report = given.json ? JSON.stringify({ devices: await usableDevices(), diagnosis }) : diagnosis;
    await print(`${report}\n`);
    return 0;
  },
};

/** None where the addon cannot be loaded: the diagnosis says why. */
async function usableDevices(): Promise<DeviceInfo[]> {
  const { devices } = await import('../index.js');
  try {
    return devices();
  } catch {
    return [];
  }
}
