import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Bottleneck, nn, ops, ResNet18, scope, type Tensor } from '../lib/index.js';
import { expectClose, perNetwork } from './support/compare.js';
import { collectGarbage } from './support/garbage.js';
import { inUse } from './support/memory.js';
import { random } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, upload } from './support/tensors.js';

/** Layers of a user's, with a `forward` of their own. */
class DoubledConv extends nn.Conv2d {
  override forward(x: Tensor): Tensor {
    return scope(() => {
      const y = super.forward(x);
      return ops.add(y, y);
    });
  }
}

class DoubledNorm extends nn.BatchNorm2d {
  override forward(x: Tensor): Tensor {
    return scope(() => {
      const y = super.forward(x);
      return ops.add(y, y);
    });
  }
}

/** A class of the user's that computes what ours does. */
class NamedConv extends nn.Conv2d {
  readonly label = 'mine';
}

onEveryDevice('a layer with a forward of the user’s', (id) => {
  const place = { device: id } as const;
  const input = (...shape: number[]) => upload(random('x', shape), 'float32', id);

  /** What the paper's block computes, layer by layer. */
  const layerByLayer = (block: Bottleneck, x: Tensor) => {
    let y = ops.activation(block.bn1.forward(block.conv1.forward(x)), 'relu');
    y = ops.activation(block.bn2.forward(block.conv2.forward(y)), 'relu');
    return ops.add(block.bn3.forward(block.conv3.forward(y)), x, { activation: 'relu' });
  };

  for (const mode of ['eval', 'train'] as const) {
    const layers = {
      conv1: () => new DoubledConv(8, 2, 1, { ...place, bias: false }),
      bn1: () => new DoubledNorm(2, place),
      bn2: () => new DoubledNorm(2, place),
      conv3: () => new DoubledConv(2, 8, 1, { ...place, bias: false }),
      bn3: () => new DoubledNorm(8, place),
    };
    for (const [name, layer] of Object.entries(layers) as [keyof typeof layers, () => nn.Module][]) {
      check(`is called by a block in ${mode}(): ${name}`, async () => {
        using block = new Bottleneck(8, 8, { ...place, width: 2 });
        block[name].dispose();
        Object.assign(block, { [name]: layer() });
        block[mode]();
        using x = input(2, 8, 5, 3);
        using y = block.forward(x);
        using expected = scope(() => layerByLayer(block, x));
        expectClose(await download(y), await download(expected), perNetwork.float32);
      });
    }

    check(`is called by a Sequential in ${mode}()`, async () => {
      using net = new nn.Sequential(new nn.Conv2d(3, 4, 1, place), new DoubledNorm(4, place))[mode]();
      const [conv, norm] = net as unknown as [nn.Conv2d, DoubledNorm];
      using x = input(2, 3, 5, 3);
      using y = net.forward(x);
      using expected = scope(() => norm.forward(conv.forward(x)));
      expectClose(await download(y), await download(expected), perNetwork.float32);
    });
  }

  check('is called by the stem of a network', async () => {
    using net = new ResNet18({ ...place, numClasses: 3 });
    using x = input(1, 3, 32, 32);
    using before = net.forward(x);
    const doubled = new DoubledConv(3, 64, 7, { ...place, stride: 2, padding: 3, bias: false }).eval();
    doubled.loadStateDict(net.conv1.stateDict());
    net.conv1.dispose();
    net.conv1 = doubled;
    using after = net.forward(x);
    expect(await after.data()).not.toEqual(await before.data());
  });

  check('may be the layer’s alone', async () => {
    using net = new nn.Sequential(new nn.Conv2d(3, 4, 1, place), new nn.BatchNorm2d(4, place)).eval();
    const conv = net[0] as nn.Conv2d;
    let calls = 0;
    conv.forward = (x) => {
      calls++;
      return nn.Conv2d.prototype.forward.call(conv, x);
    };
    using x = input(2, 3, 5, 3);
    net.forward(x).dispose();
    await net.profile(x, { runs: 1 });
    expect(calls).toBe(3); // once before what is timed
  });

  check('is fused where the class has none of its own', async () => {
    using net = new nn.Sequential(new NamedConv(3, 4, 1, place), new nn.BatchNorm2d(4, place)).eval();
    using x = input(2, 3, 5, 3);
    const { operations } = await net.profile(x, { runs: 1 });
    expect(operations.map(({ layer, operation }) => `${layer} ${operation}`)).toEqual(['0 conv2d']);
  });

  test('what was folded goes with a batch norm that nobody holds any more', async () => {
    const nothing = await inUse(id);
    const replaceOften = async () => {
      using block = new Bottleneck(8, 8, { ...place, width: 2 }).eval();
      using x = input(1, 8, 4, 4);
      /** What is held after so many batch norms, each of which goes in one of the next rounds. */
      const replaced = async (times: number) => {
        for (let i = 0; i < times; i++) {
          block.bn1 = new nn.BatchNorm2d(2, place).eval();
          using y = block.forward(x);
          await y.data();
          collectGarbage();
          await turn(); // in which the collected ones are freed
        }
        return (await inUse(id)).tensors;
      };
      const before = await replaced(10);
      expect(await replaced(30)).toBeLessThan(before + 30);
    };
    await replaceOften();
    const left = () => {
      collectGarbage();
      return inUse(id);
    };
    await expect.poll(left, { timeout: 10_000 }).toEqual(nothing);
  });

  check('to() of a batch norm of the user’s moves the layers within', () => {
    class Gated extends nn.BatchNorm2d {
      gate = new nn.Conv2d(2, 2, 1, place);
    }
    using norm = new Gated(2, place).to({ dtype: 'float16' });
    expect([norm.weight.dtype, norm.running_var.dtype, norm.gate.weight.dtype]).toEqual([
      'float32',
      'float32',
      'float16',
    ]);
  });

  check('a method named apply, as PyTorch’s modules have, is the user’s', async () => {
    class Applied extends nn.Conv2d {
      apply(fn: (module: nn.Module) => void): this {
        fn(this);
        return this;
      }
    }
    using net = new nn.Sequential(new Applied(3, 4, 1, place), new nn.BatchNorm2d(4, place));
    using x = input(2, 3, 5, 3);
    for (const mode of ['train', 'eval'] as const) {
      using y = net[mode]().forward(x);
      expect(y.shape).toEqual([2, 4, 5, 3]);
    }
  });
});
