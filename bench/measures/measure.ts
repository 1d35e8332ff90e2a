import { Contender, type ContenderDescription } from '../contender.js';
import type { Results } from '../results.js';

/** What every measure is given. */
export interface Bench {
  contenders: ContenderDescription[];
  threads: number;
  /** Fewer rounds, for a first look. */
  quick: boolean;
  /** Throws where a contender, made ready for `batch` images, does not give the model's logits. */
  check(contender: Contender, batch: number): Promise<void>;
  /** Writes results, so that a run that is ended leaves what it had measured. */
  keep(measured: Partial<Results>): void;
  /** Tells people how far it is. */
  progress(text: string): void;
}

/** Runs `work` with all contenders started and ends them after it. Where one fails so does the measure. */
export async function together<T>(
  { contenders, threads }: Bench,
  work: (started: Contender[]) => Promise<T>,
): Promise<T> {
  const started: Contender[] = [];
  try {
    for (const description of contenders) {
      started.push(await Contender.start(description, threads));
    }
    return await work(started);
  } finally {
    await Promise.all(started.map((contender) => contender.stop()));
  }
}

/**
 * One turn of each after the other, `rounds` times, each round beginning with another one: whatever slows the machine
 * for a while, and whoever went before, meets all alike. Gives each one's results in the order of the rounds.
 */
export async function interleaved<C extends { name: string }, T>(
  contenders: readonly C[],
  rounds: number,
  turn: (contender: C) => Promise<T>,
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      results.get(contender.name)!.push(await turn(contender));
    }
  }
  return results;
}
