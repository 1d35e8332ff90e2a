// How long the thread of JavaScript is busy at a stretch while work goes on; prints it as JSON.
import { fileURLToPath } from 'node:url';
import { device as open, ResNet18, ResNet50 } from '../../dist/index.js';
import { watchEventLoop } from '../support/event-loop.mjs';

const [, , name, device, ...args] = process.argv;

const cases = {
  forward: async () => {
    const model = new ResNet50({ device });
    await open(device).synchronize();
    const images = new Uint8Array(Number(args[0]) * 224 * 224 * 3);
    const forwards = [];
    const seen = await watchEventLoop(async () => {
      const end = performance.now() + 100; // a GPU is done with three before the timer has fired ten times
      while (forwards.length < 3 || performance.now() < end) {
        const { result, elapsed } = await watchEventLoop(() => model.forward(images));
        forwards.push(elapsed);
        await result.data();
        result.dispose();
      }
    });
    return { forwards, ...seen };
  },

  load: async () => {
    let model;
    const seen = await watchEventLoop(async () => {
      model = await ResNet50.load(args[0], { device });
      await open(device).synchronize();
    });
    model.dispose();
    return { forwards: [], ...seen };
  },

  classify: async () => {
    const model = new ResNet18({ device });
    const picture = fileURLToPath(new URL('../../examples/traffic-light.svg', import.meta.url));
    await model.classify(picture); // loads sharp, which blocks at its first use
    const seen = await watchEventLoop(async () => {
      await model.classify(Array(24).fill(picture), { top: 3 }); // three batches
    });
    return { forwards: [], ...seen };
  },
};

process.stdout.write(`${JSON.stringify(await cases[name]())}\n`);
