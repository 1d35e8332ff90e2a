// In JavaScript, with its types beside it: the programs of test/standalone, which have nothing but Node, import it too.
import { readFileSync } from 'node:fs';

/**
 * Milliseconds that this thread has waited for a core so far: what other processes take, and the engine's own threads
 * where there are more of them than cores. Linux tells; elsewhere it counts as busy.
 */
function waitedForCore() {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** A clock, in milliseconds, that stands while this thread waits for a core. */
function clock() {
  for (;;) {
    const waited = waitedForCore();
    const now = performance.now();
    // else it waited between the two, which would be of one stretch by the one and of the next by the other
    if (waitedForCore() === waited) return now - waited;
  }
}

export async function watchEventLoop(work) {
  const start = clock();
  let last = start;
  const stretches = [];
  const end = (idle) => {
    const now = clock();
    stretches.push(now - last - idle);
    last = now;
  };
  const timer = setInterval(end, 1, 1);
  try {
    const result = await work();
    const ticks = stretches.length;
    end(0);
    stretches.sort((a, b) => a - b);
    const [longest, median] = [stretches.at(-1), stretches[stretches.length >> 1]];
    return { result, longest, median, elapsed: last - start, ticks };
  } finally {
    clearInterval(timer);
  }
}
