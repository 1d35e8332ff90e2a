import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench } from './measure.js';

/** One primitive at one of ResNet-50's shapes. */
interface Primitive {
  name: string;
  batch: number;
  microseconds: number;
  gflops: number;
  gigabytes: number;
  /** The share of the speed that the machine's peaks allow. */
  ofLimit?: number | undefined;
  /** How many layers of the network are like it. */
  layers?: number | undefined;
}

export interface Primitives {
  /** Of arithmetic, in 10⁹ operations a second. */
  peakGflops: number;
  /** Of memory, in 10⁹ bytes a second, read and written. */
  peakGigabytes: number;
  /** As `peakGflops`, of products of bfloat16 in tiles (AMX); 0 where there are none. */
  peakTileGflops: number;
  list: Primitive[];
}

/** What Google Benchmark writes. */
interface Report {
  context: Record<string, string>;
  benchmarks: {
    name: string;
    real_time: number;
    FLOPs?: number;
    bytes: number;
    of_limit?: number;
    layers?: number;
  }[];
}

/** Every primitive alone, by the program that `npm run bench:native` builds. */
export async function primitives(bench: Bench): Promise<Primitives | undefined> {
  const program = fileURLToPath(new URL('../../build-bench/primitives', import.meta.url));
  if (!existsSync(program)) {
    bench.progress('primitives: not built: npm run bench:native in the folder above');
    return undefined;
  }
  bench.progress('primitives');
  const words = [
    '--benchmark_format=json',
    '--batch=1,8',
    `--benchmark_min_time=${bench.quick ? 0.02 : 0.2}`,
  ];
  const { stdout } = await promisify(execFile)(program, words, {
    maxBuffer: 2 ** 24,
    env: { ...process.env, OMP_NUM_THREADS: String(bench.threads) },
  });
  const { context, benchmarks } = JSON.parse(stdout) as Report;
  return {
    peakGflops: Number.parseFloat(context['peak of arithmetic']!),
    peakGigabytes: Number.parseFloat(context['peak of memory']!),
    peakTileGflops: Number.parseFloat(context['peak of tiles']!),
    list: benchmarks.map(({ name, real_time, FLOPs = 0, bytes, of_limit, layers }) => ({
      name: name.replace(/\/batch:.*/, ''),
      batch: Number(/\/batch:(\d+)/.exec(name)![1]),
      microseconds: real_time,
      gflops: FLOPs / 1e9,
      gigabytes: bytes / 1e9,
      ofLimit: of_limit,
      layers,
    })),
  };
}
