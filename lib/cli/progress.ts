/** What a bar writes to: `process.stderr`, or a test's stand-in. */
interface BarStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const cells = 24;

/** How often the bar is redrawn at most, in milliseconds. */
const interval = 50;

/** A line at the bottom of a terminal that shows how far the work is. Where the stream is no terminal it writes nothing. */
export class ProgressBar {
  readonly #stream: BarStream;
  readonly #label: string;
  /** How a count is shown: `3`, or `1.2 MB`. */
  readonly #format: (count: number) => string;
  #done = 0;
  #total: number | undefined;
  #drawnAt = 0;
  #ended = false;

  /** @param total what `done` grows to; undefined where that is not known. */
  constructor(
    label: string,
    total: number | undefined,
    { stream = process.stderr as BarStream, format = String as (count: number) => string } = {},
  ) {
    this.#label = label;
    this.#total = total;
    this.#stream = stream;
    this.#format = format;
    this.draw();
  }

  /** Moves the bar on. */
  update(done: number, total: number | undefined = this.#total): void {
    this.#done = done;
    this.#total = total;
    if (done === total || performance.now() - this.#drawnAt >= interval) {
      this.draw();
    }
  }

  /** Takes the bar away, so that a line can be written in its place; `draw` brings it back. */
  clear(): void {
    if (this.#stream.isTTY) {
      this.#stream.write('\r\x1b[K');
    }
  }

  draw(): void {
    if (!this.#stream.isTTY || this.#ended) {
      return;
    }
    this.#drawnAt = performance.now();
    // a terminal that does not know its width says 0
    const line = this.#line().slice(0, (this.#stream.columns || 80) - 1);
    this.#stream.write(`\r${line}\x1b[K`);
  }

  /** Takes the bar away for good. */
  end(): void {
    this.clear();
    this.#ended = true;
  }

  #line(): string {
    const done = this.#format(this.#done);
    if (!this.#total) {
      return `${this.#label} ${done}`;
    }
    const share = Math.min(1, this.#done / this.#total);
    const full = Math.round(share * cells);
    const bar = '█'.repeat(full) + '░'.repeat(cells - full);
    return `${this.#label} ${bar} ${Math.floor(share * 100)} % (${done} of ${this.#format(this.#total)})`;
  }
}
