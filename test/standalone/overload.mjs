// Far more forwards than a device can compute at once, by the case that the first argument names; prints what came of it
// as JSON. The network is small and so are its images: what is queued for a forward does not depend on their size.
import { device as open, ops, ResNet18, Tensor } from '../../dist/index.js';

const [, , name, device, count] = process.argv;
const on = open(device);
const model = new ResNet18({ device, numClasses: 10 });
const x = Tensor.randn([1, 3, 32, 32], { device });
const first = model.forward(x);
const expected = [...(await first.data())].join();
const start = process.memoryUsage.rss();

let peak = 0;
const watch = () => {
  peak = Math.max(peak, process.memoryUsage.rss() - start);
};
const timer = setInterval(watch, 20);

const cases = {
  'forwards at once': async () => {
    const readings = [];
    try {
      while (readings.length < Number(count)) readings.push(model.forward(x).data());
    } catch (error) {
      if (error.code !== 'ERR_BUSY') throw error;
    }
    watch();
    const all = await Promise.all(readings);
    return { accepted: all.length, right: all.every((data) => [...data].join() === expected) };
  },

  // of so many elements that few of them are done meanwhile
  'operations without end': () => {
    const large = Tensor.zeros([2 ** 24], { device });
    try {
      for (let i = 0; i < 1e6; i++) ops.activation(large, 'tanh').dispose();
    } catch (error) {
      return { refusal: error.message };
    }
  },

  'forwards when ready': async () => {
    on.setQueueLimit({ operations: 1000 });
    let computed = 0;
    let mostPending = 0;
    const readings = [];
    for (let i = 0; i < Number(count); i++) {
      await on.ready();
      const y = model.forward(x);
      mostPending = Math.max(mostPending, on.pending);
      readings.push(
        y.data().then(() => {
          computed++;
          y.dispose();
        }),
      );
    }
    await Promise.all(readings);
    return { computed, mostPending };
  },
};

const result = await cases[name]();
clearInterval(timer);
process.stdout.write(`${JSON.stringify({ ...result, megabytes: Math.round(peak / 2 ** 20) })}\n`);
