import { describe, expect, test } from 'vitest';
import { program } from './standalone/process.js';
import { deviceIds } from './support/devices.js';

/** The shapes that oneDNN reordered in one forward pass, as it says itself, and how many convolutions there were. */
async function reorders(...args: string[]): Promise<{ shapes: string[]; convolutions: number }> {
  const { code, stdout, stderr } = await program('layouts.mjs', args, {
    env: { DNNL_VERBOSE: '1', ONEDNN_VERBOSE: '1' },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const run = stdout
    .slice(stdout.indexOf('ready\n'))
    .split('\n')
    .filter((line) => line.includes(',exec,cpu,'))
    .map((line) => line.split(','));
  return {
    shapes: run.filter((fields) => fields.includes('reorder')).map((fields) => fields.at(-2)!),
    convolutions: run.filter((fields) => fields.includes('convolution')).length,
  };
}

describe.runIf(deviceIds.includes('cpu'))('between the layers of a network nothing is reordered', () => {
  test.each([
    ['ResNet50', '1', 'float32', 'false', 53],
    ['ResNet50', '8', 'float32', 'false', 53],
    ['ResNet50', '1', 'float32', 'true', 54], // the linear layer as well
    ['ResNet18', '2', 'float32', 'false', 20],
    ['ResNet50', '1', 'bfloat16', 'false', 53],
  ])('%s, batch %s, %s, deterministic: %s', async (name, batch, dtype, deterministic, expected) => {
    const { shapes, convolutions } = await reorders(name, batch, dtype, deterministic);
    expect(convolutions).toBe(expected);
    // the images, once for the dtype and once for the layout; what the pooling leaves; the linear layer's bias
    const atTheEdges = /^(\d+x3x224x224|\d+x(512|2048)x1x1|1000)$/;
    expect(shapes.filter((shape) => !atTheEdges.test(shape))).toEqual([]);
    expect(shapes.length).toBeLessThanOrEqual(3);
  });
});
