import { join } from 'node:path';
import { beforeAll } from 'vitest';
import { device, type nn, saveWeights } from '../../lib/index.js';
import { type DeviceId, deviceIds } from './devices.js';
import { suiteFolder } from './temporary-folder.js';

/** The path of a file with a network's weights, which is written before the tests of the file. */
export function suiteWeights(make: (device: DeviceId) => nn.Module): string {
  const path = join(suiteFolder(), 'weights.safetensors');
  const id = deviceIds[0]!;
  beforeAll(async () => {
    const network = make(id);
    await saveWeights(path, network.stateDict());
    network.dispose();
    await device(id).synchronize();
  });
  return path;
}
