// Measures this package beside what else one would run a ResNet with.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { models, type PretrainedModel } from 'cudnn-resnet';
import { floatDTypes, isFloatDType } from '../lib/dtype.js';
import { chart } from './chart.js';
import { Contender, type ContenderDescription } from './contender.js';
import { contenders, gpuContenders, missingPyTorch, python, us } from './contenders.js';
import { bestBatches } from './measures/best-batch.js';
import { classifyThroughput } from './measures/classify.js';
import { coldStarts } from './measures/cold-start.js';
import { eventLoopDelays } from './measures/event-loop.js';
import { onGpu } from './measures/gpu.js';
import { timeBatches } from './measures/inference.js';
import type { Bench } from './measures/measure.js';
import { peakMemory } from './measures/memory.js';
import { primitives } from './measures/primitives.js';
import { Reference } from './reference.js';
import { type Results, resultsSoFar, surroundings } from './results.js';
import { tables } from './table.js';
import { verdicts } from './targets.js';

const usage = `usage: npm run bench -- [MEASURE...] [OPTION...]

Measures, all of these where none is named:
  latency       batch 1: median, p95, p99
  throughput    batch 8 and 32
  best          the batch of the most images a second
  cold-start    process start to first result
  memory        peak of the process at batch 8
  event-loop    what a timer sees during inferences
  classify      images a second from JPEG files to classes, beside inference alone
  primitives    each operation alone, beside the machine's peaks
  gpu           instead of these: forward passes on the first GPU beside PyTorch's, in --dtype

Options:
  --quick           fewer rounds, for a first look
  --only A,B        these contenders beside ours, by parts of their names
  --package DIR     another checkout of this package beside this one; may be given several times
  --model NAME      ${Object.keys(models).join(', ')} (default resnet50)
  --dtype NAME      of gpu: ${floatDTypes.join(', ')} (default float16)
  --threads N       default: as many as there are cores
  --output FILE     the results, a FILE.json (default results/DATE.json); a chart goes beside it as .svg.
                    Measures that the file holds already, of the same commit, and that are not named stay.
`;

type Measure = (
  bench: Bench,
  results: Results,
  given: { dtype: string; flops: number },
) => Promise<Partial<Results>>;

/** Those of the CPU. */
const measures: Record<string, Measure> = {
  latency: async (bench, { inference }) => ({
    inference: { ...inference, ...(await timeBatches(bench, [1])) },
  }),
  throughput: async (bench, { inference }) => ({
    inference: { ...inference, ...(await timeBatches(bench, [8, 32])) },
  }),
  best: async (bench) => ({ best: await bestBatches(bench) }),
  'cold-start': async (bench) => ({ coldStart: await coldStarts(bench) }),
  memory: async (bench) => ({ memory: await peakMemory(bench) }),
  'event-loop': async (bench) => ({ eventLoop: await eventLoopDelays(bench) }),
  classify: async (bench) => ({ classify: await classifyThroughput(bench) }),
  primitives: async (bench) => ({ primitives: await primitives(bench) }),
};
const gpu: Measure = async (bench, _, { dtype, flops }) => ({ gpu: await onGpu(bench, dtype, flops) });

function commandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      package: { type: 'string', multiple: true, default: [] },
      dtype: { type: 'string', default: 'float16' },
      model: { type: 'string', default: 'resnet50' },
      threads: { type: 'string', default: String(availableParallelism()) },
      output: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const onGpu = positionals.length === 1 && positionals[0] === 'gpu';
  const unknown = positionals.find((name) => !onGpu && !Object.hasOwn(measures, name));
  const threads = Number(values.threads);
  if (unknown !== undefined) {
    throw new UsageError(unknown === 'gpu' ? 'gpu is measured alone' : `unknown measure '${unknown}'`);
  }
  if (!Object.hasOwn(models, values.model)) {
    throw new UsageError(`--model does not know '${values.model}'`);
  }
  if (!isFloatDType(values.dtype)) {
    throw new UsageError(`--dtype does not know '${values.dtype}'`);
  }
  if (values.output !== undefined && !values.output.endsWith('.json')) {
    throw new UsageError(`--output writes JSON, so name a FILE.json, got '${values.output}'`);
  }
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new UsageError(`--threads wants a whole number of at least 1, got '${values.threads}'`);
  }
  return {
    ...values,
    model: values.model as PretrainedModel,
    threads,
    onGpu,
    dtype: onGpu ? values.dtype : 'float32',
    measures: positionals.length > 0 ? positionals : Object.keys(measures),
  };
}

