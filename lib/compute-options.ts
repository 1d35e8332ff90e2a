import { checkBoolean } from './boolean.js';

/**
 * How convolutions and linear layers are computed. Given to one operation, to a layer, or to a model for all of its
 * layers. An engine heeds what it has a choice in: the one on the CPU `deterministic`, the one on a GPU the other two.
 */
export interface ComputeOptions {
  /**
   * float32 is multiplied with ten bits of mantissa on a GPU's Tensor Cores: several times faster, with errors of about
   * one in a thousand. Other dtypes are computed as ever. Default false.
   */
  tf32?: boolean | undefined;
  /**
   * The GPU times several ways of computing an operation at its first use with a shape; the fastest is kept on disk for
   * later processes. Default false: cuDNN's own estimate decides.
   */
  tune?: boolean | undefined;
  /**
   * Equal inputs give bitwise equal results in every run on one machine: both engines always compute so, and cuDNN's other
   * engines are never taken. With this option a network in inference has the same bits on every number of threads of the
   * CPU, too: convolutions take the algorithm `'direct'`, which multiplies float32 as float32, and linear layers are
   * computed as convolutions of 1×1 images, whose sums are not split among threads. docs/reliability.md says what that
   * costs. Default false.
   */
  deterministic?: boolean | undefined;
}

export const computeOptionNames = ['tf32', 'tune', 'deterministic'] as const;

/**
 * Those of the options that say how to compute. A network does not look for changes in them: there can be none. Throws
 * `ERR_ARGUMENT` where one is neither true nor false.
 */
export function computeOptions(
  where: string,
  { tf32, tune, deterministic }: ComputeOptions,
): Readonly<ComputeOptions> {
  const options = { tf32, tune, deterministic };
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) checkBoolean(`${where}: ${name}`, value);
  }
  return Object.freeze(options);
}
