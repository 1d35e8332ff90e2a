import { mkdir } from 'node:fs/promises';
import type { PlannedGraph } from '../../binding.js';
import type { Device } from '../device.js';
import type { FloatDType } from '../dtype.js';
import { notWritten } from '../not-written.js';
import { printable } from '../quote.js';
import type { PretrainedModel } from '../weights/pretrained.js';
import { type Gpu, gpu, gpuNames } from './gpus.js';
import { type Layer, outputOf, readLayers } from './layers.js';
import { modelNames } from './model.js';
import { goOnUnread, note, print } from './output.js';
import { ProgressBar } from './progress.js';
import { type Command, choicesOf, countOf, countsOf, type Given, textOf, UsageError } from './usage.js';

const maths = ['float32', 'tf32', 'float16', 'bfloat16'] as const;

export const plan: Command = {
  summary: 'Compiles the plans of a model for GPUs that need not be there',
  operands: '',
  details:
    'cuDNN makes a plan for each kind of layer when a model first runs, and compiles some of them. This\n' +
    "does it beforehand; `new ResNet50({ plans: 'FOLDER' })` uses them, on such a GPU, with the same\n" +
    'cuDNN. Lists are separated by commas. Exits with 1 where cuDNN refuses a plan.',
  options: {
    gpu: {
      value: 'LIST',
      help: `required: ${gpuNames.join(', ')}, or\nfiles as 'info --device-properties' prints them`,
    },
    driver: {
      value: 'VERSION',
      help:
        'CUDA version of the driver that a GPU named above will have, as nvidia-smi\n' +
        'shows it (default 13.0): some versions of cuDNN take no plan of another',
    },
    output: { short: 'o', value: 'FOLDER', help: 'where the plans go (default: nowhere)' },
    model: { value: 'LIST', help: `${modelNames.join(', ')} (default resnet50)` },
    dtype: { value: 'LIST', help: `${maths.join(', ')} (default float32)` },
    batch: { value: 'LIST', help: 'how many images at once (default 1)' },
    size: { value: 'PIXELS', help: 'side of the images (default 224)' },
    training: { help: 'plan training mode as well' },
    layers: {
      value: 'FILE',
      help: 'plan these convolutions instead of models, one a line:\n64x56x56 128x3x3 s2 p1 d1 g1 bias add relu',
    },
    verbose: { help: 'a line for each plan' },
    json: { help: 'a line of JSON for each plan' },
  },

  async run(given) {
    const work = await workFrom(given);
    if (work.folder !== '') {
      goOnUnread();
      await mkdir(work.folder, { recursive: true }).catch((error) => {
        throw notWritten(work.folder, error);
      });
    }
    // On a GPU that is there cuDNN would load what it compiles for another, which fails.
    process.env.CUDA_VISIBLE_DEVICES = '-1';
    const bar = new ProgressBar('plans', undefined);
    const planning = Promise.all(work.gpus.map((one) => planFor(one, work, bar)));
    const findings = await planning.finally(() => bar.end());
    const summaries = findings.map((graphs, i) => summary(work.gpus[i]!.name, graphs, work.folder));
    if (!work.json) {
      await print(`${summaries.join('\n')}\n`);
    }
    return findings.every((graphs) => graphs.length > 0 && graphs.every(({ refusal }) => refusal === ''))
      ? 0
      : 1;
  },
};

/** What the options ask for. */
interface Work {
  gpus: Gpu[];
  folder: string;
  models: PretrainedModel[];
  maths: (typeof maths)[number][];
  batches: number[];
  size: number;
  training: boolean;
  layers: Layer[] | undefined;
  verbose: boolean;
  json: boolean;
}

async function workFrom(given: Given): Promise<Work> {
  const names = textOf(given, 'gpu');
  if (names === undefined) {
    throw new UsageError(`--gpu is missing: ${gpuNames.join(', ')} or a FILE.json`);
  }
  const driver = driverVersion(textOf(given, 'driver') ?? '13.0');
  const file = textOf(given, 'layers');
  return {
    gpus: await Promise.all(names.split(',').map((name) => gpu(name, driver))),
    folder: textOf(given, 'output') ?? '',
    models: choicesOf(given, 'model', modelNames) ?? ['resnet50'],
    maths: choicesOf(given, 'dtype', maths) ?? ['float32'],
    batches: countsOf(given, 'batch', [1]),
    size: countOf(given, 'size', 224),
    training: given.training === true,
    layers: file === undefined ? undefined : await readLayers(file),
    verbose: given.verbose === true,
    json: given.json === true,
  };
}

