import { type Device, type DType, Tensor } from '../../lib/index.js';
import type { DeviceId } from './devices.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.js';
import { type FloatDType, type Values, values } from './values.js';

export const floatDTypes: readonly FloatDType[] = ['float32', 'float16', 'bfloat16'];

/** Puts values on a device. The 16-bit types are encoded here, so that the package's own conversion has no part. */
export function upload(x: Values, dtype: DType, device: DeviceId | Device): Tensor {
  const data = {
    float32: () => Float32Array.from(x.data),
    float16: () => Uint16Array.from(x.data, toFloat16),
    bfloat16: () => Uint16Array.from(x.data, toBfloat16),
    uint8: () => Uint8Array.from(x.data),
    int64: () => BigInt64Array.from(x.data as unknown as number[], BigInt as (x: number) => bigint),
  }[dtype]();
  return Tensor.from(data, [...x.shape], { dtype, device });
}

export async function download(x: Tensor): Promise<Values> {
  const data = await x.data();
  const decode = {
    float16: fromFloat16,
    bfloat16: fromBfloat16,
    float32: Number,
    uint8: Number,
    int64: Number,
  }[x.dtype];
  return values(
    x.shape,
    Array.from(data as ArrayLike<number | bigint>, decode as (element: number | bigint) => number),
  );
}
