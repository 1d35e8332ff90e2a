import { type AbortOptions, abortable, abortOptionNames } from '../abort.js';
import { computeOptions } from '../compute-options.js';
import type { Device } from '../device.js';
import { checkFloatDType, type FloatDType } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { checkInteger } from '../integer.js';
import { native } from '../native.js';
import { BatchNorm2d } from '../nn/batch-norm2d.js';
import { convBatchNorm } from '../nn/conv-batch-norm.js';
import { Conv2d } from '../nn/conv2d.js';
import { startResidualInitialization, withoutValues } from '../nn/initialize.js';
import { type LayerOptions, layerOptionNames, placement } from '../nn/layer-options.js';
import { Linear } from '../nn/linear.js';
import { loadStoredEntries } from '../nn/load-stored-entries.js';
import { Module } from '../nn/module.js';
import { moduleScope } from '../nn/module-scope.js';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pooling.js';
import { ReLU } from '../nn/relu.js';
import { Sequential } from '../nn/sequential.js';
import { checkOptions } from '../options.js';
import { scope } from '../scope.js';
import type { Tensor } from '../tensor.js';
import { publishedResize } from '../weights/pretrained.js';
import { withStoredEntries } from '../weights/read.js';
import type { StoredEntry } from '../weights/stored-entry.js';
import { type EmbedOptions, type EncodedImage, inBatches } from './batches.js';
import { type Classification, classesOf } from './classification.js';
import { type ImageInput, imageTensor, normalizedImages } from './input.js';
import { Programs } from './programs.js';
import { checkStructure, family, memberOf, type ResNetStructure } from './structure.js';

/** Options of a ResNet, beside those of every layer. */
export interface ResNetOptions extends LayerOptions {
  /** Default 1000, ImageNet's. */
  numClasses?: number | undefined;
  /** Of the random weights that the model starts with; default 0. */
  seed?: number | undefined;
  /**
   * A folder of plans for this GPU, as `cudnn-resnet plan` writes it: the first `forward` need not compile them. Where
   * they are for another GPU or another cuDNN they are not used, which is said once on stderr. Without effect on the CPU.
   */
  plans?: string | undefined;
}

export const resNetOptionNames = ['numClasses', 'seed', 'plans', ...layerOptionNames] as const;

/** Options of {@link ResNet.classify}. */
export interface ClassifyOptions extends EmbedOptions {
  /** How many classes to give for each image; default 5, or all where the model has fewer. */
  top?: number | undefined;
}

/** Options of {@link ResNet.load}: those of a ResNet, but for what the file says. */
export interface LoadOptions extends Omit<ResNetOptions, 'numClasses' | 'seed'>, AbortOptions {}

/**
 * A residual network. The variant is torchvision's ("v1.5"), and so are the names of its layers and the keys of its
 * state dict. Unlike other modules a ResNet starts in inference mode, with PyTorch's initial values.
 */
export class ResNet extends Module {
  /** The stem's 7×7 convolution of stride 2, from 3 to 64 channels; another may be put in its place, also of other images. */
  conv1: Conv2d;
  /** The stem's batch norm. */
  bn1: BatchNorm2d;
  /** Shown in the text only: activations are fused into what comes before them. */
  relu: ReLU;
  /** 3×3, stride 2. */
  maxpool: MaxPool2d;
  /** Blocks of 64 channels, four times as many with bottlenecks. */
  layer1: Sequential;
  /** Blocks of 128 channels, or four times as many, at half the side. */
  layer2: Sequential;
  /** Blocks of 256 channels, or four times as many, at a quarter of the side. */
  layer3: Sequential;
  /** Blocks of 512 channels, or four times as many, at an eighth of the side. */
  layer4: Sequential;
  /** The mean of each channel. */
  avgpool: AdaptiveAvgPool2d;
  /**
   * From the embedding to the class scores. Another module may be put in its place, in inference mode as the network is
   * (`new nn.Linear(512, 10).eval()`), or the network runs operation by operation; TypeScript wants a cast for one that is no
   * `Linear`.
   */
  fc: Linear;
  readonly #programs = new Programs(this);
  /** What images are scaled to for the weights that were loaded; without any `preprocess` decides. */
  #resize: number | undefined;