/** 12080 for '12.8'. */
function driverVersion(text: string): number {
  const [, major, minor] = /^(\d{2})\.(\d)$/.exec(text) ?? [];
  if (minor === undefined) {
    throw new UsageError(`--driver expects a version of CUDA, such as 12.8 or 13.0, got '${text}'`);
  }
  return 1000 * Number(major) + 10 * Number(minor);
}

/** Runs the models, or the layers, on a device that computes nothing and compiles their plans. */
async function planFor(target: Gpu, work: Work, bar: ProgressBar): Promise<PlannedGraph[]> {
  const [{ Device }, { native }] = await Promise.all([import('../device.js'), import('../native.js')]);
  const { name, ...properties } = target;
  const planner = native().openPlanner({ ...properties, folder: work.folder });
  const device = new Device(`planner of ${name}`, planner.device);
  const found: PlannedGraph[] = [];
  const collect = () => {
    for (const graph of planner.planned()) {
      found.push(graph);
      report(name, graph, work, bar);
      bar.update(found.length);
    }
  };
  const timer = setInterval(collect, 200);
  try {
    for (const math of work.maths) {
      const options = { device, dtype: math === 'tf32' ? 'float32' : math, tf32: math === 'tf32' } as const;
      await (work.layers ? runLayers(work.layers, options, work) : runModels(options, work));
    }
  } finally {
    clearInterval(timer);
    collect();
  }
  return found;
}

type Where = { device: Device; dtype: FloatDType; tf32: boolean };

async function runModels(where: Where, { models: names, batches, size, training }: Work): Promise<void> {
  const { device, dtype } = where;
  const { models, Tensor } = await import('../index.js');
  for (const name of names) {
    using model = new models[name](where);
    for (const mode of training ? [false, true] : [false]) {
      model.train(mode);
      for (const batch of batches) {
        using x = Tensor.zeros([batch, 3, size, size], { device, dtype });
        using y = model.forward(x);
        await y.data();
      }
    }
  }
}

async function runLayers(layers: Layer[], where: Where, { batches }: Work): Promise<void> {
  const { ops, scope, Tensor } = await import('../index.js');
  const { device, dtype, tf32 } = where;
  const zeros = (shape: readonly number[]) => Tensor.zeros(shape, { device, dtype });
  for (const batch of batches) {
    for (const layer of layers) {
      await scope(async () => {
        const bias = layer.bias ? zeros([layer.weight[0]]) : undefined;
        const add = layer.add ? zeros([batch, ...outputOf(layer)]) : undefined;
        const x = zeros([batch, ...layer.x]);
        const y = ops.conv2d(x, zeros(layer.weight), { ...layer.options, tf32, bias, add });
        await ops.globalAvgPool(y).data(); // which fails where y did, and takes no memory to speak of
      });
    }
  }
}

function report(gpu: string, graph: PlannedGraph, { verbose, json }: Work, bar: ProgressBar): void {
  if (json) {
    bar.clear();
    process.stdout.write(`${JSON.stringify({ gpu, ...graph })}\n`);
  } else if (graph.refusal !== '') {
    note(`REFUSED for ${printable(gpu)}: ${verbose ? graph.refusal : graph.refusal.split('\n')[0]}`, bar);
  } else if (verbose) {
    const { engine, workspaceBytes, bytes, seconds } = graph;
    note(
      `${printable(gpu)}: ${graph.graph}: ${engine}, workspace ${workspaceBytes}, ${bytes} bytes, ${seconds.toFixed(1)} s`,
      bar,
    );
  }
}

function summary(gpu: string, graphs: PlannedGraph[], folder: string): string {
  const planned = graphs.filter(({ refusal }) => refusal === '');
  const written = planned.filter(({ bytes }) => bytes > 0);
  const megabytes = written.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  const parts = [`${planned.length} plans`, `${graphs.length - planned.length} refused`];
  if (folder !== '') {
    parts.push(`${written.length} written to ${printable(folder)} (${megabytes.toFixed(1)} MB)`);
  }
  return `${printable(gpu)}: ${parts.join(', ')}`;
}
