import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { ResNet } from '../index.js';
import { notWritten } from '../not-written.js';
import { median, quantile } from '../quantile.js';
import { printable } from '../quote.js';
import { type ModelChoice, modelChoice, modelOptions, openModel } from './model.js';
import { goOnUnread, note, print } from './output.js';
import { type Command, countsOf, type Given, textOf, UsageError } from './usage.js';

/** Forward passes of one batch, from an array on the host to logits on the host, in milliseconds. */
interface Timing {
  batch: number;
  median: number;
  p95: number;
  p99: number;
  imagesPerSecond: number;
  passes: number;
}

const { model, weights, device, dtype, size } = modelOptions;

export const bench: Command = {
  summary: 'Measures how fast a model runs on this machine',
  operands: '',
  details:
    'Times forward passes from an array on the host to the logits on the host, one after the\n' +
    'other. Leave the machine alone meanwhile.',
  options: {
    model,
    weights: {
      value: weights.value,
      help: 'as in classify (default random: speed does not depend on them)',
    },
    device,
    dtype,
    batch: { value: 'N,N,...', help: 'images in a pass (default 1,8,32)' },
    size,
    seconds: { value: 'S', help: 'for how long each batch is measured (default 5)' },
    profile: { help: 'also show what each operation takes, at the first batch' },
    trace: { value: 'FILE.json', help: "also write such a profile in Chrome's trace format" },
    json: { help: 'the figures as one line of JSON, and nothing else, on stdout' },
  },

  async run(given) {
    const { batch: _, ...rest } = given;
    const choice = modelChoice({ weights: 'random', ...rest });
    const batches = countsOf(given, 'batch', [1, 8, 32]);
    const seconds = secondsOf(given);
    const trace = textOf(given, 'trace');
    if (trace !== undefined) {
      goOnUnread();
      await tryToWrite(trace);
    }
    const { model, weights } = await openModel(choice);
    const { id, name, engine } = model.device.info;
    const { size } = choice;
    const what = { device: id, name, engine, model: choice.model, dtype: model.dtype, weights, size };
    if (!given.json) {
      await print(
        `device   ${id} (${name})\nengine   ${engine}\nmodel    ${choice.model}, ${model.dtype}, ${size}×${size}\n\n` +
          'batch   median ms        p95        p99   images/s\n',
      );
    }

    const timings: Timing[] = [];
    for (const batch of batches) {
      const timing = await timeBatch(model, batch, choice, seconds);
      timings.push(timing);
      if (!given.json) {
        await print(`${row(timing)}\n`);
      }
    }
    const profile = given.profile || trace ? await profileOf(model, batches[0]!, choice, trace) : undefined;
    if (given.json) {
      await print(
        `${JSON.stringify({ ...what, timings, ...(profile && { operations: profile.operations }) })}\n`,
      );
    } else if (given.profile) {
      await print(`\nbatch ${batches[0]}, operation by operation\n\n${profile}\n`);
    }
    model.dispose();
    return 0;
  },
};

/**
 * Before the work begins, so that a folder that is not there costs no time; what a file holds stays until then, and one that
 * was not there is not left behind where the work fails.
 */
async function tryToWrite(path: string): Promise<void> {
  const there = existsSync(path);
  try {
    const file = await open(path, there ? 'a' : 'wx'); // what is removed again is ours alone
    await file.close();
    if (!there) await rm(path);
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** Normalised values: what they are does not matter to the time. */
async function images(model: ResNet, batch: number, size: number) {
  const { Tensor } = await import('../index.js');
  using random = Tensor.randn([batch, 3, size, size], { device: model.device });
  return { shape: random.shape, values: await random.data() };
}

async function timeBatch(
  model: ResNet,
  batch: number,
  { size }: ModelChoice,
  seconds: number,
): Promise<Timing> {
  const { Tensor } = await import('../index.js');
  const { shape, values } = await images(model, batch, size);
  const pass = async () => {
    const begin = performance.now();
    using input = Tensor.from(values, shape, { device: model.device });
    using logits = model.forward(input);
    await logits.data();
    return performance.now() - begin;
  };
  for (let warmUp = 0; warmUp < 3; warmUp++) {
    await pass();
  }
  const times: number[] = [];
  const end = performance.now() + 1000 * seconds;
  do {
    times.push(await pass());
  } while (performance.now() < end);
  const middle = median(times);
  return {
    batch,
    median: middle,
    p95: quantile(times, 0.95),
    p99: quantile(times, 0.99),
    imagesPerSecond: (1000 * batch) / middle,
    passes: times.length,
  };
}

async function profileOf(model: ResNet, batch: number, { size }: ModelChoice, trace: string | undefined) {
  const { Tensor } = await import('../index.js');
  const { shape, values } = await images(model, batch, size);
  using input = Tensor.from(values, shape, { device: model.device });
  const profile = await model.profile(input);
  if (trace !== undefined) {
    await profile.writeTrace(trace);
    note(`${printable(trace)}: open it in chrome://tracing or ui.perfetto.dev`);
  }
  return profile;
}

function row({ batch, median, p95, p99, imagesPerSecond }: Timing): string {
  const [m, a, b] = [median, p95, p99].map((value) => value.toFixed(2).padStart(9));
  return `${String(batch).padStart(5)}   ${m}  ${a}  ${b}  ${imagesPerSecond.toFixed(1).padStart(9)}`;
}

/** For how long each batch is measured. */
function secondsOf(given: Given): number {
  const text = textOf(given, 'seconds') ?? '5';
  const seconds = Number(text);
  if (!(seconds > 0 && Number.isFinite(seconds))) {
    throw new UsageError(`--seconds wants a number above 0, got '${text}'`);
  }
  return seconds;
}
