import type { DType } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { kindOf } from '../kind-of.js';
import { unregister } from '../scope.js';
import { Tensor } from '../tensor.js';

/**
 * A tensor that a module learns. A module's own property that is a `Parameter` is one of its parameters; one that is a
 * plain `Tensor` is one of its buffers. It takes `tensor` over and belongs to no scope.
 */
export class Parameter<D extends DType = DType> extends Tensor<D> {
  /** So that TypeScript takes no other tensor for one. */
  declare private readonly isParameter: true;

  /** @throws `ERR_ARGUMENT` where it is no tensor */
  constructor(tensor: Tensor<D>) {
    if (!(tensor instanceof Tensor)) {
      throw new CudnnResnetError('ERR_ARGUMENT', `Parameter: expected a Tensor, got ${kindOf(tensor)}`);
    }
    super(tensor.handle, tensor.dtype, tensor.device);
    unregister(tensor);
    unregister(this);
  }
}
