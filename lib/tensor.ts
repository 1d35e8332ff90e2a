import { inspect } from 'node:util';
import type { NativeTensor } from '../binding.js';
import { type AbortOptions, abortable, abortOptionNames, unlessAborted } from './abort.js';
import { type Device, type DeviceId, device } from './device.js';
import {
  bytesPerElement,
  checkFloatDType,
  type DType,
  type FloatDType,
  type TypedArrayOf,
  typedArrays,
} from './dtype.js';
import { CudnnResnetError } from './errors.js';
import { checkLength, type DTypeOf, type HostArray, hostData } from './host-data.js';
import { checkInteger } from './integer.js';
import { kindOf, shown } from './kind-of.js';
import { native } from './native.js';
import { checkOptions } from './options.js';
import { register, unregister } from './scope.js';
import { shapeText, sizeOf } from './shape.js';

/** Where a new tensor goes, and its element type. */
export interface TensorOptions<D extends DType = DType> {
  /** Default `'auto'`: the first GPU, else the CPU. */
  device?: DeviceId | Device | undefined;
  /** Default `'float32'`; of `Tensor.from` what its data suggests. */
  dtype?: D | undefined;
}

/** As {@link TensorOptions}, for random values: equal seeds give equal values, on every device and machine. */
export interface RandomOptions<D extends FloatDType = FloatDType> extends TensorOptions<D> {
  /** A whole number from 0; default 0. */
  seed?: number | undefined;
}

/** The largest values of one row. */
export interface TopK {
  /** Their columns, from 0. */
  indices: number[];
  /** The values, largest first. */
  values: number[];
}

/**
 * An array of numbers on a device. Its shape is logical (NCHW for images), whatever layout the device keeps.
 *
 * An operation returns its tensor at once and computes it later; an operation that fails is reported where the tensor,
 * or one made from it, is read. Dispose of tensors that you no longer need, by {@link Tensor.dispose}, `using` or
 * `scope`; a tensor that is forgotten is freed at a turn of the event loop after JavaScript collected it.
 */
export class Tensor<D extends DType = DType> {
  /** The extents, outermost first; `[]` of a single number. */
  readonly shape: readonly number[];
  /** What the elements are. */
  readonly dtype: D;
  /** Where the elements are. */
  readonly device: Device;
  /** @internal */
  readonly handle: NativeTensor;
  /** @internal Counts the changes made in place, so that what was derived from the values can tell that it is stale. */
  version = 0;