class UsageError extends Error {}

/** The folder of the model's files, which are made where they are not there; by PyTorch, where there is one. */
async function modelFiles(model: PretrainedModel, device: 'cpu' | 'cuda'): Promise<string> {
  const images = device === 'cuda' ? 256 : 64; // as many as the largest batch
  const made = missingPyTorch() ? 'made' : 'exported';
  const directory = fileURLToPath(new URL(`.cache/${model}-${images}-${made}`, import.meta.url));
  if (!existsSync(`${directory}/model.json`)) {
    if (made === 'made') {
      const { makeModel } = await import('./model/make.js');
      await makeModel(model, images, directory);
    } else {
      const script = fileURLToPath(new URL('model/export.py', import.meta.url));
      execFileSync(python, [script, model, String(images), directory, device], { stdio: 'inherit' });
    }
  }
  return directory;
}

async function versionsOf(
  descriptions: ContenderDescription[],
  threads: number,
): Promise<Record<string, string>> {
  const versions: Record<string, string> = { Node: process.version.slice(1) };
  for (const description of descriptions) {
    await using contender = await Contender.start(description, threads);
    const family = contender.name.startsWith('PyTorch') ? 'PyTorch' : contender.name;
    versions[family] = contender.version;
  }
  return versions;
}

async function main() {
  const given = commandLine();
  if (given.help) {
    process.stdout.write(usage);
    return;
  }
  const directory = await modelFiles(given.model, given.onGpu ? 'cuda' : 'cpu');
  const others = given.package.map((folder) => resolve(folder));
  const all = given.onGpu
    ? gpuContenders(directory, given.threads, given.dtype)
    : contenders(given.model, directory, given.threads, others);
  const only = given.only?.split(',');
  const asked = all.filter(
    ({ name }) => !only || name.startsWith(us) || only.some((part) => name.includes(part)),
  );
  const chosen = asked.filter(({ missing }) => !missing);
  const missing = asked.filter((contender) => contender.missing);
  const reference = await Reference.read(directory, given.dtype);
  const bench: Bench = {
    contenders: chosen,
    threads: given.threads,
    quick: given.quick,
    check: (contender, batch) => reference.check(contender, batch),
    keep,
    progress: (text) => process.stderr.write(`${text}\n`),
  };

  const around = surroundings();
  const output =
    given.output ?? fileURLToPath(new URL(`results/${around.date.replace(':', '')}.json`, import.meta.url));
  const before = resultsSoFar(output, around.commit);
  let results: Results = {
    ...before,
    ...around,
    model: given.model,
    threads: given.threads,
    versions: { ...before?.versions, ...(await versionsOf(chosen, given.threads)) },
    missing: {
      ...before?.missing,
      ...Object.fromEntries(missing.map(({ name, missing }) => [name, missing!])),
    },
    errors: before?.errors ?? {},
  };
  for (const { name, missing: why } of missing) {
    console.log(`left out: ${name}: ${why}`);
  }
  function keep(measured: Partial<Results>) {
    results = { ...results, ...measured, errors: { ...results.errors, ...reference.errors } };
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, `${JSON.stringify(results, null, 1)}\n`);
    writeFileSync(output.replace(/\.json$/, '.svg'), chart(results));
  }
  for (const name of given.measures) {
    keep(await (measures[name] ?? gpu)(bench, results, { dtype: given.dtype, flops: reference.flops }));
  }
  console.log(
    `${tables(results)}\n\n${verdicts(results).join('\n')}\n\n${basename(output)} and its chart are in ${dirname(output)}`,
  );
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof UsageError) {
    console.error(`\n${usage}`);
  }
  process.exitCode = 1;
}
