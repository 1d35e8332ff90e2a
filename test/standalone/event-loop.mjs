// How long the thread of JavaScript is busy at a stretch while work goes on; prints it as JSON.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { device as open, ResNet18, ResNet50 } from '../../dist/index.js';

const [, , name, device, ...args] = process.argv;

/**
 * Milliseconds that this thread has waited for a core so far: what other processes take, and the engine's own threads
 * where there are more of them than cores. Linux tells; elsewhere it counts as busy.
 */
function waitedForCore() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** Milliseconds that `work` keeps this thread busy. */
function busy(work) {
  const [start, waited] = [performance.now(), waitedForCore()];
  const result = work();
  return { result, milliseconds: performance.now() - start - (waitedForCore() - waited) };
}

/** Fires each millisecond, and takes the stretch between two of its calls, less that millisecond. */
function watch() {
  const seen = { longest: 0, ticks: 0 };
  let [last, waited] = [performance.now(), waitedForCore()];
  const timer = setInterval(() => {
    const [now, nowWaited] = [performance.now(), waitedForCore()];
    seen.longest = Math.max(seen.longest, now - last - (nowWaited - waited) - 1);
    seen.ticks++;
    [last, waited] = [now, nowWaited];
  }, 1);
  return () => {
    clearInterval(timer);
    return seen;
  };
}

const cases = {
  forward: async () => {
    const model = new ResNet50({ device });
    await open(device).synchronize();
    const images = new Uint8Array(Number(args[0]) * 224 * 224 * 3);
    const end = watch();
    const forwards = [];
    for (let i = 0; i < 3; i++) {
      const { result, milliseconds } = busy(() => model.forward(images));
      forwards.push(milliseconds);
      await result.data();
      result.dispose();
    }
    return { forwards, ...end() };
  },

  load: async () => {
    const end = watch();
    const model = await ResNet50.load(args[0], { device });
    await open(device).synchronize();
    const seen = end();
    model.dispose();
    return { forwards: [], ...seen };
  },

  classify: async () => {
    const model = new ResNet18({ device });
    const picture = fileURLToPath(new URL('../../examples/traffic-light.svg', import.meta.url));
    await model.classify(picture); // loads sharp, which blocks at its first use
    const end = watch();
    await model.classify([picture, picture, picture], { top: 3 });
    return { forwards: [], ...end() };
  },
};

process.stdout.write(`${JSON.stringify(await cases[name]())}\n`);
