import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work after which the event loop gets its turn. */
const slice = 4;

/**
 * Shares the JS thread: long work is written as a generator that yields wherever it may be interrupted, and the
 * pacer lets the event loop run (and notices an abort) whenever a slice of time is used up.
 */
export class Pacer {
  private sliceEnd = performance.now() + slice;

  constructor(readonly signal?: AbortSignal | undefined) {}

  /** Runs `work` to its end in slices. Rejects with the signal's reason once it is aborted. */
  async run<T>(work: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const step = work.next();
      if (step.done) return step.value;
      if (performance.now() >= this.sliceEnd) await this.yield();
    }
  }

  /** For loops that await anyway: lets the event loop run where the slice is used up. */
  async breathe(): Promise<void> {
    this.signal?.throwIfAborted();
    if (performance.now() >= this.sliceEnd) await this.yield();
  }

  private async yield(): Promise<void> {
    await setImmediate();
    this.signal?.throwIfAborted();
    this.sliceEnd = performance.now() + slice;
  }
}
