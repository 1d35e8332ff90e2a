import { setTimeout } from 'node:timers/promises';
import type { Contender, Timed } from '../contender.js';
import { us } from '../contenders.js';
import { median, quantile, ratios, type Spread } from '../statistics.js';
import { type Bench, interleaved, together } from './measure.js';

/** Of single inferences of one batch, from an array on the host to one on the host, in milliseconds. */
export interface Inference {
  median: number;
  p95: number;
  p99: number;
  inferences: number;
  imagesPerSecond: number;
  /** How many times as long as ours this contender takes, by rounds. */
  ratio: Spread;
}

/** One contender's inferences of one round. */
async function turn(contender: Contender, milliseconds: number): Promise<number[]> {
  // the contender before may still hold the cores: threads that wait for work spin for a while
  await setTimeout(30);
  const warmUp = await contender.ask<Timed>('run', 1);
  const count = Math.max(1, Math.round(milliseconds / warmUp.times[0]!));
  return (await contender.ask<Timed>('run', count)).times;
}

export function timeBatches(
  bench: Bench,
  batches: readonly number[],
): Promise<Record<number, Record<string, Inference>>> {
  return together(bench, async (contenders) => {
    const results: Record<number, Record<string, Inference>> = {};
    for (const batch of batches) {
      results[batch] = await timeBatch(bench, contenders, batch);
    }
    return results;
  });
}

async function timeBatch(
  bench: Bench,
  contenders: Contender[],
  batch: number,
): Promise<Record<string, Inference>> {
  for (const contender of contenders) {
    bench.progress(`batch ${batch}: ${contender.name}`);
    await contender.ask('batch', batch);
    await bench.check(contender, batch);
    await contender.ask('run', 3);
  }
  bench.progress(`batch ${batch}: timing`);
  const rounds = bench.quick ? 5 : 15;
  const times = await interleaved(contenders, rounds, (contender) =>
    turn(contender, batch === 1 ? 400 : 600),
  );
  const ofRounds = (name: string) => times.get(name)!.map(median);
  return Object.fromEntries(
    contenders.map(({ name }) => {
      const all = times.get(name)!.flat();
      return [
        name,
        {
          median: median(all),
          p95: quantile(all, 0.95),
          p99: quantile(all, 0.99),
          inferences: all.length,
          imagesPerSecond: (1000 * batch) / median(all),
          ratio: ratios(ofRounds(name), ofRounds(us)),
        },
      ];
    }),
  );
}
