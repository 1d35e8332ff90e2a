import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** How a contender is started, and what it is called in tables. */
export interface ContenderDescription {
  name: string;
  command: [string, ...string[]];
  /** Why it cannot run here, where it cannot. */
  missing?: string | undefined;
}

/** What a contender answers to `run`, in milliseconds. */
export interface Timed {
  times: number[];
}

/** A contender's process. Requests and answers are those of contenders/serve.mjs. */
export class Contender {
  readonly name: string;
  version = '';
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #stderr: string[] = [];

  private constructor({ name, command: [program, ...args] }: ContenderDescription, threads: number) {
    this.name = name;
    this.#child = spawn(program, args, {
      env: { ...process.env, OMP_NUM_THREADS: String(threads), TF_NUM_INTRAOP_THREADS: String(threads) },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.on('error', (error) => this.#stderr.push(String(error)));
    this.#child.stdin!.on('error', () => {}); // it ended: the answer that never comes tells
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => this.#stderr.push(text));
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(description: ContenderDescription, threads: number): Promise<Contender> {
    const contender = new Contender(description, threads);
    contender.version = (await contender.#answer<{ version: string }>('its version')).version;
    return contender;
  }

  /** Sends a line of words, and gives the object that comes back. */
  ask<T>(...words: (string | number)[]): Promise<T> {
    const request = words.join(' ');
    this.#child.stdin!.write(`${request}\n`);
    return this.#answer(`'${request}'`);
  }

  /** The most memory that the process has had at once, in bytes; undefined where the system does not tell. */
  peakMemory(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
      return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]);
    } catch {
      return undefined;
    }
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = new Promise((resolve) => this.#child.once('close', resolve));
      this.#child.stdin!.end();
      await closed;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #answer<T>(request: string): Promise<T> {
    const { value, done } = await this.#answers.next();
    if (done) {
      throw new Error(`${this.name} ended without an answer to ${request}:\n${this.#stderr.join('')}`);
    }
    const answer = JSON.parse(value) as T & { error?: string };
    if (answer.error !== undefined) {
      throw new Error(`${this.name}: ${answer.error}`);
    }
    return answer;
  }
}
