import type { Device } from '../device.js';
import type { DType } from '../dtype.js';
import { checkInteger } from '../integer.js';
import { native } from '../native.js';
import { unscoped } from '../scope.js';
import { sizeOf } from '../shape.js';
import { drawn, Tensor } from '../tensor.js';

/** Where random values come from: each draw takes the next stream of the seed. */
interface Generator {
  seed: number;
  stream: number;
  /** What the weights of a convolution start with. */
  convolution: (weightShape: readonly number[]) => Initializer;
}

let generator: Generator = { seed: 0, stream: 0, convolution: uniformFanIn };
let drawing = true;

/** Starts the random values that new modules draw anew. Equal seeds give equal values on every device and machine. */
export function manualSeed(seed: number): void {
  checkInteger('manualSeed: seed', seed, 0);
  generator = { seed, stream: 0, convolution: uniformFanIn };
}

/**
 * Until the function that it returns is called, modules draw from `seed` what torchvision's ResNets start with: Kaiming
 * normal values in the convolutions, PyTorch's own in the rest.
 */
export function startResidualInitialization(seed: number): () => void {
  const former = generator;
  generator = { seed, stream: 0, convolution: kaimingNormalFanOut };
  return () => {
    generator = former;
  };
}

/** Runs `fn`, in which new parameters get no values: what is loaded or drawn next would only replace them. */
export function withoutValues<T>(fn: () => T): T {
  const former = drawing;
  drawing = false;
  try {
    return fn();
  } finally {
    drawing = former;
  }
}

/** What values a parameter starts with. */
type Initializer =
  | { kind: 'uniform'; bound: number }
  | { kind: 'normal'; deviation: number }
  | { kind: 'constant'; value: number };

/** What the weights of a new convolution start with: `[out, in / groups, height, width]`. */
export function convolutionInitializer(weightShape: readonly number[]): Initializer {
  return generator.convolution(weightShape);
}

/** Kaiming normal over the fan out, for layers followed by ReLU. */
function kaimingNormalFanOut(weightShape: readonly number[]): Initializer {
  const [out = 1, , height = 1, width = 1] = weightShape;
  return { kind: 'normal', deviation: Math.sqrt(2 / (out * height * width)) };
}

/** Uniform over ±1/√(fan in): what PyTorch's convolutions and linear layers start with. */
export function uniformFanIn(weightShape: readonly number[]): Initializer {
  const fanIn = sizeOf(weightShape.slice(1));
  return { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
}

/** A tensor of starting values, drawn on the device's queue; it belongs to no scope. */
export function initialTensor<D extends DType>(
  shape: readonly number[],
  initializer: Initializer,
  { device, dtype }: { device: Device; dtype: D },
): Tensor<D> {
  return unscoped(() => {
    if (!drawing) {
      return new Tensor(native().unwritten({ device: device.handle, shape, dtype }), dtype, device);
    }
    if (initializer.kind === 'constant') {
      const { value } = initializer;
      if (value === 0) return Tensor.zeros(shape, { device, dtype });
      return drawn(shape, dtype, device, { normal: false, a: value, b: value, seed: 0, stream: 0 });
    }
    const normal = initializer.kind === 'normal';
    const [a, b] = normal ? [0, initializer.deviation] : [-initializer.bound, initializer.bound];
    return drawn(shape, dtype, device, { normal, a, b, seed: generator.seed, stream: generator.stream++ });
  });
}
