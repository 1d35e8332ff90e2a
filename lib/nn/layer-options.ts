import { type ComputeOptions, computeOptionNames } from '../compute-options.js';
import { type Device, type DeviceId, device } from '../device.js';
import { checkFloatDType, type FloatDType } from '../dtype.js';

/** Where a layer's parameters are made, of what type, and how it computes. */
export interface LayerOptions extends ComputeOptions {
  /** Default `'auto'`: the first GPU, else the CPU. */
  device?: DeviceId | Device | undefined;
  /** Default `'float32'`. */
  dtype?: FloatDType | undefined;
}

export const layerOptionNames = ['device', 'dtype', ...computeOptionNames] as const;

/** What {@link LayerOptions} ask for. Throws `ERR_DTYPE` where the dtype is none of floating-point numbers. */
export function placement(where: string, options: LayerOptions): { device: Device; dtype: FloatDType } {
  const { dtype = 'float32' } = options;
  checkFloatDType(where, dtype);
  return { device: device(options.device), dtype };
}
