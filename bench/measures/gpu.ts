import { Contender, type Timed } from '../contender.js';
import { python, us } from '../contenders.js';
import { median, ratios, type Spread, spread } from '../statistics.js';
import { type Bench, interleaved, together } from './measure.js';

/** Milliseconds of a forward pass. */
interface GpuInference {
  /** With its input on the GPU before and its result there after it. */
  resident: Spread;
  /** From an array on the host to one on the host. */
  hostIncluded: Spread;
  /** The same of ours with three under way, so that copies and computing overlap. */
  overlapped?: Spread;
  imagesPerSecond: number;
  /** How many times as long as ours this contender takes, resident. */
  ratio: Spread;
  /** The share of the arithmetic that a product of large matrices reaches. */
  ofRoofline: number;
}

export interface Gpu {
  name: string;
  dtype: string;
  /** Of a product of large matrices, in 10¹² operations a second. */
  teraflops: number;
  /** Of a copy of a gigabyte, read and written, in 10⁹ bytes a second. */
  gigabytes: number;
  /** By batch and contender. */
  inference: Record<number, Record<string, GpuInference>>;
}

const batches = [1, 32, 256];

/** Never run so far: written without a GPU. */
export async function onGpu(bench: Bench, dtype: string, flopsPerImage: number): Promise<Gpu> {
  const roofline = await measuredRoofline(bench);
  return together(bench, async (contenders) => {
    const { gpu: name, ...peaks } = roofline;
    const gpu: Gpu = { name, dtype, ...peaks, inference: {} };
    for (const batch of batches) {
      const least = (flopsPerImage * batch) / roofline.teraflops / 1e9;
      gpu.inference[batch] = await timeBatch(bench, contenders, batch, least);
      bench.keep({ gpu });
    }
    return gpu;
  });
}

interface Roofline {
  gpu: string;
  teraflops: number;
  gigabytes: number;
}

async function measuredRoofline({ contenders, threads }: Bench): Promise<Roofline> {
  const torch = contenders.find(({ command }) => command[0] === python);
  if (!torch) {
    throw new Error('the GPU is measured beside PyTorch: npm run setup');
  }
  await using contender = await Contender.start(torch, threads);
  return await contender.ask<Roofline>('roofline');
}

/** @param least milliseconds that the roofline allows */
async function timeBatch(
  bench: Bench,
  contenders: Contender[],
  batch: number,
  least: number,
): Promise<Record<string, GpuInference>> {
  for (const contender of contenders) {
    bench.progress(`GPU, batch ${batch}: ${contender.name}`);
    await contender.ask('batch', batch);
    await bench.check(contender, batch);
  }
  const rounds = bench.quick ? 3 : 10;
  const resident = await interleaved(contenders, rounds, async (contender) => {
    const { milliseconds } = await contender.ask<{ milliseconds: number }>('resident', batch > 32 ? 20 : 100);
    return milliseconds;
  });
  const hostIncluded = await interleaved(contenders, rounds, async (contender) =>
    median((await contender.ask<Timed>('run', 10)).times),
  );
  const overlapped = await interleaved(
    contenders.filter(({ name }) => name === us),
    rounds,
    async (contender) => {
      const { milliseconds } = await contender.ask<{ milliseconds: number }>('overlapped', 30);
      return milliseconds;
    },
  );
  const ours = resident.get(us)!;
  return Object.fromEntries(
    contenders.map(({ name }) => {
      const milliseconds = resident.get(name)!;
      const inTurns = overlapped.get(name);
      return [
        name,
        {
          resident: spread(milliseconds),
          hostIncluded: spread(hostIncluded.get(name)!),
          ...(inTurns && { overlapped: spread(inTurns) }),
          imagesPerSecond: (1000 * batch) / median(milliseconds),
          ratio: ratios(milliseconds, ours),
          ofRoofline: least / median(milliseconds),
        },
      ];
    }),
  );
}
