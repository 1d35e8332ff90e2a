// The table of what has run on which GPU, in README.md and docs/cuda.md, from bench/results/gpu-check-*.json:
//
//   node scripts/gpu/support-table.mjs           writes it
//   node scripts/gpu/support-table.mjs --check   exits 1 where it is not what the files say
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = ['README.md', 'docs/cuda.md'];
const [begin, end] = [
  '<!-- support-table: scripts/gpu/support-table.mjs writes this -->',
  '<!-- /support-table -->',
];

/** The results in a folder, the latest first. */
export function results(folder = join(root, 'bench', 'results')) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => /^gpu-check-.*\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    .sort((a, b) => b.date.localeCompare(a.date) || a.gpu.localeCompare(b.gpu));
}

/** The results as Markdown. */
export function supportTable(found) {
  if (found.length === 0) {
    return 'Nothing of the engine on cuDNN has run on a GPU yet: no combination of GPU, driver, CUDA and cuDNN is known to work.';
  }
  const rows = found.map(({ gpu, driver, cuda, cudnn, date, commit, steps }) => {
    const passed = steps.filter(({ state }) => state === 'passed').length;
    const others = steps
      .filter(({ state }) => state !== 'passed')
      .map(({ name, state }) => `${name}: ${state}`);
    const outcome = [`${passed} of ${steps.length}`, ...others].join('; ');
    return `| ${gpu} | ${driver} | ${cuda} | ${cudnn} | ${date} | ${commit.slice(0, 8)}${commit.slice(40)} | ${outcome} |`;
  });
  return [
    '| GPU | driver | CUDA | cuDNN | date | commit | checks passed |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    'A combination that is not in this table has never run.',
  ].join('\n');
}

/** A document with this table in the place of the one that it has. */
export function withTable(text, table) {
  const [first, last] = [text.indexOf(begin), text.indexOf(end)];
  if (first < 0 || last < first) {
    throw new Error(`there is no place for the table: '${begin}' and '${end}' around it`);
  }
  return `${text.slice(0, first + begin.length)}\n\n${table}\n\n${text.slice(last)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const table = supportTable(results());
  for (const name of documents) {
    const path = join(root, name);
    const text = readFileSync(path, 'utf8');
    const wanted = withTable(text, table);
    if (process.argv[2] !== '--check') {
      writeFileSync(path, wanted);
    } else if (text !== wanted) {
      console.error(
        `${name}: the table of GPUs is not what bench/results says; node scripts/gpu/support-table.mjs`,
      );
      process.exitCode = 1;
    }
  }
}
