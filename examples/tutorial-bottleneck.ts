// The Bottleneck of the tutorial "ResNet" (its figures 3.17 and 3.18), written with this package: its stacked layers, its
// shortcut with a biased 1×1 convolution, and the two shapes that it prints. Run it with `npm run example:tutorial`.
import { fileURLToPath } from 'node:url';
import { nn, ops, scope, Tensor } from 'cudnn-resnet';

export class Bottleneck extends nn.Module {
  /** Spelt as in the tutorial, whose printed text has this name. */
  bottlenceck: nn.Sequential;
  relu: nn.ReLU;
  downsample: nn.Sequential;

  constructor(inDim: number, outDim: number) {
    super();
    // 1×1, 3×3 and 1×1 convolutions with batch norm between them
    this.bottlenceck = new nn.Sequential(
      new nn.Conv2d(inDim, inDim, 1, { bias: false }),
      new nn.BatchNorm2d(inDim),
      new nn.ReLU({ inplace: true }),
      new nn.Conv2d(inDim, inDim, 3, { stride: 1, padding: 1, bias: false }),
      new nn.BatchNorm2d(inDim),
      new nn.ReLU({ inplace: true }),
      new nn.Conv2d(inDim, outDim, 1, { bias: false }),
      new nn.BatchNorm2d(outDim),
    );
    this.relu = new nn.ReLU({ inplace: true });
    // brings the identity to as many channels, so that the two can be added
    this.downsample = new nn.Sequential(
      new nn.Conv2d(inDim, outDim, 1, { stride: 1 }),
      new nn.BatchNorm2d(outDim),
    );
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const identity = this.downsample.forward(x);
      const out = this.bottlenceck.forward(x);
      return this.relu.forward(ops.add(out, identity));
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // 64 channels in, 256 out: the first Bottleneck of the first group
  using bottleneck = new Bottleneck(64, 256);
  console.log(String(bottleneck));

  using input = Tensor.randn([1, 64, 56, 56]);
  using output = bottleneck.forward(input);
  await output.data();
  console.log(`[${input.shape.join(', ')}]`);
  console.log(`[${output.shape.join(', ')}]`);
}