  /** Takes nothing of a caller's: {@link Tensor.from}, {@link Tensor.zeros} and operations make tensors. */
  constructor(handle: never, dtype: never, device: never);
  /** @internal */
  constructor(handle: NativeTensor, dtype: D, on: Device);
  constructor(handle: NativeTensor, dtype: D, on: Device) {
    if (handle?.shape === undefined) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        `new Tensor: expected the addon's handle, got ${kindOf(handle)}; use Tensor.from, Tensor.zeros or an operation`,
      );
    }
    this.handle = handle;
    this.shape = Object.freeze(handle.shape);
    this.dtype = dtype;
    this.device = on;
    register(this);
  }

  /**
   * A tensor of the elements of `data`, in C order. The dtype is that of the array (`float32` for plain and float64
   * arrays), unless `dtype` asks for another: the values are then converted, rounding to nearest even. A `Uint16Array`
   * holds bit patterns and needs `dtype` 'float16' or 'bfloat16'.
   * Of a float an integer keeps the whole part, or the nearest number that its dtype has; NaN gives 0. Of an int64 a uint8
   * keeps the lowest eight bits: 300 gives 44, where a float gives 255. {@link Tensor.to} converts alike.
   * Throws `ERR_SHAPE` where the shape has another number of elements, `ERR_DTYPE` for an array of another type, and
   * where a plain array for an integer dtype holds other than whole numbers.
   */
  static from<A extends HostArray, D extends DType>(
    data: A,
    shape: readonly number[],
    options: TensorOptions<D> & { dtype: D },
  ): Tensor<D>;
  static from<A extends HostArray, D extends DType = DTypeOf<A>>(
    data: A,
    shape: readonly number[],
    options?: TensorOptions<D>,
  ): Tensor<D | DTypeOf<A>>;
  static from(data: HostArray, shape: readonly number[], options: TensorOptions = {}): Tensor {
    checkOptions('Tensor.from', options, ['device', 'dtype']);
    checkLength(data, shape);
    const elements = hostData(data, options.dtype);
    const dtype = options.dtype ?? (elements.dataType === 'float64' ? 'float32' : elements.dataType);
    const on = device(options.device);
    const handle = native().upload({ device: on.handle, shape, dtype, ...elements });
    return new Tensor(handle, dtype, on);
  }

  /**
   * A tensor of zeros; `float32` by default.
   *
   * @throws `ERR_SHAPE` where an extent is no integer of at least 1; `ERR_DTYPE`, `ERR_DEVICE`, `ERR_ARGUMENT`
   */
  static zeros<D extends DType>(
    shape: readonly number[],
    options: TensorOptions<D> & { dtype: D },
  ): Tensor<D>;
  static zeros<D extends DType = 'float32'>(
    shape: readonly number[],
    options?: TensorOptions<D>,
  ): Tensor<D | 'float32'>;
  static zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
    checkOptions('Tensor.zeros', options, ['device', 'dtype']);
    const on = device(options.device);
    const dtype = options.dtype ?? 'float32';
    return new Tensor(native().zeros({ device: on.handle, shape, dtype }), dtype, on);
  }

  /**
   * Values drawn from the normal distribution of mean 0 and variance 1; `float32` by default.
   *
   * @throws `ERR_SHAPE` where an extent is no integer of at least 1; `ERR_DTYPE` where the dtype is none of floating-point
   *   numbers; `ERR_DEVICE`, `ERR_ARGUMENT`
   */
  static randn<D extends FloatDType>(
    shape: readonly number[],
    options: RandomOptions<D> & { dtype: D },
  ): Tensor<D>;
  static randn<D extends FloatDType = 'float32'>(
    shape: readonly number[],
    options?: RandomOptions<D>,
  ): Tensor<D | 'float32'>;
  static randn(shape: readonly number[], options: RandomOptions = {}): Tensor<FloatDType> {
    return random('Tensor.randn', true, shape, options);
  }

  /**
   * Values drawn from the uniform distribution over [0, 1); `float32` by default. Rounded to `float16` or `bfloat16` they
   * may be 1. Throws as {@link Tensor.randn}.
   */
  static rand<D extends FloatDType>(
    shape: readonly number[],
    options: RandomOptions<D> & { dtype: D },
  ): Tensor<D>;
  static rand<D extends FloatDType = 'float32'>(
    shape: readonly number[],
    options?: RandomOptions<D>,
  ): Tensor<D | 'float32'>;
  static rand(shape: readonly number[], options: RandomOptions = {}): Tensor<FloatDType> {
    return random('Tensor.rand', false, shape, options);
  }

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The bytes of the elements. */
  get bytes(): number {
    return this.size * bytesPerElement[this.dtype];
  }

  /** Whether the tensor was disposed of: every use of it is `ERR_DISPOSED` then. */
  get disposed(): boolean {
    return this.handle.disposed();
  }

  /**
   * A copy of the elements in C order (NCHW), once they have been computed. float16 and bfloat16 come as bit patterns
   * in a `Uint16Array`; convert with `.to({dtype: 'float32'})` first where numbers are wanted.
   * Rejects with the error of the operation that failed, if one did.
   *
   * On an abort what is queued for this tensor alone is no longer computed, and where the tensor is not there yet it
   * never will be: reading it again rejects with `ERR_ABORTED`.
   */
  async data(options: AbortOptions = {}): Promise<TypedArrayOf[D]> {
    return typedArray(await this.read('Tensor.data', options, () => this.handle.data()), this.dtype);
  }

  /**
   * As {@link Tensor.data}, but blocks the thread of JavaScript until then: for scripts. A loop of it that gives the event
   * loop no turn has to dispose of its tensors: collected ones are freed in such a turn.
   */
  dataSync(): TypedArrayOf[D] {
    return typedArray(this.handle.dataSync(), this.dtype);
  }

  /**
   * A copy with another dtype, on another device, or both.
   *
   * @throws `ERR_DTYPE` where there is no such dtype; `ERR_DEVICE`, `ERR_DISPOSED`, `ERR_ARGUMENT`
   */
  to<E extends DType>(options: TensorOptions<E> & { dtype: E }): Tensor<E>;
  to<E extends DType = D>(options: TensorOptions<E>): Tensor<E | D>;
  to(options: TensorOptions): Tensor {
    checkOptions('Tensor.to', options, ['device', 'dtype']);
    const dtype = options.dtype ?? this.dtype;
    const on = options.device === undefined ? this.device : device(options.device);
    if (on === this.device) {
      return new Tensor(native().cast({ x: this.handle, dtype }), dtype, on);
    }
    if (dtype !== (this.dtype as DType)) {
      using converted = this.to({ dtype });
      return converted.to({ device: on });
    }
    return new Tensor(native().copyTo({ x: this.handle, device: on.handle }), dtype, on);
  }

  /**
   * A copy with another shape; one extent may be -1, which stands for what is left.
   *
   * @throws `ERR_SHAPE` where the shape has another number of elements; `ERR_DISPOSED`
   */
  reshape(shape: readonly number[]): Tensor<D> {
    return new Tensor(native().reshape({ x: this.handle, shape }), this.dtype, this.device);
  }

  /** A copy whose dimensions from `startDim` on are one. Throws `ERR_ARGUMENT` where there is no such dimension. */
  flatten(startDim = 1): Tensor<D> {
    if (!Number.isInteger(startDim) || startDim < 0 || startDim >= this.shape.length) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        `flatten: startDim must be a dimension of ${shapeText(this.shape)}, from 0, got ${shown(startDim)}`,
      );
    }
    return this.reshape([...this.shape.slice(0, startDim), -1]);
  }

  /** As `ops.softmax`: `[N, C]` or `[N, C, H, W]`, over the classes. */
  softmax(): Tensor<D> {
    return new Tensor(native().softmax({ x: this.handle }), this.dtype, this.device);
  }

  /**
   * The `k` largest values of each row of a tensor [N, C], largest first, with their columns; of equal values the one
   * with the lower column comes first. Rejects with `ERR_SHAPE` where a row has fewer than `k`. Aborts as {@link Tensor.data}.
   */
  async topK(k: number, options: AbortOptions = {}): Promise<TopK[]> {
    const { indices, values } = await this.read('Tensor.topK', options, () => this.handle.topK(k));
    return Array.from({ length: values.length / k }, (_, row) => ({
      indices: numbers(indices, row * k, k),
      values: numbers(values, row * k, k),
    }));
  }

  private read<T>(where: string, options: AbortOptions, start: () => Promise<T>): Promise<T> {
    checkOptions(where, options, abortOptionNames);
    if (options.signal === undefined && options.deadline === undefined) {
      return start();
    }
    return abortable(where, options, (signal) => unlessAborted(signal, start(), () => this.handle.cancel()));
  }

  /** Frees the memory on the device, after the work that still uses it. Disposing again does nothing. */
  dispose(): void {
    unregister(this);
    this.version++;
    this.handle.dispose();
  }

  /** {@link Tensor.dispose}, at the end of a `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Dtype, shape and device, for people. */
  toString(): string {
    return `Tensor(${this.dtype} ${shapeText(this.shape)} on ${this.device.id}${this.disposed ? ', disposed' : ''})`;
  }

  /** @internal {@link Tensor.toString}, for `console.log`. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** @internal `value`, or an error where it is no tensor. */
