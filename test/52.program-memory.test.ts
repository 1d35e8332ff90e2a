import { expect } from 'vitest';
import { device, nn, ops, Tensor } from '../lib/index.js';
import type { Program } from '../lib/program.js';
import { digestOf } from './support/digest.js';
import { expectThrows } from './support/errors.js';
import { inUse } from './support/memory.js';
import { random } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { upload } from './support/tensors.js';

onEveryDevice('device.record', (id) => {
  const x = (shape: number[], key = 'x') => upload(random(key, shape), 'float32', id);

  check('frees what its recording made, at the end of a using', async () => {
    const constant = x([4]);
    const before = await inUse(id);
    let ended: Program | undefined;
    {
      using program = device(id).record(
        (a) => ops.add(a!, ops.activation(constant, 'tanh')),
        [{ shape: [4] }],
      );
      program.run(constant).dispose();
      ended = program;
    }
    expectThrows('ERR_DISPOSED', () => ended!.run(constant));
    expect(await inUse(id)).toEqual(before);
  });

  check('gives its memory back when it is disposed of, and to trim()', async () => {
    const before = await inUse(id);
    const conv = new nn.Conv2d(16, 64, 3, { padding: 1, device: id });
    const program = device(id).record(
      (a) => ops.activation(conv.forward(a!), 'relu'),
      [{ shape: [4, 16, 128, 128] }],
    );
    const input = x([4, 16, 128, 128]);
    const first = program.run(input);
    const expected = await digestOf(first);
    first.dispose();
    device(id).trim();
    await device(id).synchronize();
    const idle = device(id).memory().reservedBytes;
    const again = program.run(input);
    expect(await digestOf(again)).toEqual(expected);
    again.dispose();
    await device(id).synchronize();
    expect(device(id).memory().reservedBytes).toBeGreaterThan(idle + 4 * 16 * 128 * 128 * 4);
    program.dispose();
    device(id).trim();
    await device(id).synchronize();
    expect(device(id).memory().reservedBytes).toBeLessThanOrEqual(idle);
    conv.dispose();
    input.dispose();
    expect(await inUse(id)).toEqual(before);
  });

  check('makes room for others when memory is short', async () => {
    const program = device(id).record(
      (a) => ops.activation(ops.activation(a!, 'relu'), 'tanh'),
      [{ shape: [2 ** 20] }],
    );
    const input = x([2 ** 20]);
    const expected = await digestOf(program.run(input));
    device(id).trim();
    program.run(input).dispose();
    await device(id).synchronize();
    // what is in use now, the program's 12 MiB too, and 6 MiB more
    device(id).setMemoryLimit(device(id).memory().reservedBytes + 6 * 2 ** 20);
    const large = Tensor.zeros([2 ** 21], { device: id });
    expect((await large.data()).length).toBe(2 ** 21);
    large.dispose();
    device(id).setMemoryLimit(device(id).info.memory);
    expect(await digestOf(program.run(input))).toEqual(expected);
    program.dispose();
  });
});
