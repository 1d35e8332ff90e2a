import { Contender } from '../contender.js';
import { us } from '../contenders.js';
import { ratios, type Spread, spread } from '../statistics.js';
import { type Bench, interleaved } from './measure.js';

/** From the start of a process to the first logits of one image, in milliseconds. */
export interface ColdStart {
  milliseconds: Spread;
  ratio: Spread;
}

export async function coldStarts(bench: Bench): Promise<Record<string, ColdStart>> {
  // what torch.compile takes to compile is no start
  const contenders = bench.contenders.filter(({ name }) => !name.includes('compiled'));
  const times = await interleaved(contenders, (bench.quick ? 2 : 7) + 1, async (description) => {
    bench.progress(`cold start: ${description.name}`);
    const begin = performance.now();
    await using contender = await Contender.start(description, bench.threads);
    await contender.ask('batch', 1);
    await contender.ask('run', 1);
    return performance.now() - begin;
  });
  // in the first round the files of a contender may have to come from the disk
  const warm = (name: string) => times.get(name)!.slice(1);
  return Object.fromEntries(
    contenders.map(({ name }) => [
      name,
      { milliseconds: spread(warm(name)), ratio: ratios(warm(name), warm(us)) },
    ]),
  );
}
