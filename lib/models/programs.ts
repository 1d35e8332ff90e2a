import { Module } from '../nn/module.js';
import { type Program, runsStepwise } from '../program.js';
import { Tensor } from '../tensor.js';

/** Each holds working memory on the device: as many as a service with a few batch sizes wants. */
const mostKept = 4;

/**
 * The programs that a network records of itself, one for each function, shape and dtype. They are dropped when anything
 * of the network changes: a parameter's values, a layer, the mode, the device.
 */
export class Programs {
  readonly #network: Module;
  /** The longest unused first. */
  readonly #kept = new Map<string, Program<Tensor>>();
  /** All that the network's results depended on: what its modules held, and which values its tensors had. */
  readonly #state: unknown[] = [];

  constructor(network: Module) {
    this.#network = network;
  }

  /**
   * `fn(x)`, which is a function of the network's called `name`; run as a program in inference mode, and operation by
   * operation in training mode.
   */
  run(name: string, x: Tensor, fn: (x: Tensor) => Tensor): Tensor {
    if (runsStepwise()) {
      return fn(x);
    }
    const { changed, training } = this.#look();
    if (changed) {
      this.clear();
    }
    if (training) {
      return fn(x);
    }
    const key = `${name} ${x.dtype} ${x.shape.join()}`;
    const program = this.#kept.get(key) ?? x.device.record(fn, [x]);
    this.#kept.delete(key);
    this.#kept.set(key, program);
    for (const [oldest, unused] of this.#kept) {
      if (this.#kept.size <= mostKept) break;
      this.#kept.delete(oldest);
      unused.dispose();
    }
    return program.run(x);
  }

  clear(): void {
    for (const program of this.#kept.values()) program.dispose();
    this.#kept.clear();
  }

  /** Before each run: whether anything that results depend on has changed since the last look, and the mode. */
  #look(): { changed: boolean; training: boolean } {
    const state = this.#state;
    let [seen, changed, training] = [0, false, false];
    const note = (value: unknown) => {
      if (!Object.is(state[seen], value)) {
        state[seen] = value;
        changed = true;
      }
      seen++;
    };
    const visit = (module: Module) => {
      training ||= module.training;
      for (const value of Object.values(module)) {
        note(value);
        if (value instanceof Module) visit(value);
        else if (value instanceof Tensor) note(value.version);
      }
    };
    visit(this.#network);
    changed ||= seen < state.length;
    state.length = seen;
    return { changed, training };
  }
}
