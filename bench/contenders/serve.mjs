// The process of a contender written for Node: answers the driver's requests, one line of JSON for each line of words.
//   batch N     makes ready for batches of N images
//   run N       N inferences one after the other: their milliseconds, each from an array on the host to one on the host
//   logits FILE writes what the model gives for the batch
//   delay N     as `run`, and what a timer of 1 ms saw of the event loop meanwhile
//   further words that the contender knows
import { open, writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

const bytesPerImage = 4 * 3 * 224 * 224;

/** What the driver passes on the command line. */
export const [directory, threads] = [process.argv[2], Number(process.argv[3])];

/**
 * @param {object} contender
 * @param {() => Promise<void>} contender.load the model
 * @param {(images: Float32Array) => (() => Promise<Float32Array>)} contender.inference of a batch, one run for each call
 * @param {string} contender.version
 * @param {Record<string, (...words: string[]) => Promise<object>>} [contender.commands]
 */
export async function serve({ load, inference, version, commands = {} }) {
  let infer;
  let loaded;

  async function run(count) {
    const times = [];
    for (let i = 0; i < count; i++) {
      const begin = performance.now();
      await infer();
      times.push(performance.now() - begin);
    }
    return times;
  }

  const known = {
    async batch(size) {
      loaded ??= load();
      await loaded;
      infer = inference(await images(Number(size)));
      return {};
    },
    async run(count) {
      return { times: await run(Number(count)) };
    },
    async logits(file) {
      await writeFile(file, new Uint8Array((await infer()).slice().buffer));
      return {};
    },
    async delay(count) {
      const histogram = monitorEventLoopDelay({ resolution: 1 });
      histogram.enable();
      const times = await run(Number(count));
      histogram.disable();
      const milliseconds = (q) => histogram.percentile(q) / 1e6;
      return { times, median: milliseconds(50), p99: milliseconds(99), most: histogram.max / 1e6 };
    },
    ...commands,
  };

  process.stdout.write(`${JSON.stringify({ version })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(' ');
    try {
      process.stdout.write(`${JSON.stringify(await known[command](...words))}\n`);
    } catch (error) {
      process.stdout.write(`${JSON.stringify({ error: String(error?.stack ?? error) })}\n`);
    }
  }
  // not by running out of work: a contender's threads must not keep its process
  process.exit(0);
}

/** The first images of those that every contender gets. */
async function images(count) {
  const file = await open(`${directory}/images.bin`);
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(count * bytesPerImage),
      0,
      count * bytesPerImage,
      0,
    );
    if (bytesRead !== buffer.length) {
      throw new Error(`images.bin holds fewer than ${count} images`);
    }
    return new Float32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);
  } finally {
    await file.close();
  }
}
