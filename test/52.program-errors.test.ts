import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { device, nn, ops, Tensor } from '../lib/index.js';
import { digestOf } from './support/digest.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { random } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { upload } from './support/tensors.js';

onEveryDevice('device.record', (id) => {
  const x = (shape: number[], key = 'x') => upload(random(key, shape), 'float32', id);

  check('cannot return what another recording makes', async () => {
    const on = device(id);
    using outer = on.record(
      (a) => {
        const y = ops.add(a!, a!);
        expectThrows('ERR_ARGUMENT', () => on.record(() => y, [{ shape: [4] }]), /another recording/);
        return y;
      },
      [{ shape: [4] }],
    );
    using input = x([4]);
    expect(await digestOf(outer.run(input))).toEqual(await digestOf(ops.add(input, input)));
  });

  check('refuses what is no input', () => {
    expectThrows('ERR_ARGUMENT', () =>
      device(id).record((a) => a!, [{ shape: [1], dtyp: 'float16' } as unknown as { shape: number[] }]),
    );
  });

  check('hands on the error of an input', async () => {
    using program = device(id).record((a) => ops.activation(a!, 'relu'), [{ shape: [5] }]);
    device(id).setMemoryLimit(0);
    const input = Tensor.zeros([5], { device: id });
    await expectRejects('ERR_OUT_OF_MEMORY', input.data());
    await expectRejects('ERR_OUT_OF_MEMORY', program.run(input).data());
    device(id).setMemoryLimit(device(id).info.memory);
    expect(await program.run(Tensor.zeros([5], { device: id })).data()).toEqual(new Float32Array(5));
  });

  check('says what cannot be recorded', () => {
    const spec = [{ shape: [2, 3, 4, 4] }];
    const record = (fn: (a: Tensor) => unknown) => () => device(id).record(fn as (a: Tensor) => Tensor, spec);
    const norm = new nn.BatchNorm2d(3, { device: id });
    expectThrows(
      'ERR_ARGUMENT',
      record((a) => norm.forward(a)),
      /in place.*cannot be recorded/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record((a) => a.dataSync()),
      /has no values yet/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record(() => 1),
      /must return a Tensor/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      // which rejects later, when what it is given is gone
      record(async (a) => {
        await sleep(1);
        return ops.activation(a, 'relu');
      }),
      /not as a promise/,
    );
    expectThrows(
      'ERR_ARGUMENT',
      record(() => []),
      /must return a Tensor/,
    );
    norm.dispose();
    let kept: Tensor | undefined;
    device(id)
      .record((a) => {
        kept = ops.activation(a!, 'relu');
        kept.dispose = () => undefined; // the scope cannot end it
        return a!;
      }, spec)
      .dispose();
    expectThrows('ERR_ARGUMENT', () => ops.activation(kept!, 'relu'), /after the recording had ended/);
    expectThrows('ERR_ARGUMENT', () => kept!.dataSync(), /has no values yet/);
  });

  check('reads of values reject while they are recorded', async () => {
    let reading: Promise<unknown> = Promise.resolve();
    device(id)
      .record(
        (a) => {
          reading = a!.data();
          return a!;
        },
        [{ shape: [1] }],
      )
      .dispose();
    await expectRejects('ERR_ARGUMENT', reading);
  });

  check('checks what it is run on', () => {
    const program = device(id).record((a) => ops.activation(a!, 'relu'), [{ shape: [2, 3] }]);
    expectThrows(
      'ERR_SHAPE',
      () => program.run(x([3, 2])),
      /inputs\[0\] must have shape \[2, 3\], got \[3, 2\]/,
    );
    expectThrows(
      'ERR_DTYPE',
      () => program.run(Tensor.zeros([2, 3], { device: id, dtype: 'bfloat16' })),
      /float32/,
    );
    expectThrows('ERR_ARGUMENT', () => program.run(), /takes 1 tensors, got 0/);
    expectThrows('ERR_ARGUMENT', () => program.run(1 as unknown as Tensor), /must be a Tensor/);
    const gone = x([2, 3]);
    gone.dispose();
    expectThrows('ERR_DISPOSED', () => program.run(gone));
    program.dispose();
    program.dispose();
    expectThrows('ERR_DISPOSED', () => program.run(x([2, 3])), /disposed/);
    for (const spec of [[{ shape: [0] }], [{ shape: [NaN] }], [{ shape: 3 as unknown as number[] }]]) {
      expectThrows('ERR_SHAPE', () => device(id).record((a) => a!, spec));
    }
    expectThrows('ERR_DTYPE', () => device(id).record((a) => a!, [{ shape: [1], dtype: 'int3' as 'int64' }]));
  });
});
