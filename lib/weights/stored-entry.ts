import type { StoredDType, WeightEntry } from '../dtype.js';
import type { Tensor } from '../tensor.js';

/** An entry of a file of weights whose elements are still there. */
export interface StoredEntry {
  dtype: StoredDType;
  shape: number[];
  /** Memory that its elements take, beside what the file's other entries take as well. */
  bytes: number;
  read(): Promise<WeightEntry['data']>;
  /**
   * Gives a tensor of this shape the elements, which its device reads itself. Only where they lie in the file in C order
   * and a device knows their type.
   */
  fill?: ((tensor: Tensor) => Promise<void>) | undefined;
}
