import { Session } from 'node:inspector';

/** Which blocks of the package's code ran, and about how often, as V8 counts it. */
export class Coverage {
  private readonly session = new Session();
  private readonly blocks = new Set<string>();
  private readonly features = new Set<string>();

  /** @param part - what the URL of a script must hold to count */
  constructor(private readonly part: string) {
    this.session.connect();
    this.post('Profiler.enable');
    this.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  get size(): number {
    return this.features.size;
  }

  /** Whether a block ran since the last call that never had before. It stays new until {@link add} counts it. */
  anyNew(): boolean {
    return this.take().some(({ block }) => !this.blocks.has(block));
  }

  /** Counts what ran since the last call, and says whether something of it is new: a block, or one that ran so often. */
  add(): boolean {
    const before = this.features.size;
    for (const { block, count } of this.take()) {
      this.blocks.add(block);
      // by the power of two alone, as loops of every length would else be new
      this.features.add(`${block}:${Math.ceil(Math.log2(count))}`);
    }
    return this.features.size > before;
  }

  /** As at the begin. */
  forget(): void {
    this.blocks.clear();
    this.features.clear();
    this.take();
  }

  private take(): { block: string; count: number }[] {
    const { result } = this.post('Profiler.takePreciseCoverage') as {
      result: {
        url: string;
        functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[];
      }[];
    };
    return result
      .filter(({ url }) => url.includes(this.part))
      .flatMap(({ url, functions }) =>
        functions
          .flatMap(({ ranges }) => ranges)
          .filter(({ count }) => count > 0)
          .map(({ startOffset, endOffset, count }) => ({
            block: `${url}:${startOffset}:${endOffset}`,
            count,
          })),
      );
  }

  /** The inspector answers within the call where it is asked from the same thread. */
  private post(method: string, parameters: object = {}): unknown {
    let answer: { error: Error | null; result: unknown } | undefined;
    this.session.post(method, parameters, (error, result) => {
      answer = { error, result };
    });
    if (!answer) throw new Error(`${method} did not answer`);
    if (answer.error) throw answer.error;
    return answer.result;
  }
}