  /** @throws `ERR_DTYPE`, `ERR_DEVICE`; `ERR_ARGUMENT` where the structure or another option is none */
  constructor(options: ResNetOptions & ResNetStructure) {
    super();
    checkOptions('ResNet', options, ['block', 'layers', ...resNetOptionNames]);
    const { block, layers, numClasses = 1000, seed = 0 } = options;
    checkStructure(block, layers);
    checkInteger('ResNet: numClasses', numClasses);
    checkInteger('ResNet: seed', seed, 0);
    const { device, dtype } = placement('ResNet', options);
    const place = { device, dtype, ...computeOptions('ResNet', options) };
    if (options.plans !== undefined) {
      device.usePlans(options.plans);
    }
    let channels = 64;
    const group = (width: number, blocks: number, stride: number): Sequential => {
      const out = width * block.expansion;
      const modules = Array.from({ length: blocks }, (_, i) => {
        const first = i === 0;
        return new block(first ? channels : out, out, { stride: first ? stride : 1, ...place });
      });
      channels = out;
      return new Sequential(...modules);
    };

    const endInitialization = startResidualInitialization(seed);
    try {
      this.conv1 = new Conv2d(3, 64, 7, { stride: 2, padding: 3, bias: false, ...place });
      this.bn1 = new BatchNorm2d(64, { device });
      this.relu = new ReLU({ inplace: true });
      this.maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
      this.layer1 = group(64, layers[0], 1);
      this.layer2 = group(128, layers[1], 2);
      this.layer3 = group(256, layers[2], 2);
      this.layer4 = group(512, layers[3], 2);
      this.avgpool = new AdaptiveAvgPool2d([1, 1]);
      this.fc = new Linear(channels, numClasses, place);
    } finally {
      endInitialization();
    }
    this.eval();
  }

  /**
   * The class scores before softmax. Returns at once; read them with `await logits.data()`.
   *
   * @param x - N images; a tensor of them may be of any size
   * @returns `[N, numClasses]`, in the model's dtype
   * @throws `ERR_SHAPE` where a tensor holds no images, or an array no whole ones; `ERR_DISPOSED`, `ERR_ARGUMENT`
   */
  override forward(x: ImageInput): Tensor<FloatDType> {
    return this.#run('forward', x, (images) => this.#logits(images));
  }

  /**
   * The pooled embedding of each image. Takes what {@link ResNet.forward} takes, and throws as it does.
   *
   * @returns `[N, 2048]`, or `[N, 512]` for ResNet-18 and 34, in the model's dtype
   */
  features(x: ImageInput): Tensor<FloatDType> {
    return this.#run('features', x, (images) => this.#embedding(images));
  }

  /**
   * The probability of each class. Takes what {@link ResNet.forward} takes, and throws as it does.
   *
   * @returns `[N, numClasses]`, in the model's dtype
   */
  predict(x: ImageInput): Tensor<FloatDType> {
    return this.#run('predict', x, (images) => this.#logits(images).softmax());
  }

