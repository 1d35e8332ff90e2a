import { type nn, Tensor } from '../../lib/index.js';
import { parameter } from './generator.js';

/** Hands `body` a module, and disposes of it afterwards: parameters belong to no scope. */
export async function withModule<M extends nn.Module>(
  module: M,
  body: (module: M) => void | Promise<void>,
): Promise<void> {
  try {
    await body(module);
  } finally {
    module.dispose();
  }
}

/** Loads the weights that test/golden/make_networks.py gives a module: by its name, and its own names of entries. */
export function loadGenerated(module: nn.Module, name: string): void {
  for (const [key, { shape, device }] of module.stateDict()) {
    const data = key.endsWith('num_batches_tracked')
      ? new BigInt64Array(1)
      : parameter(`${name}.${key}`, shape);
    const x = Tensor.from(data, shape, { device });
    module.loadStateDict(new Map([[key, x]]), { strict: false });
    x.dispose();
  }
}
