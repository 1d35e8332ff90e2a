import { CudnnResnetError } from '../errors.js';
import { kindOf } from '../kind-of.js';
import type { Tensor } from '../tensor.js';
import { BatchNorm2d } from './batch-norm2d.js';
import { computesAs } from './computes-as.js';
import { convBatchNorm } from './conv-batch-norm.js';
import { Conv2d } from './conv2d.js';
import { Module } from './module.js';
import { moduleScope } from './module-scope.js';
import { ReLU } from './relu.js';

/** Modules one after the other, named `0`, `1`, ... A convolution, a batch norm and a ReLU in a row run fused. */
export class Sequential extends Module {
  [index: number]: Module;

  /** @throws `ERR_ARGUMENT` where one is no module */
  constructor(...modules: Module[]) {
    super();
    for (const [i, module] of modules.entries()) {
      if (!(module instanceof Module)) {
        const advice = Array.isArray(module) ? '; spread it: new Sequential(...modules)' : '';
        throw new CudnnResnetError(
          'ERR_ARGUMENT',
          `Sequential: expected modules, got ${kindOf(module)} in place ${i}${advice}`,
        );
      }
    }
    Object.assign(this, modules);
  }

  /** How many modules there are. */
  get length(): number {
    return this.children().length;
  }

  /** The modules in order. */
  *[Symbol.iterator](): IterableIterator<Module> {
    for (const [, module] of this.children()) yield module;
  }

  override forward(x: Tensor): Tensor {
    return moduleScope([this], () => this.#inARow(x));
  }

  #inARow(x: Tensor): Tensor {
    const modules = [...this];
    let y = x;
    for (let i = 0; i < modules.length; ) {
      const [module, second, third] = modules.slice(i, i + 3) as [Module, ...Module[]];
      if (computesAs(Conv2d, module) && computesAs(BatchNorm2d, second)) {
        const relu = computesAs(ReLU, third);
        y = convBatchNorm(y, module, second, { activation: relu ? 'relu' : undefined });
        i += relu ? 3 : 2;
      } else {
        y = module.forward(y);
        i += 1;
      }
    }
    return y;
  }
}
