import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ResNet18, saveWeights } from '../lib/index.js';
import { cudnnResnet, jsonLines } from './support/cli-process.js';
import { returnsMemory } from './support/memory.js';
import { suiteFolder } from './support/temporary-folder.js';

interface Timing {
  batch: number;
  median: number;
  p95: number;
  p99: number;
  imagesPerSecond: number;
  passes: number;
}

const quick = ['bench', '--model', 'resnet18', '--device', 'cpu', '--size', '64', '--seconds', '0.1'];

returnsMemory();
const folder = suiteFolder();

describe('bench', () => {
  it('prints what ran and a row for each batch', async () => {
    const { code, stdout, stderr } = await cudnnResnet([...quick, '--batch', '1, 3']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^device +cpu \(.+\)$/m);
    expect(stdout).toMatch(/^engine +oneDNN \d+\.\d+/m);
    expect(stdout).toMatch(/^model +resnet18, float32, 64×64$/m);
    expect(stdout).toMatch(/^batch +median ms +p95 +p99 +images\/s\n( +[13]( +\d+\.\d+){4}\n){2}$/m);
  });

  it('gives figures that fit each other as JSON', async () => {
    const { code, stdout } = await cudnnResnet([...quick, '--dtype', 'bfloat16', '--batch', '2,1', '--json']);
    expect(code).toBe(0);
    const [{ timings, ...what }] = jsonLines(stdout) as [{ timings: Timing[] }];
    expect(what).toMatchObject({ device: 'cpu', model: 'resnet18', dtype: 'bfloat16', size: 64 });
    expect(timings.map(({ batch }) => batch)).toEqual([2, 1]);
    for (const { batch, median, p95, p99, imagesPerSecond, passes } of timings) {
      expect(median).toBeGreaterThan(0);
      expect(p95).toBeGreaterThanOrEqual(median);
      expect(p99).toBeGreaterThanOrEqual(p95);
      expect(imagesPerSecond).toBeCloseTo((1000 * batch) / median, 6);
      expect(passes).toBeGreaterThanOrEqual(1);
    }
  });

  it('measures batches of 1, 8 and 32 unless told', async () => {
    const { stdout } = await cudnnResnet([...quick, '--size', '32', '--seconds', '0.01', '--json']);
    const [{ timings }] = jsonLines(stdout) as [{ timings: Timing[] }];
    expect(timings.map(({ batch }) => batch)).toEqual([1, 8, 32]);
  });

  it('shows the layers and writes a trace where that is asked for', async () => {
    const trace = join(folder, 'trace.json');
    const { code, stdout, stderr } = await cudnnResnet([
      ...quick,
      '--batch',
      '1',
      '--profile',
      '--trace',
      trace,
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^layer4\.1\.conv2 +conv2d +\[1, 512, 2, 2\]/m);
    expect(stderr).toContain(trace);
    const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as { traceEvents: { name: string }[] };
    expect(traceEvents.map(({ name }) => name)).toContain('layer4.1.conv2 conv2d');
  });

  it('writes the trace when the reader of stdout goes', async () => {
    const trace = join(folder, 'unread.json');
    const args = [...quick, '--batch', '1,2', '--trace', trace];
    const { code, signal, stderr } = await cudnnResnet(args, { closeAfter: 1 });
    expect([code, signal]).toEqual([0, null]);
    expect(stderr).toBe(`${trace}: open it in chrome://tracing or ui.perfetto.dev\n`);
    expect(JSON.parse(readFileSync(trace, 'utf8'))).toHaveProperty('traceEvents');
  });

  it('takes weights of a file', async () => {
    const file = join(folder, 'seven.safetensors');
    using model = new ResNet18({ device: 'cpu', numClasses: 7 });
    await saveWeights(file, model.stateDict());
    const { code, stdout } = await cudnnResnet([
      ...quick,
      '--batch',
      '1',
      '--weights',
      file,
      '--profile',
      '--json',
    ]);
    expect(code).toBe(0);
    const [{ weights, operations }] = jsonLines(stdout) as [
      { weights: string; operations: { layer: string; output: number[] }[] },
    ];
    expect(weights).toBe(file);
    expect(operations.find(({ layer }) => layer === 'fc')!.output).toEqual([1, 7]);
  });

  it.each([
    [['x'], "bench takes no arguments, got 'x'"],
    [['--batch', '1,0'], "--batch wants a whole number of at least 1, got '0'"],
    [['--batch', '1,,2'], "got ''"],
    [['--batch', '1.5'], "got '1.5'"],
    [['--seconds', '0'], "--seconds wants a number above 0, got '0'"],
    [['--seconds', '1,2'], "--seconds wants a number above 0, got '1,2'"],
    [['--model', 'resnet51'], "--model does not know 'resnet51'; did you mean 'resnet50'?"],
    [['--top', '5'], "unknown option '--top'"],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await cudnnResnet(['bench', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it('fails with exit code 1, before any work, where the trace cannot be written', async () => {
    const trace = join(folder, 'absent', 'trace.json');
    const { code, stdout, stderr } = await cudnnResnet([...quick, '--batch', '1', '--trace', trace]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/trace\.json' cannot be written: .*ENOENT.*\[ERR_ARGUMENT\]\n$/);
    expect(existsSync(trace)).toBe(false);
  });

  it('leaves no trace of work that fails', async () => {
    const trace = join(folder, 'unwritten.json');
    const { code } = await cudnnResnet([
      ...quick,
      '--batch',
      '1',
      '--trace',
      trace,
      '--weights',
      './absent.pth',
    ]);
    expect([code, existsSync(trace)]).toEqual([1, false]);
  });
});
