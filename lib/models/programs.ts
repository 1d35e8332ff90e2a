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
  #state: readonly unknown[] = [];

  constructor(network: Module) {
    this.#network = network;
  }

  /**
   * `fn(x)`, which is a function of the network's called `name`; run as a program in inference mode, and operation by
   * operation in training mode.
   */
  run(name: string, x: Tensor, fn: (x: Tensor) => Tensor): Tensor {
    if (runsStepwise() || isTraining(this.#network)) {
      return fn(x);
    }
    const state = stateOf(this.#network);
    if (!equal(state, this.#state)) {
      this.clear();
      this.#state = state;
    }
    const key = `${name} ${x.dtype} ${x.shape.join()}`;
    const program = this.#kept.get(key) ?? x.device.record(fn, [x]);
    this.#kept.delete(key);
    this.#kept.set(key, program);
    const [[oldest, unused]] = this.#kept as unknown as [[string, Program]];
    if (this.#kept.size > mostKept) {
      this.#kept.delete(oldest);
      unused.dispose();
    }
    return program.run(x);
  }

  clear(): void {
    for (const program of this.#kept.values()) program.dispose();
    this.#kept.clear();
  }
}

function isTraining(module: Module): boolean {
  return module.training || module.children().some(([, child]) => isTraining(child));
}

/** All that a network's results depend on: what its modules hold, and which values its tensors have by now. */
function stateOf(module: Module, state: unknown[] = []): unknown[] {
  for (const value of Object.values(module)) {
    state.push(value);
    if (value instanceof Module) stateOf(value, state);
    else if (value instanceof Tensor) state.push(value.version);
  }
  return state;
}

function equal(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}
