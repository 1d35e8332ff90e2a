import { describe, expect, test } from 'vitest';
import { ResNet18 } from '../lib/index.js';
import { type Ended, expectEnd, lastLine, program, type Surroundings } from './standalone/process.js';
import { deviceIds } from './support/devices.js';
import { returnsMemory } from './support/memory.js';
import { suiteWeights } from './support/suite-weights.js';

returnsMemory();
const weights = suiteWeights((device) => new ResNet18({ device }));

/** What the end of a process may take beside what it waits for, on a busy machine; in ms. */
const teardown = 1500;

/** Moments at which a race may go another way: nothing has begun, the first operations run, all is under way; in ms. */
const moments = [0, 1, 5, 20, 80];

describe.each(deviceIds)('a process that used %s', (id) => {
  const run = (name: string, args: (string | number)[] = [], surroundings?: Surroundings) =>
    program('exit.mjs', [name, id, ...args.map(String)], surroundings);

  test('ends by itself with tensors alive and work queued', async () => {
    expectEnd(await run('return'), 0);
  });

  /** It ended with this code though it was at work, and when the operation under way was done: in two seconds at most. */
  function expectEndAtWork(ended: Ended, code: number): void {
    expectEnd(ended, code);
    // a driver is taken down as well, and an emulated one has its threads to end
    expect(ended.afterMain).toBeLessThan(id === 'cpu' ? 2000 + teardown : 10_000);
  }

  test.each(['process.exit during a forward', 'process.exit during a read', 'process.exit during planning'])(
    '%s',
    async (name) => {
      for (const moment of moments) {
        const ended = await run(name, [moment]);
        expectEndAtWork(ended, 3);
        // an operation that a GPU was given is none that waits
        if (id !== 'cpu') continue;
        expect(pending(ended), `operations that were not done after ${moment} ms`).toBeGreaterThan(0);
      }
    },
  );

  test('process.exit while the queue is full', async () => {
    for (const moment of moments) {
      const ended = await run('process.exit while the queue is full', [moment]);
      expectEndAtWork(ended, 3);
      if (id !== 'cpu') continue;
      // of 10 and their readings, of which few were done since the last was refused
      expect(pending(ended), `operations that were not done after ${moment} ms`).toBeGreaterThan(5);
    }
  });

  // Libraries that it uses are taken down at the end of a process. What a GPU has been given to do is its driver's to end.
  test('process.exit waits for the operation under way', async () => {
    const ended = await run('process.exit during a long operation', [32, 56, 1]);
    expectEndAtWork(ended, 3);
    if (id === 'cpu') {
      expect(ended.afterMain).toBeGreaterThan(Number.parseFloat(ended.stdout) / 4);
    }
  });

  test.runIf(id === 'cpu')('process.exit waits for no operation longer than two seconds', async () => {
    const ended = await run('process.exit during a long operation', [512, 28, 40]);
    expectEndAtWork(ended, 3);
    expect(Number.parseFloat(ended.stdout)).toBeGreaterThan(8000);
    expect(ended.afterMain).toBeGreaterThan(1500);
  });

  test('process.exit with 1,000 forwards queued drops them', async () => {
    // on two cores half a minute's work; on an emulated GPU one such forward would be minutes
    const ended = await run('process.exit with 1,000 forwards queued', [id === 'cpu' ? 224 : 32]);
    expectEndAtWork(ended, 4);
    if (id === 'cpu') expect(pending(ended)).toBeGreaterThan(900);
  });

  test('process.exit during weight loading', async () => {
    for (const moment of [0, 10, 40, 120]) {
      const ended = await run('process.exit during weight loading', [weights, moment]);
      expectEndAtWork(ended, 5);
      expect(ended.stdout).toBe('true\nend of main\n');
    }
  });

  test('process.exit while workers work', async () => {
    for (const moment of [1, 60, 250]) {
      expectEnd(await run('process.exit while workers work', [moment]), 6);
    }
  });

  test('process.exitCode is kept', async () => {
    expectEnd(await run('exit code of its own'), 7);
  });

  test.each(['throw', 'throw later'])('an uncaught error: %s', async (name) => {
    const { code, signal, stderr } = await run(name);
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toMatch(/Error: thrown on purpose\n\s+at .*exit\.mjs/);
    expectOnlyNode(stderr);
  });

  test('an unhandled rejection of ours says its code', async () => {
    const { code, signal, stderr } = await run('unhandled rejection');
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain("code: 'ERR_OUT_OF_MEMORY'");
    expectOnlyNode(stderr);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s during work', async (name) => {
    for (const after of [0, 7, 30]) {
      const { code, signal, stderr } = await run('signal', [], { signal: { name, after } });
      expect({ code, signal, stderr }).toEqual({ code: null, signal: name, stderr: '' });
    }
  });

  test('a pending read keeps the process alive until it resolves', async () => {
    const ended = await run('a pending read');
    expectEnd(ended, 0);
    expect(ended.stdout).toContain('resolved');
  });

  // 300 forwards take at least two seconds on any CPU; what is waited for is the operation that runs.
  test('work that nobody waits for does not keep it alive', async () => {
    const ended = await run('work that nobody waits for', [300]);
    expectEnd(ended, 0);
    // opening a GPU, or compiling a plan for it, is one such operation
    expect(ended.afterMain).toBeLessThan(id === 'cpu' ? 1500 : 10_000);
  });

  test('tensors can be read and disposed of in the exit handler', async () => {
    const ended = await run('reading in the exit handler');
    expectEnd(ended, 0);
    expect(ended.stdout).toBe('20\n');
    expectEnd(await run('disposing in the exit handler'), 0);
  });

  test('the addon loaded from two paths beside the package', async () => {
    expect(lastLine(await run('the addon from two paths'))).toEqual([2, 4, 6, 2, 4, 6]);
  });

  test("another copy's handles are refused", async () => {
    const ended = await run('the handles of another copy');
    expectEnd(ended, 0);
    expect(ended.stdout).toBe('ERR_ARGUMENT\n');
  });

  test('a vm context', async () => {
    expect(lastLine(await run('a vm context'))).toEqual([[2, 0, 4], 'ERR_SHAPE', true]);
  });

  test('a collection between every two operations changes nothing', async () => {
    const ended = await run('collection between every two operations', [], { node: ['--expose-gc'] });
    // of 82 that were made
    expect(lastLine(ended)).toEqual({ same: true, tensors: expect.toSatisfy((count: number) => count < 8) });
  });

  test('fork, spawn and a shell after use', async () => {
    expect(lastLine(await run('fork after use'))).toEqual([0, 1, 'from a shell']);
  });
});

/** How many operations were not done, as the program said. */
function pending(ended: Ended): number {
  return Number.parseInt(ended.stdout, 10);
}

/** What Node prints of an error, from the line that threw on: nothing by us, and nothing of a crash. */
function expectOnlyNode(stderr: string): void {
  expect(stderr).toMatch(/^(file:\/\/|node:)\S+:\d+\n/);
  expect(stderr).not.toMatch(/terminate called|FATAL|core dumped|Segmentation|Assertion|free\(\)|corrupt/i);
  expect(stderr.trimEnd()).toMatch(/Node\.js v\d+\.\d+\.\d+$/);
}
