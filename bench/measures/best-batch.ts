import type { Timed } from '../contender.js';
import { median } from '../statistics.js';
import { type Bench, interleaved, together } from './measure.js';

/** The batch at which a contender computes the most images in a second. */
export interface Best {
  batch: number;
  imagesPerSecond: number;
}

const batches = [1, 2, 4, 8, 16, 32, 64];

export function bestBatches(bench: Bench): Promise<Record<string, Best>> {
  return together(bench, async (contenders) => {
    const best: Record<string, Best> = {};
    for (const batch of batches) {
      bench.progress(`best batch: ${batch}`);
      for (const contender of contenders) {
        await contender.ask('batch', batch);
        await bench.check(contender, batch);
      }
      const runs = await interleaved(contenders, bench.quick ? 2 : 4, async (contender) => {
        const count = Math.max(2, Math.ceil(16 / batch));
        return median((await contender.ask<Timed>('run', count)).times);
      });
      for (const [name, times] of runs) {
        const imagesPerSecond = (1000 * batch) / median(times);
        if (imagesPerSecond > (best[name]?.imagesPerSecond ?? 0)) {
          best[name] = { batch, imagesPerSecond };
        }
      }
    }
    return best;
  });
}
