// What stays in memory after much work: each case prints the resident megabytes at points of it, as JSON.
import { setImmediate as turn } from 'node:timers/promises';
import * as library from '../../dist/index.js';

const { device: open, ops, ResNet18, ResNet50, Tensor } = library;
const [, , name, device, ...args] = process.argv;
const on = open(device);

/** How often something is done: in the nightly run (LONG_TESTS=1) far more often. */
const times = (usually, nightly) => (process.env.LONG_TESTS === '1' ? nightly : usually);

const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

/** Runs `step` so often, and measures `points` times on the way. */
async function measured(count, points, step) {
  const start = on.memory().tensors;
  const resident = [];
  const reserved = [];
  for (let i = 1; i <= count; i++) {
    await step(i);
    if (i % Math.floor(count / points) === 0) {
      resident.push(megabytes(process.memoryUsage.rss()));
      reserved.push(megabytes(on.memory().reservedBytes));
    }
  }
  return { count, megabytes: resident, reserved, tensors: on.memory().tensors - start };
}

async function forwards(Model, side, count, points, after) {
  const model = new Model({ device, numClasses: 10 });
  const x = Tensor.randn([1, 3, side, side], { device });
  const fold = model.forward(x); // makes the folded weights, which stay
  await fold.data();
  fold.dispose();
  return await measured(count, points, async (i) => {
    const y = model.forward(x);
    await y.data();
    await after(y, i);
  });
}

const cases = {
  'forwards with dispose': () => forwards(ResNet18, 32, times(500, 10_000), 10, (y) => y.dispose()),

  'forwards of ResNet-50 with dispose': () => forwards(ResNet50, 224, times(20, 200), 10, (y) => y.dispose()),

  'forwards without dispose, collected by hand': () =>
    forwards(ResNet18, 32, times(500, 2000), 10, (_, i) => i % 50 === 0 && globalThis.gc()),

  'forwards without dispose': () => forwards(ResNet18, 32, times(500, 2000), 10, () => undefined),

  // 8 MB at a time, 3 GB in all: only what V8 is told of memory outside its heap makes it collect
  'large tensors without dispose': () =>
    measured(400, 10, async () => {
      const x = Tensor.zeros([1, 2 ** 20], { device });
      await ops.activation(x, 'relu').topK(1);
    }),

  'reads without dispose': () =>
    measured(400, 10, async () => {
      await Tensor.zeros([2 ** 20], { device }).data();
    }),

  // files that are refused, and one that is not, where it has no more than half of the memory that it needs
  'failed loads': async () => {
    on.setMemoryLimit(on.memory().reservedBytes + 22 * 2 ** 20);
    const codes = args.map(() => new Set());
    let left = 0; // at once, for what is left may be collected soon
    const all = await measured(times(100, 500), 10, async (i) => {
      await ResNet18.load(args[i % args.length], { device }).then(
        () => {
          throw new Error('was loaded');
        },
        ({ code }) => codes[i % args.length].add(code),
      );
      left = Math.max(left, on.memory().tensors);
    });
    const peak = megabytes(on.memory().peakBytes);
    return { ...all, codes: codes.map((seen) => [...seen].join()), left, peak };
  },

  'models made and disposed of': () =>
    measured(times(20, 200), 10, async () => {
      const model = new ResNet18({ device, numClasses: 10 });
      const x = Tensor.zeros([1, 3, 32, 32], { device });
      const y = model.forward(x);
      await y.data();
      x.dispose();
      y.dispose();
      model.dispose();
      await turn();
    }),
};

process.stdout.write(`${JSON.stringify(await cases[name]())}\n`);
