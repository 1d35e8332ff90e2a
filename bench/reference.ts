import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Contender } from './contender.js';

/** What a contender that computes in a dtype may be off by: ‖out − ref‖ / ‖ref‖. */
const tolerances: Record<string, number> = { float32: 1e-4, float16: 5e-3, bfloat16: 3e-2 };

/** What model/export.py, or model/make.ts, says of the model. */
interface ModelDescription {
  classes: number;
  /** Of model/export.py alone, which the GPU is measured with. */
  flops?: number;
}

/** Compares what a contender gives with what PyTorch gives in float64; without PyTorch, with what this package gives. */
export class Reference {
  readonly #logits: Float64Array;
  readonly #classes: number;
  readonly #tolerance: number;
  /** Multiplications and additions that an image takes; NaN without PyTorch. */
  readonly flops: number;
  /** The worst relative error seen of each contender. */
  readonly errors: Record<string, number> = {};

  private constructor(
    logits: Float64Array,
    { classes, flops = Number.NaN }: ModelDescription,
    dtype: string,
  ) {
    this.#logits = logits;
    this.#classes = classes;
    this.#tolerance = tolerances[dtype]!;
    this.flops = flops;
  }

  static async read(directory: string, dtype: string): Promise<Reference> {
    const description = JSON.parse(await readFile(join(directory, 'model.json'), 'utf8')) as ModelDescription;
    const bytes = await readFile(join(directory, 'logits.bin'));
    return new Reference(new Float64Array(new Uint8Array(bytes).buffer), description, dtype);
  }

  /** @throws where the contender's logits are not the model's. */
  async check(contender: Contender, batch: number): Promise<void> {
    const file = join(tmpdir(), `logits-${process.pid}.bin`);
    try {
      await contender.ask('logits', file);
      const logits = new Float32Array(new Uint8Array(await readFile(file)).buffer);
      const error = this.#relativeError(logits, batch);
      this.errors[contender.name] = Math.max(error, this.errors[contender.name] ?? 0);
      if (!(error <= this.#tolerance)) {
        throw new Error(
          `${contender.name} is off by ${error} of the reference at batch ${batch}: nothing is timed`,
        );
      }
    } finally {
      await rm(file, { force: true });
    }
  }

  #relativeError(logits: Float32Array, batch: number): number {
    if (logits.length !== batch * this.#classes) {
      return Number.POSITIVE_INFINITY;
    }
    let [difference, norm] = [0, 0];
    for (const [i, value] of logits.entries()) {
      difference += (value - this.#logits[i]!) ** 2;
      norm += this.#logits[i]! ** 2;
    }
    return Math.sqrt(difference / norm);
  }
}
