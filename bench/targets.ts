import { us } from './contenders.js';
import type { Results } from './results.js';

/** What this package sets out to reach. `value` is undefined where the run did not measure it. */
interface Target {
  what: string;
  value(results: Results): number | undefined;
  atLeast?: number;
  atMost?: number;
  unit: string;
}

/** How many times as long as ours a peer takes, at batch 1 or 8. */
const inference = (batch: 1 | 8, peer: string, what: string, atLeast: number): Target => ({
  what: `batch ${batch}: ${what} takes times ours`,
  value: (results) => results.inference?.[batch]?.[peer]?.ratio.median,
  atLeast,
  unit: '×',
});

const eventLoop = (batch: 1 | 8): Target => ({
  what: `event loop during forwards at batch ${batch}: p99`,
  value: (results) => results.eventLoop?.[batch]?.[us]?.p99,
  atMost: 5,
  unit: ' ms',
});

/** How many times as long as ours PyTorch takes on a GPU, in float16. */
const onGpu = (batch: number, variant: string, atLeast: number): Target => ({
  what: `batch ${batch} on the GPU: PyTorch ${variant} takes times ours`,
  value: ({ gpu }) => float16(gpu)?.inference[batch]?.[`PyTorch ${variant}`]?.ratio.median,
  atLeast,
  unit: '×',
});

const float16 = (gpu: Results['gpu']) => (gpu?.dtype === 'float16' ? gpu : undefined);

const sameLoop = 'the bare loop over the same primitives';

const targets: readonly Target[] = [
  inference(1, 'onnxruntime-node', 'onnxruntime-node', 1.15),
  inference(8, 'onnxruntime-node', 'onnxruntime-node', 1.3),
  inference(1, 'PyTorch eager', 'PyTorch eager', 2),
  inference(8, 'PyTorch eager', 'PyTorch eager', 2),
  inference(1, 'bare oneDNN, fast', sameLoop, 0.95),
  inference(8, 'bare oneDNN, fast', sameLoop, 0.95),
  eventLoop(1),
  eventLoop(8),
  {
    what: 'classify reaches of the throughput of inference alone',
    value: ({ classify: c }) => c && 100 * c.share,
    atLeast: 90,
    unit: ' %',
  },
  {
    what: 'or decoding saturates the cores: classify keeps them busy, of what inference alone does',
    value: ({ classify: c }) => c && (100 * c.coresBusy) / c.inferenceBusy,
    atLeast: 95,
    unit: ' %',
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
  ...[1, 32, 256].flatMap((batch) => [onGpu(batch, 'channels-last', 1.2), onGpu(batch, 'max-autotune', 1)]),
  {
    what: 'batch 256 on the GPU: share of the roofline',
    value: ({ gpu }) => {
      const ours = float16(gpu)?.inference[256]?.[us];
      return ours && 100 * ours.ofRoofline;
    },
    atLeast: 30,
    unit: ' %',
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