  #embedding(x: Tensor): Tensor {
    let y = convBatchNorm(x, this.conv1, this.bn1, { activation: 'relu' });
    y = this.maxpool.forward(y);
    y = this.layer1.forward(y);
    y = this.layer2.forward(y);
    y = this.layer3.forward(y);
    y = this.layer4.forward(y);
    return this.avgpool.forward(y).flatten();
  }

  #logits(x: Tensor): Tensor {
    return this.fc.forward(this.#embedding(x));
  }

  #run(name: string, x: ImageInput, fn: (images: Tensor) => Tensor): Tensor<FloatDType> {
    const { device, dtype, conv1 } = this;
    if (conv1.weight.disposed)
      throw new CudnnResnetError('ERR_DISPOSED', `${name}: the model was disposed of`);
    return scope(
      () =>
        this.#programs.run(name, imageTensor(x, device, conv1.inChannels), (images) =>
          moduleScope([this], () => fn(normalizedImages(images, dtype))),
        ) as Tensor<FloatDType>,
    );
  }

  /** @internal What programs hold of the tensors as they were goes with these. */
  protected override moveTensors(...[to, moved]: Parameters<Module['moveTensors']>): void {
    super.moveTensors(to, moved);
    if (moved.size > 0) this.#programs.clear();
  }

  override dispose(): void {
    this.#programs.clear();
    super.dispose();
  }

  /**
   * The most probable classes of images, best first, from their files or encoded bytes (JPEG, PNG, WebP, AVIF, TIFF,
   * GIF, SVG). Needs the package `sharp`. Where one cannot be read the whole call rejects with `ERR_IMAGE`, which names it:
   * by its path, or bytes by their place in the array. An abort ends the work between two operations. The array may be changed
   * after the call; encoded bytes not before the promise settles, for they are read batch by batch.
   */
  async classify(
    images: EncodedImage | readonly EncodedImage[],
    options: ClassifyOptions = {},
  ): Promise<Classification[][]> {
    checkOptions('classify', options, ['top', 'batch', 'resize', ...abortOptionNames]);
    if (options.top !== undefined) checkInteger('classify: top', options.top);
    const model = { device: this.device, resize: this.#resize };
    return inBatches('classify', images, options, model, async (pixels, signal) => {
      using scores = this.predict(pixels);
      const classes = scores.shape[1]!;
      const { top = Math.min(5, classes) } = options;
      if (top > classes) {
        throw new CudnnResnetError(
          'ERR_ARGUMENT',
          `classify: top is ${top}, but the model has ${classes} classes`,
        );
      }
      return await classesOf(scores, top, { signal });
    });
  }

  /** The pooled embedding of each image, 2048 numbers or 512; images, errors and aborts as with {@link ResNet.classify}. */
  async embed(
    images: EncodedImage | readonly EncodedImage[],
    options: EmbedOptions = {},
  ): Promise<Float32Array[]> {
    checkOptions('embed', options, ['batch', 'resize', ...abortOptionNames]);
    const model = { device: this.device, resize: this.#resize };
    return inBatches('embed', images, options, model, async (pixels, signal) => {
      using vectors = scope(() => this.features(pixels).to({ dtype: 'float32' }));
      const data = await vectors.data({ signal });
      const width = vectors.shape[1]!;
      return Array.from({ length: vectors.shape[0]! }, (_, i) => data.slice(i * width, (i + 1) * width));
    });
  }

  /** Where the model computes. */
  get device(): Device {
    return this.conv1.weight.device;
  }

  /** What it computes in. */
  get dtype(): FloatDType {
    return this.conv1.weight.dtype as FloatDType;
  }

  /**
   * Builds the model with weights from a file: safetensors, an index of sharded safetensors, or a PyTorch checkpoint.
   * The number of classes is the file's, and images are scaled as torchvision does it for a file of that name
   * ({@link EmbedOptions.resize}). Rejects with `ERR_WEIGHTS` where the file cannot be read or does not fit. An abort
   * ends the reading, and nothing of the model is left.
   */
  static async load<M extends ResNet>(
    this: new (
      options: ResNetOptions,
    ) => M,
    path: string,
    options: LoadOptions = {},
  ): Promise<M> {
    checkOptions('load', options, ['plans', ...layerOptionNames, ...abortOptionNames]);
    const { signal: given, deadline, ...modelOptions } = options;
    if (options.dtype !== undefined) checkFloatDType('load', options.dtype);
    const found = native().findDevices();
    found.catch(() => undefined); // it rejects where it is awaited, if it still is
    return abortable('load', { signal: given, deadline }, (signal) =>
      withStoredEntries(path, signal, async (entries) => {
        await found;
        const numClasses = classesIn(entries);
        const model = withoutValues(() => new this({ ...modelOptions, numClasses }));
        try {
          checkMember(path, entries, model);
          await loadStoredEntries(model, path, entries, signal);
          model.#resize = publishedResize(path);
          return model;
        } catch (error) {
          model.dispose();
          throw error;
        }
      }),
    );
  }

  /** As torchvision's networks, whose depth the layers show. */
  protected override typeName(): string {
    return Object.hasOwn(family, this.constructor.name) ? 'ResNet' : super.typeName();
  }
}

/** Throws `ERR_WEIGHTS` where a file is of another member of the family: the keys that do not fit would be hundreds. */
function checkMember(path: string, entries: ReadonlyMap<string, StoredEntry>, model: ResNet): void {
  const [given, wanted] = [memberOf(entries), memberOf(model.stateDict())];
  if (given && wanted && given !== wanted) {
    throw new CudnnResnetError('ERR_WEIGHTS', `'${path}' does not fit ${wanted}: it holds a ${given}`);
  }
}

/** More classes than any network has, and fewer than a tensor can. */
const mostClasses = 2 ** 24;

/** How many classes a file's network has, where that can be: a file that fits no network may say anything. */
function classesIn(entries: ReadonlyMap<string, StoredEntry>): number | undefined {
  const classes = entries.get('fc.weight')?.shape[0] ?? 0;
  return classes > 0 && classes <= mostClasses ? classes : undefined;
}
