import { Contender } from '../contender.js';
import { us } from '../contenders.js';
import { ratios, type Spread, spread } from '../statistics.js';
import { type Bench, interleaved } from './measure.js';

/** The most memory that a process has had at once when it has run some inferences at batch 8. */
export interface Memory {
  bytes: Spread;
  ratio: Spread;
}

export async function peakMemory(bench: Bench): Promise<Record<string, Memory> | undefined> {
  const peaks = await interleaved(bench.contenders, bench.quick ? 1 : 3, async (description) => {
    bench.progress(`memory: ${description.name}`);
    await using contender = await Contender.start(description, bench.threads);
    await contender.ask('batch', 8);
    await contender.ask('run', 10);
    return contender.peakMemory();
  });
  if ([...peaks.values()].flat().includes(undefined)) {
    bench.progress('memory: this system does not tell the peak of a process');
    return undefined;
  }
  const of = (name: string) => peaks.get(name) as number[];
  return Object.fromEntries(
    bench.contenders.map(({ name }) => [name, { bytes: spread(of(name)), ratio: ratios(of(name), of(us)) }]),
  );
}
