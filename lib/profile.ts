import { writeFile } from 'node:fs/promises';
import type { NativeTiming } from '../binding.js';
import { type Device, device } from './device.js';
import { dropPromise } from './dropped-promise.js';
import { CudnnResnetError } from './errors.js';
import { checkInteger } from './integer.js';
import { kindOf } from './kind-of.js';
import { labelOperations } from './label-operations.js';
import type { Module } from './nn/module.js';
import { notWritten } from './not-written.js';
import { checkOptions } from './options.js';
import { runStepwise } from './program.js';
import { median } from './quantile.js';
import { scope } from './scope.js';
import { shapeText, sizeOf } from './shape.js';
import { Tensor } from './tensor.js';

/** Options of `Module.profile`. */
export interface ProfileOptions {
  /** How often the forward pass is run; default 10. Of each operation the median counts. */
  runs?: number | undefined;
}

/** One operation of a forward pass. */
export interface ProfiledOperation {
  /** The path of the module that asked for it, for example `layer1.0.conv1`; empty for the network itself. */
  layer: string;
  /** For example `conv2d`; with a bias, an activation or an addition that is fused into it. */
  operation: string;
  /** The shape of its result. */
  output: number[];
  /** The median of the runs. */
  milliseconds: number;
  /** Of the milliseconds of all operations, from 0 to 1. */
  share: number;
  /** Multiplications and additions, in 10⁹ a second; of convolutions and linear layers. */
  gflops?: number;
}

/** What each operation of a forward pass took: a table as text, or a trace to look at. */
export class Profile {
  /** In the order in which they ran. */
  readonly operations: readonly ProfiledOperation[];
  /** Of all operations. A forward pass in one go can be faster: here each operation is waited for. */
  readonly milliseconds: number;
  readonly #timings: readonly NativeTiming[];

  /** @internal @param runs the timings of equal forward passes */
  constructor(runs: readonly NativeTiming[][]) {
    const taken = runs[0]!.map((_, i) => median(runs.map((run) => run[i]!.end - run[i]!.begin)));
    this.milliseconds = taken.reduce((sum, milliseconds) => sum + milliseconds, 0);
    this.operations = runs[0]!.map((timing, i) => {
      const flops = floatingPointOperations(timing);
      return {
        layer: timing.layer,
        operation: timing.operation,
        output: timing.outputs[0] ?? [],
        milliseconds: taken[i]!,
        share: taken[i]! / this.milliseconds,
        ...(flops !== undefined && { gflops: flops / taken[i]! / 1e6 }),
      };
    });
    this.#timings = runs.at(-1)!;
  }

  /** The operations as a table. */
  toString(): string {
    const rows = this.operations.map(({ layer, operation, output, milliseconds, gflops, share }) => [
      layer,
      operation,
      shapeText(output),
      milliseconds.toFixed(3),
      gflops?.toFixed(1) ?? '',
      `${(100 * share).toFixed(1)} %`,
    ]);
    return alignedTable([
      ['layer', 'operation', 'output', 'ms', 'GFLOP/s', 'share'],
      ...rows,
      ['', '', 'all', this.milliseconds.toFixed(3), '', ''],
    ]);
  }

  /**
   * Writes the last run in Chrome's trace format, which chrome://tracing and ui.perfetto.dev show on a time line. Rejects
   * with `ERR_ARGUMENT` where the file cannot be written.
   */
  async writeTrace(path: string): Promise<void> {
    const traceEvents = this.#timings.map(({ layer, operation, begin, end, inputs, outputs }) => ({
      name: layer === '' ? operation : `${layer} ${operation}`,
      cat: operation,
      ph: 'X',
      ts: 1000 * begin,
      dur: 1000 * (end - begin),
      pid: process.pid,
      tid: 0,
      args: { inputs, outputs },
    }));
    await writeFile(path, JSON.stringify({ displayTimeUnit: 'ms', traceEvents })).catch((error) => {
      throw notWritten(path, error);
    });
  }
}

/** Runs `model.forward(x)` operation by operation and times each; see `Module.profile`. */
export async function profile<X>(
  model: Module & { forward(x: X): Tensor },
  x: X,
  options: ProfileOptions = {},
): Promise<Profile> {
  checkOptions('profile', options, ['runs']);
  const count = checkInteger('profile: runs', options.runs ?? 10);
  const on = [...model.stateDict().values()][0]?.device ?? (x instanceof Tensor ? x.device : device());
  await forwardAndRead(model, x); // plans, packed and folded weights
  const runs: NativeTiming[][] = [];
  while (runs.length < count) {
    runs.push(await timedForward(model, x, on));
    checkAlike(runs);
  }
  return new Profile(runs);
}

/** Throws `ERR_ARGUMENT` where the last run has other operations than the first. */
function checkAlike(runs: readonly NativeTiming[][]): void {
  const [first, last] = [runs[0]!, runs.at(-1)!];
  const named = (timing: NativeTiming | undefined) =>
    timing ? `'${`${timing.layer} ${timing.operation}`.trim()}'` : 'none';
  for (let i = 0; i < Math.max(first.length, last.length); i++) {
    const [expected, found] = [named(first[i]), named(last[i])];
    if (found !== expected) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        'profile: each run of forward has to consist of the same operations, ' +
          `but operation ${i + 1} of run ${runs.length} is ${found}, of the first ${expected}`,
      );
    }
  }
}

async function timedForward<X>(
  model: Module & { forward(x: X): Tensor },
  x: X,
  on: Device,
): Promise<NativeTiming[]> {
  const unlabel = labelOperations(model, on);
  on.handle.startProfile();
  const read = forwardAndRead(model, x);
  unlabel();
  const [timings] = await Promise.all([on.handle.endProfile(), read]); // both reject on a device that is lost
  return timings;
}

/** Rejects where the forward pass throws, or an operation failed. It is asked for before this returns. */
function forwardAndRead<X>(model: { forward(x: X): Tensor }, x: X): Promise<void> {
  return scope(async () => {
    const y: unknown = runStepwise(() => model.forward(x));
    if (!(y instanceof Tensor)) {
      dropPromise(y);
      throw new CudnnResnetError('ERR_ARGUMENT', `profile: forward must return a Tensor, got ${kindOf(y)}`);
    }
    await y.data();
  });
}

/** Of the operations that consist of multiplications and additions. */
function floatingPointOperations({ operation, inputs, outputs }: NativeTiming): number | undefined {
  if (operation !== 'conv2d' && operation !== 'linear') {
    return undefined;
  }
  const [, ...perResult] = inputs[1]!; // the weight's extents but its first are summed over
  return 2 * sizeOf([...outputs[0]!, ...perResult]);
}

/** Columns of equal width, names to the left and numbers to the right. */
function alignedTable(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column < 3 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
