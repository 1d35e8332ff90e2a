import type { Timed } from '../contender.js';
import { median } from '../statistics.js';
import { type Bench, together } from './measure.js';

/** The milliseconds between the ticks of a timer of 1 ms while inferences run back to back. */
export interface EventLoopDelay {
  median: number;
  p99: number;
  most: number;
  /** Of one inference. */
  inference: number;
}

const batches = [1, 8];

/** By batch, of the contenders that Node runs. */
export function eventLoopDelays(bench: Bench): Promise<Record<number, Record<string, EventLoopDelay>>> {
  const contenders = bench.contenders.filter(({ command }) => command[0] === process.execPath);
  return together({ ...bench, contenders }, async (started) => {
    const delays: Record<number, Record<string, EventLoopDelay>> = {};
    for (const batch of batches) {
      const ofBatch: Record<string, EventLoopDelay> = {};
      for (const contender of started) {
        bench.progress(`event loop, batch ${batch}: ${contender.name}`);
        await contender.ask('batch', batch);
        await bench.check(contender, batch);
        const count = Math.ceil((bench.quick ? 80 : 400) / batch);
        const { times, ...delay } = await contender.ask<Timed & Omit<EventLoopDelay, 'inference'>>(
          'delay',
          count,
        );
        ofBatch[contender.name] = {
          ...delay,
          inference: median(times),
        };
      }
      delays[batch] = ofBatch;
    }
    return delays;
  });
}
