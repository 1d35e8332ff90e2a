import type { NativeProgram, NativeTensor } from '../binding.js';
import type { Device } from './device.js';
import { dropPromise } from './dropped-promise.js';
import type { DType } from './dtype.js';
import { CudnnResnetError } from './errors.js';
import { kindOf } from './kind-of.js';
import { native } from './native.js';
import { checkOptions } from './options.js';
import { scope } from './scope.js';
import { checkTensor, Tensor } from './tensor.js';

/** What an input of a program looks like; a tensor says it of itself. */
export interface TensorSpec {
  /** The extents, such as `[1, 3, 224, 224]`. */
  shape: readonly number[];
  /** Default `'float32'`. */
  dtype?: DType | undefined;
}

/** Something computed beforehand that a program reads, and that is brought up to date before each of its runs. */
interface Prepared {
  beforeRun(): void;
}

let preparedOfRecording: Set<Prepared> | undefined;

/** @internal While a program is recorded: it reads this. */
export function beforeEachRun(prepared: Prepared): void {
  preparedOfRecording?.add(prepared);
}

let stepwise = 0;

/** @internal Whether networks are to run operation by operation now, and not as programs of their own. */
export function runsStepwise(): boolean {
  return stepwise > 0;
}

/** @internal Runs `fn`, in which networks run operation by operation. */
export function runStepwise<T>(fn: () => T): T {
  stepwise++;
  try {
    return fn();
  } finally {
    stepwise--;
  }
}

/**
 * Operations that were recorded once, by `device.record`, and run as one call on other inputs. Their intermediate
 * results share one piece of memory, planned by when each is needed; on a GPU the whole is one graph.
 *
 * Tensors that the recorded function used beside its inputs are read as they are at each run.
 */
export class Program<R extends Tensor | readonly Tensor[] = Tensor | readonly Tensor[]> {
  /** Where it was recorded, and runs. */
  readonly device: Device;
  /** The inputs, in order. */
  readonly inputs: readonly {
    /** The extents. */
    shape: readonly number[];
    /** What the elements are. */
    dtype: DType;
  }[];
  readonly #handle: NativeProgram;
  readonly #prepared = new Set<Prepared>();
  readonly #outputs: readonly DType[];
  readonly #single: boolean;

  /** @internal */
  constructor(on: Device, inputs: readonly TensorSpec[], fn: (...inputs: Tensor[]) => R) {
    this.device = on;
    checkRecording(inputs, fn);
    const specs = inputs.map(({ shape, dtype = 'float32' }) => ({ shape, dtype }));
    let results: readonly Tensor[] = [];
    let single = false;
    const body = (handles: NativeTensor[]): NativeTensor[] => {
      const tensors = handles.map((handle, i) => new Tensor(handle, specs[i]!.dtype, on));
      const result = runStepwise(() => fn(...tensors));
      single = result instanceof Tensor;
      results = [result].flat() as readonly Tensor[];
      if (results.length === 0 || !results.every((tensor) => tensor instanceof Tensor)) {
        results.forEach(dropPromise);
        throw new CudnnResnetError(
          'ERR_ARGUMENT',
          'record: the function must return a Tensor or an array of them, at once and not as a promise',
        );
      }
      return results.map((tensor) => tensor.handle);
    };
    const around = preparedOfRecording;
    preparedOfRecording = this.#prepared;
    try {
      this.#handle = scope(() => native().record({ device: on.handle, inputs: specs, body }));
    } finally {
      preparedOfRecording = around;
    }
    this.inputs = specs.map(({ shape, dtype }) => ({ shape: [...shape], dtype }));
    this.#outputs = results.map((tensor) => tensor.dtype);
    this.#single = single;
  }

  /**
   * Queues one run and returns its results at once: tensors of their own, which later runs do not change.
   * Throws `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_DTYPE` or `ERR_DEVICE` where the inputs are not those recorded.
   */
  run(...inputs: Tensor[]): R {
    const handles = inputs.map((input, i) => checkTensor(`run: input ${i}`, input).handle);
    for (const prepared of this.#prepared) prepared.beforeRun();
    const results = this.#handle
      .run(handles)
      .map((handle, i) => new Tensor(handle, this.#outputs[i]!, this.device));
    return (this.#single ? results[0] : results) as R;
  }

  /** Frees what the program holds, after the runs that were asked for. Disposing again does nothing. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** {@link Program.dispose}, at the end of a `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function checkRecording(inputs: readonly TensorSpec[], fn: unknown): void {
  const wrong = (what: string, value: unknown) =>
    new CudnnResnetError('ERR_ARGUMENT', `record: ${what}, got ${kindOf(value)}`);
  if (typeof fn !== 'function') {
    throw wrong('expected a function of tensors', fn);
  }
  if (!Array.isArray(inputs)) {
    throw wrong('the inputs must be an array of tensors or of { shape, dtype }', inputs);
  }
  inputs.forEach((input, i) => {
    if (typeof input !== 'object' || input === null) {
      throw wrong(`input ${i} must be a tensor or { shape, dtype }`, input);
    }
    if (!(input instanceof Tensor)) {
      checkOptions(`record: input ${i}`, input, ['shape', 'dtype']);
    }
  });
}
