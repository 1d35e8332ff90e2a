import { existsSync } from 'node:fs';
import type { DeviceId } from '../device.js';
import { type FloatDType, floatDTypes } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { maxSide } from '../image/preprocess.js';
import type { ResNet } from '../index.js';
import { suggestion } from '../options.js';
import { printable } from '../quote.js';
import {
  type PretrainedModel,
  type PretrainedVersion,
  pretrainedFile,
  pretrainedFiles,
  pretrainedWeights,
  publishedResize,
} from '../weights/pretrained.js';
import { complain, note } from './output.js';
import { ProgressBar } from './progress.js';
import { choiceOf, countOf, type Given, type Options, textOf, UsageError } from './usage.js';

export const modelNames = Object.keys(pretrainedFiles) as PretrainedModel[];
const keywords = ['imagenet', 'imagenet-v2', 'random', 'imagenet-or-random'] as const;

/** Options of the commands that run a model on images. */
export const modelOptions = {
  model: { value: 'NAME', help: `${modelNames.join(', ')} (default resnet50)` },
  weights: {
    value: 'WHAT',
    help:
      'a .safetensors, .pth or .pt file; imagenet (the default) or imagenet-v2:\n' +
      "torchvision's, fetched once into a cache folder; random: seeded random\n" +
      'numbers; imagenet-or-random: random ones where imagenet cannot be fetched',
  },
  device: { value: 'ID', help: 'cpu, cuda, cuda:N or auto: the first GPU, else the CPU (default auto)' },
  dtype: { value: 'TYPE', help: `${floatDTypes.join(', ')} (default: the model's, float32)` },
  batch: { value: 'N', help: 'images that are worked on at once (default 8)' },
  size: { value: 'PIXELS', help: 'side of the square that the model sees (default 224)' },
  resize: {
    value: 'PIXELS',
    help:
      'length that the shorter side is scaled to before the square is cut\n' +
      'out (default: as for the weights, 256 or, with imagenet-v2, 232)',
  },
} satisfies Options;

/** What the options of {@link modelOptions} say. */
export interface ModelChoice {
  model: PretrainedModel;
  weights: { file: string } | { keyword: (typeof keywords)[number] };
  device: DeviceId;
  dtype: FloatDType | undefined;
  batch: number;
  size: number;
  resize: number | undefined;
}

/** Reads and checks the options, so that wrong ones are refused before any work. @throws {@link UsageError} */
export function modelChoice(given: Given): ModelChoice {
  const device = textOf(given, 'device') ?? 'auto';
  if (!/^(auto|cpu|cuda(:\d+)?)$/.test(device)) {
    throw new UsageError(
      `--device does not know '${device}'${suggestion(device, ['auto', 'cpu', 'cuda', 'cuda:0'])}`,
    );
  }
  const choice: ModelChoice = {
    model: choiceOf(given, 'model', modelNames) ?? 'resnet50',
    weights: weightsChoice(textOf(given, 'weights') ?? 'imagenet'),
    device: device as DeviceId,
    dtype: choiceOf(given, 'dtype', floatDTypes),
    batch: countOf(given, 'batch', 8),
    size: countOf(given, 'size', 224, maxSide),
    resize: countOf(given, 'resize', undefined, maxSide),
  };
  if (choice.resize !== undefined && choice.resize < choice.size) {
    throw new UsageError(`--resize ${choice.resize} must be at least --size ${choice.size}`);
  }
  if ('keyword' in choice.weights && choice.weights.keyword === 'imagenet-v2') {
    if (pretrainedFiles[choice.model].v2 === undefined) {
      throw new UsageError(`--weights imagenet-v2: there are none of ${choice.model}, only imagenet`);
    }
  }
  return choice;
}

function weightsChoice(text: string): ModelChoice['weights'] {
  const keyword = keywords.find((known) => known === text);
  if (keyword) {
    return { keyword };
  }
  // a bare word that is no file is taken for a misspelt keyword; anything else for a file that is not there
  if (!existsSync(text) && !/[./\\]/.test(text)) {
    throw new UsageError(`--weights: no such file '${text}'${suggestion(text, keywords)}`);
  }
  return { file: text };
}

/** A model that is ready to run. */
export interface ReadyModel {
  model: ResNet;
  /** Where its weights come from, for people. */
  weights: string;
  /** Whether they are random, so that scores mean nothing. */
  random: boolean;
  /** What the shorter side of an image is scaled to. */
  resize: number;
  /** How long it took to build the model and to read its weights. */
  seconds: number;
}

/** Fetches weights where that is asked for, and builds the model on its device. */
export async function openModel(choice: ModelChoice): Promise<ReadyModel> {
  const source = await weightsSource(choice);
  const begin = performance.now();
  const { models } = await import('../index.js');
  const Model = models[choice.model];
  const options = { device: choice.device, ...(choice.dtype && { dtype: choice.dtype }) };
  const model = source.file ? await Model.load(source.file, options) : new Model({ ...options, seed: 0 });
  // the weights are still on their way: waiting here keeps them out of the time that images are said to take
  await model.device.synchronize();
  const resize = Math.floor((choice.size * publishedResize(source.file ?? '')) / 224);
  return {
    model,
    weights: source.name,
    random: source.file === undefined,
    resize: choice.resize ?? Math.min(resize, maxSide),
    seconds: (performance.now() - begin) / 1000,
  };
}

/** Said where classes are shown that random weights gave. */
export const meaningless = 'The weights are random: classes and scores mean nothing.';

/** The lines that say what runs where. */
export function describeModel({ model, weights, random }: ReadyModel, choice: ModelChoice): string {
  const { id, name, engine } = model.device.info;
  const lines = [
    `device   ${id} (${name})`,
    `engine   ${engine}`,
    `model    ${choice.model}, ${model.dtype}`,
    `weights  ${printable(weights)}`,
  ];
  if (random) {
    lines.push('', meaningless);
  }
  return `${lines.join('\n')}\n`;
}

interface WeightsSource {
  name: string;
  /** Undefined for random weights. */
  file?: string;
}

const randomWeights: WeightsSource = { name: 'random (seed 0)' };

async function weightsSource({ model, weights }: ModelChoice): Promise<WeightsSource> {
  if ('file' in weights) {
    return { name: weights.file, file: weights.file };
  }
  switch (weights.keyword) {
    case 'random':
      return randomWeights;
    case 'imagenet':
      return fetched(model, 'v1');
    case 'imagenet-v2':
      return fetched(model, 'v2');
    case 'imagenet-or-random':
      try {
        return await fetched(model, 'v1');
      } catch (error) {
        if (!(error instanceof CudnnResnetError)) {
          throw error;
        }
        complain(error);
        note(
          `There are no ImageNet weights of ${model}, so seeded random ones are used: the classes and scores\n` +
            'below mean nothing. Pass a file of weights with --weights FILE (.safetensors, .pth or .pt).',
        );
        return randomWeights;
      }
  }
}

async function fetched(model: ModelChoice['model'], version: PretrainedVersion): Promise<WeightsSource> {
  const { name } = pretrainedFile(model, version);
  let bar: ProgressBar | undefined;
  try {
    const onProgress = (received: number, total: number | undefined) => {
      bar ??= new ProgressBar(`fetching ${name}`, total, { format: megabytes });
      bar.update(received, total);
    };
    const file = await pretrainedWeights(model, { version, onProgress });
    return { name: `ImageNet ${version.toUpperCase()} (${name})`, file };
  } finally {
    bar?.end();
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
