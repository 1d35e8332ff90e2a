import { describe, expect, test } from 'vitest';
import { program } from './standalone/process.js';
import { deviceIds } from './support/devices.js';

/** No tiles (AMX): oneDNN's own switch for what it may use of a processor. */
const withoutTiles = { ONEDNN_MAX_CPU_ISA: 'AVX512_CORE_BF16' };

/** The shapes that oneDNN reordered in one forward pass, as it says itself, and how many images it convolved. */
async function reorders(
  args: string[],
  env: Record<string, string>,
): Promise<{ shapes: string[]; images: number }> {
  const { code, stdout, stderr } = await program('layouts.mjs', args, {
    env: { DNNL_VERBOSE: '1', ONEDNN_VERBOSE: '1', ...env },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const run = stdout
    .slice(stdout.indexOf('ready\n'))
    .split('\n')
    .filter((line) => line.includes(',exec,cpu,'))
    .map((line) => line.split(','));
  const shapesOf = (kind: string) =>
    run.filter((fields) => fields.includes(kind)).map((fields) => fields.at(-2)!);
  const images = shapesOf('convolution').map((shape) => Number(/^(?:mb|g\d+mb)(\d+)/.exec(shape)![1]));
  return { shapes: shapesOf('reorder'), images: images.reduce((sum, n) => sum + n, 0) };
}

describe.runIf(deviceIds.includes('cpu'))('between the layers of a network nothing is reordered', () => {
  test.each([
    ['ResNet50', 1, 'float32', false, {}, 53],
    ['ResNet50', 8, 'float32', false, {}, 53],
    ['ResNet50', 1, 'float32', false, withoutTiles, 53],
    ['ResNet50', 8, 'float32', false, withoutTiles, 53],
    ['ResNet50', 1, 'float32', true, {}, 54], // the linear layer as well
    ['ResNet18', 2, 'float32', false, {}, 20],
    ['ResNet50', 1, 'bfloat16', false, {}, 53],
    ['ResNet50', 1, 'bfloat16', false, withoutTiles, 53],
  ])('%s, batch %d, %s, deterministic: %s, %o', async (name, batch, dtype, deterministic, env, layers) => {
    const { shapes, images } = await reorders([name, `${batch}`, dtype, `${deterministic}`], env);
    // one convolution a layer, or three products of halves
    expect([layers, 3 * layers]).toContain(images / batch);
    // the images, once for the dtype and once for the layout; what the pooling leaves; logits; the linear layer's bias
    const atTheEdges = /^(\d+x3x224x224|\d+x(512|1000|2048)x1x1|1000)$/;
    expect(shapes.filter((shape) => !atTheEdges.test(shape))).toEqual([]);
    expect(shapes.length).toBeLessThanOrEqual(3);
  });
});
