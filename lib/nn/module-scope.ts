import { registerOwner, scope } from '../scope.js';
import { Module } from './module.js';

/**
 * Runs `fn`, a part of the `forward` of these modules, in a scope that leaves alone what they, and those in them, hold at
 * its end: a module may replace a buffer while it runs.
 */
export function moduleScope<T>(modules: readonly Module[], fn: () => T): T {
  return scope(() => {
    modules.forEach(own);
    return fn();
  });
}

function own(module: Module): void {
  registerOwner(module);
  for (const value of Object.values(module)) if (value instanceof Module) own(value);
}
