import type { Module } from './module.js';

/**
 * Whether `module` is a `layer` of ours that computes what those compute, and may be fused with others: neither a class
 * derived from ours nor the module itself has another `forward`. What follows the calls of a profile is not enumerable.
 */
export function computesAs<M extends Module>(
  layer: abstract new (...args: never[]) => M,
  module: Module | undefined,
): module is M {
  return (
    module instanceof layer &&
    Object.getPrototypeOf(module).forward === layer.prototype.forward &&
    !Object.prototype.propertyIsEnumerable.call(module, 'forward')
  );
}
