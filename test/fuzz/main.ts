/*
 * Coverage-guided fuzzing of what reads files of weights: an input that reaches a new block of the package's code, or one
 * more often, is kept and changed further.
 *
 *   npx tsx test/fuzz/main.ts [--seconds N] [--seed N] [--keep] [READER...]
 *
 * Begins with the corpus in test/fuzz/corpus, which test/41.weights-fuzz.test.ts reads as well. An input that is neither
 * read nor refused is put into it, and the exit code is 1. With --keep the corpus is made anew in the end: of all inputs
 * the shortest that reach every block which any of them reached.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Coverage } from './coverage.js';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import { type Reader, readers, readSoundly } from './readers.js';

/** Coverage costs more than reading: it is asked for after so many inputs, which are repeated one by one where it grew. */
const together = 16;

class Fuzzer {
  readonly pool: Buffer[] = [];
  executed = 0;

  constructor(
    private readonly name: string,
    private readonly reader: Reader,
    private readonly coverage: Coverage,
    private readonly random: Random,
    private readonly path: string,
  ) {}

  private get folder(): string {
    return fileURLToPath(new URL(`./corpus/${this.name}/`, import.meta.url));
  }

  async begin(): Promise<void> {
    const kept = existsSync(this.folder)
      ? readdirSync(this.folder).map((name) => readFileSync(this.folder + name))
      : [];
    for (const bytes of [...this.reader.seeds(), ...kept]) {
      await this.read(bytes);
      if (this.coverage.add()) this.pool.push(bytes);
    }
  }

  /** Reads some inputs, and keeps for further changes what reached something new. */
  async step(): Promise<void> {
    const inputs = Array.from({ length: together }, () =>
      mutate(this.random.pick(this.pool), this.random.pick(this.pool), this.reader.dictionary, this.random),
    );
    for (const input of inputs) await this.read(input);
    if (!this.coverage.anyNew()) return;
    for (const input of inputs) {
      await this.read(input);
      if (this.coverage.add()) this.pool.push(input);
    }
  }

  async replaceCorpus(): Promise<void> {
    this.coverage.forget();
    rmSync(this.folder, { recursive: true, force: true });
    for (const bytes of this.reader.seeds()) await this.read(bytes);
    this.coverage.add();
    for (const bytes of this.pool.toSorted((a, b) => a.length - b.length)) {
      await this.read(bytes);
      if (!this.coverage.anyNew()) continue;
      await this.read(bytes);
      this.coverage.add();
      this.keep(bytes);
    }
  }

  private keep(bytes: Buffer, prefix = ''): string {
    mkdirSync(this.folder, { recursive: true });
    const path = `${this.folder}${prefix}${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`;
    writeFileSync(path, bytes);
    return path;
  }

  private async read(bytes: Buffer): Promise<void> {
    this.executed++;
    try {
      await readSoundly(this.path, this.reader.file(bytes));
    } catch (error) {
      console.error(`${this.name}: ${this.keep(bytes, 'crash-')}`);
      throw error;
    }
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '15' },
    seed: { type: 'string' },
    keep: { type: 'boolean' },
  },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const folder = mkdtempSync(join(tmpdir(), 'cudnn-resnet-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const name of positionals.length > 0 ? positionals : Object.keys(readers)) {
  const reader = readers[name];
  if (!reader) throw new Error(`no reader ${name}; there are ${Object.keys(readers)}`);
  const coverage = new Coverage('/lib/weights/');
  const fuzzer = new Fuzzer(name, reader, coverage, new Random(seed), join(folder, 'file'));
  await fuzzer.begin();
  const atBegin = coverage.size;
  for (const end = performance.now() + Number(values.seconds) * 1000; performance.now() < end; ) {
    await fuzzer.step();
  }
  console.log(
    `${name}: seed ${seed}, ${fuzzer.executed} inputs, ${coverage.size} features (${atBegin} at the begin), ${fuzzer.pool.length} inputs in the pool`,
  );
  if (values.keep) await fuzzer.replaceCorpus();
}
