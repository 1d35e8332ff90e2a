import { statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { NativeDevice } from '../binding.js';
import { CudnnResnetError } from './errors.js';
import { shown } from './kind-of.js';
import { native } from './native.js';
import { checkOptions } from './options.js';
import { Program, type TensorSpec } from './program.js';
import type { Tensor } from './tensor.js';

/** A device that this machine has. */
export interface DeviceInfo {
  /** What {@link device} takes. */
  id: 'cpu' | `cuda:${number}`;
  /** The processor's name. */
  name: string;
  /** The library that computes on it, with its version. */
  engine: string;
  /** Bytes of memory that it has. */
  memory: number;
}

/** `'auto'` is the first GPU, else the CPU; `'cuda'` is `'cuda:0'`. */
export type DeviceId = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

/** What the tensors on a device take, in bytes. */
export interface MemoryInfo {
  /** Tensors that are neither disposed of nor collected. */
  tensors: number;
  /** Bytes of their elements. */
  bytes: number;
  /** The most bytes that the device has had in use at once, working memory included. */
  peakBytes: number;
  /** Bytes taken from the system, memory kept for reuse included. */
  reservedBytes: number;
}

const opened = new Map<string, Device>();

/** Every device that can compute, GPUs first. Empty where the addon was built for GPUs only and there is none. */
export function devices(): DeviceInfo[] {
  return native().devices() as DeviceInfo[];
}

/**
 * The device of an id, the same object on every call in one thread.
 * Throws `ERR_DEVICE` where this machine does not have it; `'auto'` falls back to the CPU.
 */
export function device(id: DeviceId | Device = 'auto'): Device {
  if (id instanceof Device) {
    return id;
  }
  const exact = exactId(id);
  let found = opened.get(exact);
  if (!found) {
    found = new Device(exact, native().openDevice(exact));
    opened.set(exact, found);
  }
  return found;
}

function exactId(id: DeviceId): string {
  if (id === 'auto') {
    return devices()[0]?.id ?? 'cpu';
  }
  if (id === 'cuda') {
    return 'cuda:0';
  }
  if (typeof id !== 'string' || !/^(cpu|cuda:\d+)$/.test(id)) {
    throw new CudnnResnetError(
      'ERR_DEVICE',
      `a device is 'auto', 'cpu', 'cuda' or 'cuda:N', got ${shown(id)}`,
    );
  }
  return id;
}

/** A processor with its own queue of work and its own memory. Made by {@link device}. */
export class Device {
  /** `'cpu'`, or `'cuda:0'` and so on. */
  readonly id: string;
  /** @internal */
  readonly handle: NativeDevice;

  /** @internal */
  constructor(id: string, handle: NativeDevice) {
    this.id = id;
    this.handle = handle;
  }

  /** What is known of this device: its name, its engine, its memory. */
  get info(): DeviceInfo {
    return devices().find((known) => known.id === this.id)!;
  }

  /** What is in use now. */
  memory(): MemoryInfo {
    return this.handle.memory();
  }

  /** Resolves when everything that was asked for so far has been computed. */
  synchronize(): Promise<void> {
    return this.handle.synchronize();
  }

  /**
   * Runs `fn` once with tensors that stand for the inputs, and gives the program of what it did with them: one call to
   * run it again on other values. `inputs` says their shapes and dtypes; tensors will do as examples.
   * What `fn` computes from other tensors alone is computed now, once. Throws `ERR_ARGUMENT` where `fn` changes tensors
   * in place (batch norm in training mode does) or reads values.
   */
  record<R extends Tensor | readonly Tensor[]>(
    fn: (...inputs: Tensor[]) => R,
    inputs: readonly TensorSpec[] = [],
  ): Program<R> {
    return new Program(this, inputs, fn);
  }

  /** Gives memory that is kept for reuse back to the system, once the work queued so far is done. */
  trim(): void {
    this.handle.trim();
  }

  /**
   * From now on an operation that would take the device beyond `bytes` fails with `ERR_OUT_OF_MEMORY`.
   * `Number.MAX_SAFE_INTEGER` takes the limit away.
   *
   * @throws `ERR_ARGUMENT` where `bytes` is no integer of at least 0
   */
  setMemoryLimit(bytes: number): void {
    this.handle.setMemoryLimit(bytes);
  }

  /** Operations and readings that were asked for and are not done. */
  get pending(): number {
    return this.handle.pending();
  }

  /**
   * Resolves when no more than half of what {@link Device.setQueueLimit} allows is waiting. A loop that awaits this before
   * each call keeps the device at work, its memory bounded, and never meets `ERR_BUSY`, where one call asks for less than
   * that: the first `forward` of ResNet-152 in training mode for some 500 operations.
   */
  async ready(): Promise<void> {
    await (this.handle.ready() ?? setImmediate()); // always with a turn of the event loop
  }

  /**
   * How much may wait for the device; an operation beyond it throws `ERR_BUSY`. Reading is never refused.
   *
   * @param limit - `operations`: 100,000 unless told, about 100 MB. `bytes` of the host's memory, which data on its way
   *   to and from the device takes: unless told a quarter of the device's memory, or of the host's where that is less.
   *   One that is not given stays as it is.
   * @throws `ERR_ARGUMENT` where one is no integer of at least 1
   */
  setQueueLimit(limit: { operations?: number | undefined; bytes?: number | undefined }): void {
    checkOptions('setQueueLimit', limit, ['operations', 'bytes']);
    this.handle.setQueueLimit(limit);
  }

  /**
   * Looks for plans of cuDNN in `folder` before any is compiled; `cudnn-resnet plan` writes them. Where they are for
   * another GPU or another cuDNN they are not used, which is said once on stderr. Without effect on the CPU.
   * Throws `ERR_ARGUMENT` where there is no such folder.
   */
  usePlans(folder: string): void {
    if (!isFolder(folder)) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        `plans: there is no folder ${shown(folder)}; 'cudnn-resnet plan -o FOLDER' makes one`,
      );
    }
    this.handle.usePlans(folder);
  }

  /**
   * How many of the processor's threads compute from the next operation on. Unless told, what `OMP_NUM_THREADS` says, or
   * as many as the process has cores, its control group's share of time included; fewer where the system makes no more.
   * Without effect on a GPU.
   *
   * @throws `ERR_ARGUMENT` where `threads` is no integer from 1 to 4096
   */
  setThreads(threads: number): void {
    this.handle.setThreads(threads);
  }

  /** The id. */
  toString(): string {
    return this.id;
  }
}

/** Whether a folder is there: a path that cannot be looked up, such as one through a file, leads to none. */
function isFolder(path: string): boolean {
  try {
    return typeof path === 'string' && statSync(path).isDirectory();
  } catch {
    return false;
  }
}
