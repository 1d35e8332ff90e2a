/** So much of something that may be held at once; whoever wants more waits, first come, first served. */
export class Budget {
  readonly #capacity: number;
  #held = 0;
  readonly #line: { amount: number; go: () => void }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Runs `work` while it holds `amount`. More than the whole capacity counts as all of it. Rejects with the signal's reason,
   * and does not begin, where it is aborted by then.
   */
  async spend<T>(amount: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const share = Math.min(amount, this.#capacity);
    if (this.#line.length > 0 || this.#held + share > this.#capacity) {
      await new Promise<void>((go) => this.#line.push({ amount: share, go }));
    } else {
      this.#held += share;
    }
    try {
      signal?.throwIfAborted();
      return await work();
    } finally {
      this.#held -= share;
      this.#admit();
    }
  }

  #admit(): void {
    let next = this.#line[0];
    while (next && this.#held + next.amount <= this.#capacity) {
      this.#line.shift();
      this.#held += next.amount;
      next.go();
      next = this.#line[0];
    }
  }
}
