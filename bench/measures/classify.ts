import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { us } from '../contenders.js';
import { median } from '../statistics.js';
import { type Bench, interleaved, together } from './measure.js';

/** Images a second from JPEG files to classes, and of its parts alone. */
export interface ClassifyThroughput {
  batch: number;
  files: number;
  classify: number;
  /** From pixels to classes, with the same batch. */
  inference: number;
  /** From files to pixels. */
  decoding: number;
  /** `classify` by `inference`, the median of the rounds. */
  share: number;
  /** What share of all cores classify kept busy, and inference alone, whose threads wait for each other. */
  coresBusy: number;
  inferenceBusy: number;
  /** What share of the inference's throughput is left if decoding takes its processor time from the same cores. */
  shareAtMost: number;
}

interface Measured {
  seconds: number;
  cpuSeconds: number;
}

const files = 200;

export async function classifyThroughput(bench: Bench): Promise<ClassifyThroughput> {
  const batch = 8;
  const images = await jpegFiles();
  const contenders = bench.contenders.filter(({ name }) => name === us);
  return together({ ...bench, contenders }, async ([contender]) => {
    await contender!.ask('batch', batch);
    await bench.check(contender!, batch);
    const parts = ['classify', 'infer', 'decode'].map((name) => ({ name }));
    const runs = await interleaved(parts, bench.quick ? 1 : 3, ({ name }) => {
      bench.progress(`classify: ${name}`);
      return contender!.ask<Measured>(name, images, batch);
    });
    const of = (name: string, value: (run: Measured) => number) => median(runs.get(name)!.map(value));
    const perSecond = (name: string) => of(name, ({ seconds }) => files / seconds);
    const cpu = (name: string) => of(name, ({ cpuSeconds }) => cpuSeconds);
    const busy = (name: string) =>
      of(name, ({ seconds, cpuSeconds }) => cpuSeconds / seconds / bench.threads);
    return {
      batch,
      files,
      classify: perSecond('classify'),
      inference: perSecond('infer'),
      decoding: perSecond('decode'),
      share: median(
        runs.get('classify')!.map(({ seconds }, round) => runs.get('infer')![round]!.seconds / seconds),
      ),
      coresBusy: busy('classify'),
      inferenceBusy: busy('infer'),
      shareAtMost: cpu('infer') / (cpu('infer') + cpu('decode')),
    };
  });
}

/** A folder of photographs' size and weight: coloured noise, coarse and fine, of about 500 × 400 pixels. */
async function jpegFiles(): Promise<string> {
  const folder = fileURLToPath(new URL('../.cache/jpeg', import.meta.url));
  if (!existsSync(folder)) {
    const unfinished = `${folder}.part`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    for (let i = 0; i < files; i++) {
      const [width, height] = [470 + ((i * 37) % 60), 370 + ((i * 23) % 60)];
      const noise = (sigma: number) => ({ type: 'gaussian' as const, mean: 128, sigma });
      const coarse = await sharp({
        create: { width: 12, height: 9, channels: 3, background: 'gray', noise: noise(60) },
      })
        .resize(width, height, { fit: 'fill' })
        .toColourspace('srgb')
        .png()
        .toBuffer();
      const fine = await sharp({
        create: { width, height, channels: 3, background: 'gray', noise: noise(60) },
      })
        .png()
        .toBuffer();
      await sharp(coarse)
        .composite([{ input: fine, blend: 'overlay' }])
        .jpeg({ quality: 85 })
        .toFile(`${unfinished}/${String(i).padStart(3, '0')}.jpg`);
    }
    await rename(unfinished, folder);
  }
  return folder;
}
