import { expect } from 'vitest';
import { ops, Tensor } from '../lib/index.js';
import { expectClose, perOp } from './support/compare.js';
import { expectThrows } from './support/errors.js';
import { randomIntegers } from './support/random.js';
import { normalizeImage } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, floatDTypes, upload } from './support/tensors.js';
import { values } from './support/values.js';

type Rgb = [number, number, number];
const imagenet = { mean: [0.485, 0.456, 0.406] as Rgb, std: [0.229, 0.224, 0.225] as Rgb };

onEveryDevice('normalizeImage', (id) => {
  for (const dtype of floatDTypes) {
    for (const shape of [
      [1, 1, 1, 3],
      [2, 5, 9, 3],
      [3, 224, 224, 3],
    ]) {
      check(`${dtype} [${shape}]`, async () => {
        const pixels = randomIntegers('pixels', shape, 0, 255);
        const y = ops.normalizeImage(upload(pixels, 'uint8', id), { ...imagenet, dtype });
        expect(y.dtype).toBe(dtype);
        expectClose(await download(y), normalizeImage(pixels, imagenet), perOp[dtype]);
      });
    }
  }

  check('float32 unless asked otherwise, every value of every channel', async () => {
    const pixels = values(
      [1, 16, 16, 3],
      Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
    );
    const options = { mean: [0, 0.5, 1] as Rgb, std: [1, 0.5, 0.01] as Rgb };
    const y = ops.normalizeImage(upload(pixels, 'uint8', id), options);
    expect(y.dtype).toBe('float32');
    expectClose(await download(y), normalizeImage(pixels, options), perOp.float32);
  });

  check('what bad input gets', () => {
    const pixels = Tensor.zeros([1, 4, 4, 3], { device: id, dtype: 'uint8' });
    const bytes = (...shape: number[]) => Tensor.zeros(shape, { device: id, dtype: 'uint8' });
    expectThrows('ERR_SHAPE', () => ops.normalizeImage(bytes(1, 4, 4, 4), imagenet));
    expectThrows('ERR_SHAPE', () => ops.normalizeImage(bytes(4, 4, 3), imagenet));
    expectThrows('ERR_SHAPE', () => ops.normalizeImage(bytes(1, 3, 4, 4), imagenet));
    expectThrows('ERR_DTYPE', () => ops.normalizeImage(Tensor.zeros([1, 4, 4, 3], { device: id }), imagenet));
    expectThrows('ERR_DTYPE', () => ops.normalizeImage(pixels, { ...imagenet, dtype: 'uint8' as 'float32' }));
    for (const wrong of [[0.5], [0.5, 0.5, NaN], 0.5, undefined, ['a', 'b', 'c']]) {
      const list = wrong as unknown as Rgb;
      expectThrows('ERR_ARGUMENT', () => ops.normalizeImage(pixels, { ...imagenet, mean: list }), /mean/);
      expectThrows('ERR_ARGUMENT', () => ops.normalizeImage(pixels, { ...imagenet, std: list }), /std/);
    }
    expectThrows('ERR_ARGUMENT', () => ops.normalizeImage(pixels, { ...imagenet, std: [1, 0, 1] }), /std/);
    expectThrows(
      'ERR_ARGUMENT',
      () => ops.normalizeImage(pixels, { ...imagenet, means: [] } as never),
      /'mean'/,
    );
  });
});
