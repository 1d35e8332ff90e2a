import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // the examples import the package by its name; in tests that is the source
  resolve: { alias: { 'cudnn-resnet': fileURLToPath(new URL('./lib/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    env: { CUDNN_RESNET_POISON: '1' }, // what is read before it is written shows
    pool: 'forks',
    // two cores: the engine's own threads are what runs in parallel
    fileParallelism: false,
    // on a GPU a plan is compiled for each shape
    testTimeout: 240_000,
    hookTimeout: 60_000,
  },
});
