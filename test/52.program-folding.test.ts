import { expect } from 'vitest';
import { device, nn, ops, ResNet18 } from '../lib/index.js';
import { digestOf } from './support/digest.js';
import { expectRejects } from './support/errors.js';
import { inUse } from './support/memory.js';
import { random } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { upload } from './support/tensors.js';

onEveryDevice('device.record', (id) => {
  const x = (shape: number[], key = 'x') => upload(random(key, shape), 'float32', id);

  check('folds batch norms anew where what they were folded of has other values', async () => {
    const place = { device: id } as const;
    const net = new nn.Sequential(
      new nn.Conv2d(3, 4, 3, { ...place, bias: false }),
      new nn.BatchNorm2d(4, place),
      new nn.ReLU(),
      new nn.Conv2d(4, 2, 1, place),
    ).eval();
    const input = x([2, 3, 5, 5]);
    using program = device(id).record((a) => net.forward(a!), [input]);
    const run = async () => {
      expect(await digestOf(program.run(input))).toEqual(await digestOf(net.forward(input)));
    };
    await run();
    net.loadStateDict({ '0.weight': x([4, 3, 3, 3], 'weight'), '3.bias': x([2], 'bias') }, { strict: false });
    await run();
    net.loadStateDict({ '1.running_mean': x([4], 'mean') }, { strict: false });
    await run();
    net.train().forward(input); // moves the running statistics
    net.eval();
    await run();
    const last = await digestOf(program.run(input));
    net.dispose();
    expect(await digestOf(program.run(input))).toEqual(last);
  });

  check('follows a batch norm whose tensors were another one’s, too', async () => {
    const place = { device: id } as const;
    const conv = new nn.Conv2d(3, 4, 1, place);
    const [a, b] = [new nn.BatchNorm2d(4, place), new nn.BatchNorm2d(4, { ...place, eps: 1e-3 })];
    const { eps } = b;
    Object.assign(b, { ...a, eps: a.eps });
    const [first, second] = [new nn.Sequential(conv, a).eval(), new nn.Sequential(conv, b).eval()];
    const input = x([1, 3, 2, 2]);
    using ofFirst = device(id).record((y) => first.forward(y!), [input]);
    using ofSecond = device(id).record((y) => second.forward(y!), [input]);
    Object.assign(a, { eps });
    first.forward(input); // folds anew
    b.loadStateDict({ weight: x([4], 'weight') }, { strict: false });
    expect(await digestOf(ofSecond.run(input))).toEqual(await digestOf(second.forward(input)));
    ofFirst.run(input);
    first.dispose();
  });

  check('gives the memory of what was folded back where the layers move', async () => {
    using net = new ResNet18({ device: id, numClasses: 3 });
    const input = x([1, 3, 32, 32]);
    const values = net.forward(input);
    await values.data();
    values.dispose();
    net.to({ dtype: 'bfloat16' });
    await device(id).synchronize();
    const own = [...net.stateDict().values()].reduce((sum, tensor) => sum + tensor.bytes, input.bytes);
    expect(device(id).memory().bytes).toBe(own);
  });

  check('follows what it was folded of where another recording was made within', async () => {
    const place = { device: id } as const;
    using net = new nn.Sequential(new nn.Conv2d(3, 4, 3, place), new nn.BatchNorm2d(4, place)).eval();
    const input = x([2, 3, 5, 5]);
    using program = device(id).record(
      (a) => {
        device(id)
          .record((b) => b!, [{ shape: [1] }])
          .dispose();
        return net.forward(a!);
      },
      [input],
    );
    net.loadStateDict({ '1.bias': x([4], 'bias') }, { strict: false });
    const now = await digestOf(program.run(input)); // before anything else folds
    expect(now).toEqual(await digestOf(net.forward(input)));
  });

  check('folds each batch norm of a convolution that several share', async () => {
    const place = { device: id } as const;
    const conv = new nn.Conv2d(3, 4, 3, place);
    const norms = [new nn.BatchNorm2d(4, place), new nn.BatchNorm2d(4, place)] as const;
    const [a, b] = [new nn.Sequential(conv, norms[0]).eval(), new nn.Sequential(conv, norms[1]).eval()];
    const input = x([2, 3, 5, 5]);
    const fresh = (net: nn.Module) => {
      using copy = new nn.Sequential(new nn.Conv2d(3, 4, 3, place), new nn.BatchNorm2d(4, place)).eval();
      copy.loadStateDict(net.stateDict());
      return copy.forward(input);
    };
    using alone = device(id).record((y) => a.forward(y!), [input]);
    using both = device(id).record((y) => ops.add(a.forward(y!), b.forward(y!)), [input]);
    const followed = async (what: string) => {
      expect(await digestOf(alone.run(input)), what).toEqual(await digestOf(fresh(a)));
      expect(await digestOf(both.run(input)), what).toEqual(await digestOf(ops.add(fresh(a), fresh(b))));
    };
    await followed('as they were made');
    b.forward(input);
    for (const [i, norm] of norms.entries()) {
      norm.loadStateDict({ running_mean: x([4], `mean ${i}`), bias: x([4], `bias ${i}`) }, { strict: false });
      await followed(`another batch norm ${i}`);
    }
    conv.loadStateDict({ weight: x([4, 3, 3, 3], 'weight') }, { strict: false });
    await followed('another convolution');
    const last = await digestOf(both.run(input));
    const { bias } = norms[0];
    norms[0].bias = new nn.Parameter(x([4], 'another bias'));
    expect(await digestOf(a.forward(input))).toEqual(await digestOf(fresh(a)));
    norms[1].dispose();
    expect(await digestOf(both.run(input))).toEqual(last); // of what it was recorded of
    bias.dispose();
    a.dispose();
  });

  check('a convolution keeps nothing of batch norms that are gone', async () => {
    const conv = new nn.Conv2d(3, 4, 3, { device: id });
    const input = x([1, 3, 5, 5]);
    const run = () => {
      using norm = new nn.BatchNorm2d(4, { device: id });
      new nn.Sequential(conv, norm).eval().forward(input).dispose();
    };
    run();
    const before = await inUse(id);
    for (let i = 0; i < 5; i++) run();
    expect(await inUse(id)).toEqual(before);
    conv.dispose();
  });

  check('folds batch norms again where there was no memory for it', async () => {
    const place = { device: id } as const;
    const net = new nn.Sequential(
      new nn.Conv2d(64, 256, 3, { ...place, bias: false }),
      new nn.BatchNorm2d(256, place),
    ).eval();
    const input = x([1, 64, 5, 5]);
    using program = device(id).record((a) => net.forward(a!), [input]);
    net.loadStateDict({ '1.bias': x([256], 'bias') }, { strict: false });
    device(id).trim();
    await device(id).synchronize();
    device(id).setMemoryLimit(device(id).memory().bytes);
    await expectRejects('ERR_OUT_OF_MEMORY', net.forward(input).data());
    await expectRejects('ERR_OUT_OF_MEMORY', program.run(input).data());
    // the first time that this one is folded
    const norm = new nn.BatchNorm2d(256, place);
    norm.loadStateDict(net.children()[1]![1].stateDict());
    device(id).trim();
    await device(id).synchronize();
    device(id).setMemoryLimit(0);
    const other = new nn.Sequential(net.children()[0]![1], norm).eval();
    await expectRejects('ERR_OUT_OF_MEMORY', other.forward(input).data());
    device(id).setMemoryLimit(device(id).info.memory);
    expect(await digestOf(program.run(input))).toEqual(await digestOf(net.forward(input)));
    expect(await digestOf(other.forward(input))).toEqual(await digestOf(net.forward(input)));
    norm.dispose();
    net.dispose();
  });
});
