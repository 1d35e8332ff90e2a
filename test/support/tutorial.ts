import { nn, ops, type Tensor } from '../../lib/index.js';

/** The tutorial's own Bottleneck, written as a user would; its name is part of what it prints. */
export class Bottleneck extends nn.Module {
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
