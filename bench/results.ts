import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Best } from './measures/best-batch.js';
import type { ClassifyThroughput } from './measures/classify.js';
import type { ColdStart } from './measures/cold-start.js';
import type { EventLoopDelay } from './measures/event-loop.js';
import type { Gpu } from './measures/gpu.js';
import type { Inference } from './measures/inference.js';
import type { Memory } from './measures/memory.js';
import type { Primitives } from './measures/primitives.js';

/** What one run found, as it is written to results/. Of what was not measured there is nothing. */
export interface Results {
  date: string;
  /** Of this checkout; with `+` where files differ from it. */
  commit: string;
  machine: { processor: string; cores: number; memory: number; system: string };
  model: string;
  threads: number;
  /** Of Node, and of what each contender runs on. */
  versions: Record<string, string>;
  /** Why other contenders did not take part. */
  missing: Record<string, string>;
  /** The worst relative error of each contender against PyTorch in float64. */
  errors: Record<string, number>;
  /** By batch and contender. */
  inference?: Record<number, Record<string, Inference>>;
  best?: Record<string, Best>;
  coldStart?: Record<string, ColdStart>;
  memory?: Record<string, Memory> | undefined;
  eventLoop?: Record<number, Record<string, EventLoopDelay>>;
  classify?: ClassifyThroughput;
  primitives?: Primitives | undefined;
  gpu?: Gpu;
}

/** What is true of a run before anything is measured. */
export function surroundings(): Pick<Results, 'date' | 'commit' | 'machine'> {
  return {
    date: new Date().toISOString().slice(0, 16),
    commit: process.env.BENCH_COMMIT ?? checkedOut(), // a copy for another machine has no history
    machine: {
      processor: processor(),
      cores: cpus().length,
      memory: totalmem(),
      system: `${type()} ${release().split('-')[0]}`,
    },
  };
}

/** What a file holds already. One of another commit is not to be added to: it would say that all of it is of this. */
export function resultsSoFar(file: string, commit: string): Results | undefined {
  if (!existsSync(file)) return undefined;
  const before = JSON.parse(readFileSync(file, 'utf8')) as Results;
  if (before.commit !== commit) {
    throw new Error(`${file} is of commit ${before.commit}, and this is ${commit}: name another --output`);
  }
  return before;
}

/** The commit, and a plus where something else is measured. */
function checkedOut(): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      encoding: 'utf8',
    }).trim();
  const changed = git('status', '--porcelain', '--', '../lib', '../native', '../CMakeLists.txt') !== '';
  return git('rev-parse', '--short', 'HEAD') + (changed ? '+' : '');
}

/** With the widest vectors that it has, which virtual machines' names do not tell. */
function processor(): string {
  const name = cpus()[0]?.model.trim() ?? 'unknown';
  try {
    const flags = /^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
    const widest = ['amx_tile', 'avx512f', 'avx2'].find((flag) => flags.includes(flag));
    return widest ? `${name} (${widest})` : name;
  } catch {
    return name;
  }
}
