import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chart } from '../bench/chart.js';
import { documented } from '../bench/document.js';
import { interleaved } from '../bench/measures/measure.js';
import { type Results, resultsSoFar } from '../bench/results.js';
import { median, quantile, ratios } from '../bench/statistics.js';
import { tables } from '../bench/table.js';
import { verdicts } from '../bench/targets.js';
import { temporaryFolder } from './support/temporary-folder.js';

const results = new URL('../bench/results/', import.meta.url);

describe('docs/performance.md', () => {
  const page = readFileSync(new URL('../docs/performance.md', import.meta.url), 'utf8');

  it('shows the figures of the results that it names', () => {
    expect(page).toMatch(/<!-- tables of bench\/results\/[\w.-]+\.json -->/);
    expect(documented(page)).toBe(page);
  });

  it('is made anew from the results where they differ', () => {
    const [number] = /\*\*\d+\.\d\d\*\*/.exec(page)!;
    expect(documented(page.replace(number, '**123.45**'))).toBe(page);
  });
});

describe('results', () => {
  const files = readdirSync(results).filter(
    (name) => name.endsWith('.json') && !name.startsWith('gpu-check'),
  );

  it.each(files)('%s was checked before it was timed, and has its chart', (name) => {
    const run = JSON.parse(readFileSync(new URL(name, results), 'utf8')) as Results;
    for (const contenders of Object.values(run.inference ?? {})) {
      for (const contender of Object.keys(contenders)) {
        expect(run.errors[contender], contender).toBeLessThanOrEqual(1e-4);
      }
    }
    expect(readFileSync(new URL(name.replace('.json', '.svg'), results), 'utf8')).toBe(chart(run));
  });
});

describe('statistics', () => {
  it('quantiles lie between the values', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([4, 1, 3, 2], 0)).toBe(1);
    expect(quantile([4, 1, 3, 2], 1)).toBe(4);
    expect(quantile([10, 20, 30, 40, 50], 0.25)).toBe(20);
    expect(median([7])).toBe(7);
  });

  it('ratios are taken round by round', () => {
    // the third round was slow for both, which leaves the ratio as it is
    expect(ratios([20, 22, 200, 24], [10, 11, 100, 12])).toEqual({ median: 2, p25: 2, p75: 2 });
  });

  it('turns are interleaved, and every round begins with another', async () => {
    const order: string[] = [];
    const found = await interleaved([{ name: 'a' }, { name: 'b' }, { name: 'c' }], 4, async ({ name }) => {
      order.push(name);
      return order.length;
    });
    expect(order.join('')).toBe('abcbcacababc');
    expect(found.get('b')).toEqual([2, 4, 9, 11]);
  });
});