export function checkTensor<T extends Tensor>(what: string, value: T): T {
  if (!(value instanceof Tensor)) {
    throw new CudnnResnetError('ERR_ARGUMENT', `${what} must be a Tensor, got ${kindOf(value)}`);
  }
  return value;
}

/** @internal Draws of one model or script come from one seed and differ in their stream. */
export function drawn<D extends DType>(
  shape: readonly number[],
  dtype: D,
  on: Device,
  draw: { normal: boolean; a: number; b: number; seed: number; stream: number },
): Tensor<D> {
  return new Tensor(native().random({ device: on.handle, shape, dtype, ...draw }), dtype, on);
}

function random(
  where: string,
  normal: boolean,
  shape: readonly number[],
  options: RandomOptions,
): Tensor<FloatDType> {
  checkOptions(where, options, ['device', 'dtype', 'seed']);
  const dtype = options.dtype ?? 'float32';
  checkFloatDType(where, dtype);
  const seed = checkInteger(`${where}: seed`, options.seed ?? 0, 0);
  return drawn(shape, dtype, device(options.device), { normal, a: 0, b: 1, seed, stream: 0 });
}

/** `count` elements from `start` on, in a fifth of the time that `Array.from` takes. */
function numbers(all: Float32Array | Float64Array, start: number, count: number): number[] {
  const found = new Array<number>(count);
  for (let i = 0; i < count; i++) found[i] = all[start + i]!;
  return found;
}

function typedArray<D extends DType>(buffer: ArrayBuffer, dtype: D): TypedArrayOf[D] {
  return new typedArrays[dtype](buffer) as TypedArrayOf[D];
}
