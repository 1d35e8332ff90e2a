// Measures this package beside others: npm run bench -- --help
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contenders, python, us } from './contenders.js';
import { timeBatches } from './measures/inference.js';
import type { Bench } from './measures/measure.js';
import { Reference } from './reference.js';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'resnet50' },
    threads: { type: 'string', default: String(availableParallelism()) },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const threads = Number(given.threads);
const directory = fileURLToPath(new URL(`.cache/${given.model}`, import.meta.url));
if (!existsSync(`${directory}/model.json`)) {
  execFileSync(
    python,
    [fileURLToPath(new URL('model/export.py', import.meta.url)), given.model, '64', directory],
    { stdio: 'inherit' },
  );
}
const all = contenders(given.model, directory, threads);
const only = given.only?.split(',');
const chosen = all.filter(
  ({ name, missing }) => !missing && (!only || name === us || only.some((part) => name.includes(part))),
);
for (const { name, missing } of all) if (missing) console.log(`${name}: ${missing}`);
const reference = await Reference.read(directory);
const bench: Bench = {
  contenders: chosen,
  threads,
  quick: given.quick,
  check: (contender, batch) => reference.check(contender, batch),
  progress: (text) => process.stderr.write(`${text}\n`),
};
const batches = positionals.length > 0 ? positionals.map(Number) : [1, 8];
const results = await timeBatches(bench, batches);
for (const [batch, row] of Object.entries(results)) {
  console.log(`batch ${batch}: milliseconds, and times ours [quartiles]`);
  for (const [name, { median, p95, p99, imagesPerSecond, ratio, inferences }] of Object.entries(row)) {
    const f = (x: number) => x.toFixed(1).padStart(7);
    console.log(
      `  ${name.padEnd(22)} median${f(median)} p95${f(p95)} p99${f(p99)}  ${f(imagesPerSecond)} images/s   ×${ratio.median.toFixed(2)} [${ratio.p25.toFixed(2)}, ${ratio.p75.toFixed(2)}] (${inferences}, error ${reference.errors[name]!.toExponential(0)})`,
    );
  }
}
