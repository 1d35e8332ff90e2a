import { nn, ops, Tensor } from '../../lib/index.js';
import { parameter } from './generator.js';

/** Loads the weights that test/golden/make_networks.py gives a module: by its name, and its own names of entries. */
export function loadGenerated<M extends nn.Module>(module: M, name: string): M {
  const state = new Map<string, Tensor>();
  for (const [key, { shape, device }] of module.stateDict()) {
    const data = key.endsWith('num_batches_tracked') ? new BigInt64Array(1) : parameter(`${name}.${key}`, shape);
    state.set(key, Tensor.from(data, [...shape], { device: device.id }));
  }
  module.loadStateDict(state);
  for (const x of state.values()) {
    x.dispose();
  }
  return module;
}

/** The tutorial's own Bottleneck, written as a user would. */
export class TutorialBottleneck extends nn.Module {
  bottlenceck: nn.Sequential;
  relu: nn.ReLU;
  downsample: nn.Sequential;

  constructor(inDim: number, outDim: number) {
    super();
    this.bottlenceck = new nn.Sequential(
      new nn.Conv2d(inDim, inDim, 1, { bias: false }),
      new nn.BatchNorm2d(inDim),
      new nn.ReLU({ inplace: true }),
      new nn.Conv2d(inDim, inDim, 3, { padding: 1, bias: false }),
      new nn.BatchNorm2d(inDim),
      new nn.ReLU({ inplace: true }),
      new nn.Conv2d(inDim, outDim, 1, { bias: false }),
      new nn.BatchNorm2d(outDim),
    );
    this.relu = new nn.ReLU({ inplace: true });
    this.downsample = new nn.Sequential(new nn.Conv2d(inDim, outDim, 1), new nn.BatchNorm2d(outDim));
  }

  forward(x: Tensor): Tensor {
    return this.relu.forward(ops.add(this.bottlenceck.forward(x), this.downsample.forward(x)));
  }
}
