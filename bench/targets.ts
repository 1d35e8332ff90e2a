import { us } from './contenders.js';
import type { Results } from './results.js';

/** What this package sets out to reach on a CPU. `value` is undefined where the run did not measure it. */
interface Target {
  what: string;
  value(results: Results): number | undefined;
  atLeast?: number;
  atMost?: number;
  unit: string;
}

const ratio = (results: Results, batch: number, peer: string) =>
  results.inference?.[batch]?.[peer]?.ratio.median;

const targets: readonly Target[] = [
  {
    what: 'batch 1: onnxruntime-node takes times ours',
    value: (results) => ratio(results, 1, 'onnxruntime-node'),
    atLeast: 1.15,
    unit: '×',
  },
  {
    what: 'batch 8: onnxruntime-node takes times ours',
    value: (results) => ratio(results, 8, 'onnxruntime-node'),
    atLeast: 1.3,
    unit: '×',
  },
  {
    what: 'batch 1: PyTorch eager takes times ours',
    value: (results) => ratio(results, 1, 'PyTorch eager'),
    atLeast: 2,
    unit: '×',
  },
  {
    what: 'batch 8: PyTorch eager takes times ours',
    value: (results) => ratio(results, 8, 'PyTorch eager'),
    atLeast: 2,
    unit: '×',
  },
  {
    what: 'batch 1: the bare loop over the same primitives takes times ours',
    value: (results) => ratio(results, 1, 'bare oneDNN, fast'),
    atLeast: 0.95,
    unit: '×',
  },
  {
    what: 'batch 8: the bare loop over the same primitives takes times ours',
    value: (results) => ratio(results, 8, 'bare oneDNN, fast'),
    atLeast: 0.95,
    unit: '×',
  },
  {
    what: 'event loop during forwards at batch 1: p99',
    value: (results) => results.eventLoop?.[1]?.[us]?.p99,
    atMost: 5,
    unit: ' ms',
  },
  {
    what: 'event loop during forwards at batch 8: p99',
    value: (results) => results.eventLoop?.[8]?.[us]?.p99,
    atMost: 5,
    unit: ' ms',
  },
  {
    what: 'classify reaches of inference alone, or cores are busy',
    value: ({ classify }) => classify && Math.max(classify.share / 0.9, classify.coresBusy / 0.95),
    atLeast: 1,
    unit: ' of 90 % or 95 %',
  },
  {
    what: 'peak memory at batch 8: onnxruntime-node takes times ours',
    value: ({ memory }) => memory?.['onnxruntime-node']?.ratio.median,
    atLeast: 1,
    unit: '×',
  },
  {
    what: 'cold start: onnxruntime-node takes times ours',
    value: ({ coldStart }) => coldStart?.['onnxruntime-node']?.ratio.median,
    atLeast: 1,
    unit: '×',
  },
];

/** A line for each target that the run measured. */
export function verdicts(results: Results): string[] {
  return targets.flatMap(({ what, value, atLeast, atMost, unit }) => {
    const found = value(results);
    if (found === undefined) {
      return [];
    }
    const reached = atLeast !== undefined ? found >= atLeast : found <= atMost!;
    const wanted = atLeast !== undefined ? `at least ${atLeast}` : `at most ${atMost}`;
    return [`${reached ? 'reached' : 'missed '}  ${what}: ${found.toFixed(2)}${unit} (${wanted})`];
  });
}
