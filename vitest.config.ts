import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // two cores: the engine's own threads are what runs in parallel
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
