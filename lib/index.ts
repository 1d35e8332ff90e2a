export type { AbortOptions } from './abort.js';
export type { ComputeOptions } from './compute-options.js';
export {
  type Device,
  type DeviceId,
  type DeviceInfo,
  device,
  devices,
  type MemoryInfo,
} from './device.js';
export { diagnose } from './diagnose.js';
export type { DType, FloatDType, StoredDType, TypedArrayOf, WeightEntry } from './dtype.js';
export { CudnnResnetError, type ErrorCode } from './errors.js';
export type { DTypeOf, HostArray } from './host-data.js';
export { imagenetLabels } from './image/labels.js';
export { type PreprocessOptions, preprocess } from './image/preprocess.js';
export { BasicBlock, type BasicBlockOptions } from './models/basic-block.js';
export type { EmbedOptions, EncodedImage } from './models/batches.js';
export { Bottleneck, type BottleneckOptions } from './models/bottleneck.js';
export type { Classification } from './models/classification.js';
export { models, ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 } from './models/family.js';
export { type ImageInput, imagenetNormalization } from './models/input.js';
export { type ClassifyOptions, type LoadOptions, ResNet, type ResNetOptions } from './models/resnet.js';
export type { ResNetStructure } from './models/structure.js';
export * as nn from './nn/index.js';
export * as ops from './ops.js';
export type { Profile, ProfiledOperation, ProfileOptions } from './profile.js';
export type { Program, TensorSpec } from './program.js';
export { scope } from './scope.js';
export { type RandomOptions, Tensor, type TensorOptions, type TopK } from './tensor.js';
export {
  type PretrainedModel,
  type PretrainedOptions,
  type PretrainedVersion,
  pretrainedWeights,
} from './weights/pretrained.js';
export { type ReadWeightsOptions, readWeights } from './weights/read.js';
export { saveWeights } from './weights/save.js';
export type { SafetensorsOptions } from './weights/write-safetensors.js';
