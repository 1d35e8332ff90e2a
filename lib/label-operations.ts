import type { Device } from './device.js';
import { CudnnResnetError, messageOf } from './errors.js';
import type { Module } from './nn/module.js';

/** The methods in which modules call operations. */
const calling = ['forward', 'applyFolded'] as const;
type Methods = Partial<Record<(typeof calling)[number], (...args: unknown[]) => unknown>>;

/** Tells the device from which module each operation comes, until the function that is returned is called. */
export function labelOperations(model: Module, on: Device): () => void {
  const undo: (() => void)[] = [];
  const seen = new Set<Module>();
  let current = '';
  const enter = (layer: string) => {
    current = layer;
    on.handle.profileLayer(layer);
  };
  const visit = (module: Module, path: string) => {
    if (seen.has(module)) {
      return;
    }
    seen.add(module);
    for (const name of calling) {
      const method = (module as Methods)[name];
      if (typeof method === 'function') {
        const before = Object.getOwnPropertyDescriptor(module, name);
        const value = (...args: unknown[]) => {
          const outer = current;
          enter(path);
          try {
            return method.apply(module, args);
          } finally {
            enter(outer);
          }
        };
        Object.defineProperty(module, name, { value, configurable: true });
        undo.push(() => {
          delete (module as Methods)[name];
          if (before) Object.defineProperty(module, name, before);
        });
      }
    }
    for (const [name, child] of module.children()) {
      visit(child, path === '' ? name : `${path}.${name}`);
    }
  };
  const unlabel = () => {
    for (const restore of undo) restore();
  };
  try {
    visit(model, '');
  } catch (cause) {
    unlabel();
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `profile: the calls of a module cannot be followed, as those of a frozen one: ${messageOf(cause)}`,
      { cause },
    );
  }
  return unlabel;
}