describe('tables, chart and verdicts', () => {
  const inference = (milliseconds: number, ratio: number) => ({
    median: milliseconds,
    p95: milliseconds + 1,
    p99: milliseconds + 2,
    inferences: 100,
    imagesPerSecond: 1000 / milliseconds,
    ratio: { median: ratio, p25: ratio - 0.1, p75: ratio + 0.1 },
  });
  const run: Results = {
    date: '2020-01-02T03:04',
    commit: 'abc1234',
    machine: { processor: 'a processor', cores: 2, memory: 2 ** 34, system: 'Linux 6' },
    model: 'resnet50',
    threads: 2,
    versions: { Node: '20.20.2' },
    missing: {},
    errors: { 'cudnn-resnet': 5e-7, 'onnxruntime-node': 3e-7 },
    inference: { 1: { 'cudnn-resnet': inference(20, 1), 'onnxruntime-node': inference(25, 1.25) } },
    eventLoop: { 1: { 'cudnn-resnet': { median: 1.1, p99: 7, most: 12, inference: 20 } } },
  };

  it('have a row for each contender, ours without a ratio', () => {
    const lines = tables(run).split('\n');
    expect(lines[0]).toBe(
      '2020-01-02 03:04 UTC, commit abc1234: resnet50, float32, 224×224, 2 threads on a processor, 2 cores, 16 GiB, Linux 6. Node: 20.20.2.',
    );
    expect(lines).toContain('| cudnn-resnet | 20.0 | 21.0, 22.0 | 50.0 |  | 5e-7 |');
    expect(lines).toContain('| onnxruntime-node | 25.0 | 26.0, 27.0 | 40.0 | **1.25** (1.15–1.35) | 3e-7 |');
  });

  it('draw bars as long as what they stand for', () => {
    const lengths = [...chart(run).matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(lengths[0]! / lengths[1]!).toBeCloseTo(20 / 25, 2);
  });

  describe('of a GPU', () => {
    const spread = (value: number) => ({ median: value, p25: value, p75: value });
    const forward = (milliseconds: number, ratio: number, ofRoofline: number) => ({
      resident: spread(milliseconds),
      hostIncluded: spread(milliseconds + 1),
      imagesPerSecond: 256_000 / milliseconds,
      ratio: spread(ratio),
      ofRoofline,
    });
    const { inference: _, eventLoop: __, ...rest } = run;
    const onGpu = (dtype: string): Results => ({
      ...rest,
      gpu: {
        name: 'a GPU',
        dtype,
        teraflops: 600,
        gigabytes: 3000,
        inference: {
          256: {
            'cudnn-resnet': forward(10, 1, 0.35),
            'PyTorch channels-last': forward(15, 1.5, 0.23),
            'PyTorch max-autotune': forward(9, 0.9, 0.39),
          },
        },
      },
    });

    it('have a row and a bar for each contender', () => {
      expect(tables(onGpu('float16'))).toContain(
        '| PyTorch channels-last | 256 | 15.000 | **1.50** (1.50–1.50) | 17067 | 23 % | 16.000 |  |',
      );
      const drawn = chart(onGpu('float16'));
      expect(drawn).toContain('resnet50, float16, a GPU; 2020-01-02');
      expect(drawn).toContain('On the GPU at batch 256 (longer is better), images/s');
      expect(drawn.match(/<rect x=/g)).toHaveLength(3);
    });

    it('hold only float16 to the aims', () => {
      expect(verdicts(onGpu('float16'))).toEqual([
        'reached  batch 256 on the GPU: PyTorch channels-last takes times ours: 1.50× (at least 1.2)',
        'missed   batch 256 on the GPU: PyTorch max-autotune takes times ours: 0.90× (at least 1)',
        'reached  batch 256 on the GPU: share of the roofline: 35.00 % (at least 30)',
      ]);
      expect(verdicts(onGpu('bfloat16'))).toEqual([]);
    });
  });

  it('tell what was reached, of what was measured', () => {
    expect(verdicts(run)).toEqual([
      'reached  batch 1: onnxruntime-node takes times ours: 1.25× (at least 1.15)',
      'missed   event loop during forwards at batch 1: p99: 7.00 ms (at most 5)',
    ]);
    const classify = { batch: 8, files: 200, classify: 50, inference: 60, decoding: 450, shareAtMost: 0.9 };
    expect(
      verdicts({
        ...run,
        inference: {},
        eventLoop: {},
        classify: { ...classify, share: 0.86, coresBusy: 0.96, inferenceBusy: 0.97 },
      }),
    ).toEqual([
      'missed   classify reaches of the throughput of inference alone: 86.00 % (at least 90)',
      'reached  or decoding saturates the cores: classify keeps them busy, of what inference alone does: 98.97 % (at least 95)',
    ]);
  });

  it('are of one commit', async () => {
    const file = join(await temporaryFolder(), 'results.json');
    expect(resultsSoFar(file, 'abc1234')).toBeUndefined();
    await writeFile(file, JSON.stringify(run));
    expect(resultsSoFar(file, 'abc1234')).toEqual(run);
    expect(() => resultsSoFar(file, 'abc1234+')).toThrow('is of commit abc1234, and this is abc1234+');
  });
});
