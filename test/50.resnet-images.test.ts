import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect } from 'vitest';
import { preprocess } from '../lib/image/preprocess.js';
import { type EncodedImage, imagenetLabels, ResNet18 } from '../lib/index.js';
import { expectRejects } from './support/errors.js';
import { check, onEveryDevice } from './support/suite.js';
import { download } from './support/tensors.js';

const pictures = ['landscape.png', 'photo.jpg', 'alpha.png'].map((name) =>
  fileURLToPath(new URL(`golden/images/${name}`, import.meta.url)),
);

/** Their pixels in batches of two, since a batch of another size may be computed in another order. */
async function batches(): Promise<Uint8Array[]> {
  const [one, two, three] = await Promise.all(pictures.map((picture) => preprocess(picture)));
  return [Buffer.concat([one!, two!]), three!];
}

onEveryDevice('images of files', (id) => {
  for (const dtype of ['float32', 'bfloat16'] as const) {
    check(`embed gives each image the row of features, in ${dtype}`, async () => {
      using model = new ResNet18({ device: id, dtype });
      const expected: Float32Array[] = [];
      for (const pixels of await batches()) {
        const features = await download(model.features(pixels));
        for (let i = 0; i < features.data.length; i += 512) {
          expected.push(Float32Array.from(features.data.subarray(i, i + 512)));
        }
      }
      expect(new Set(expected.map(String)).size).toBe(3);
      expect(await model.embed(pictures, { batch: 2 })).toEqual(expected);
    });

    check(`classify gives each image the best classes of predict, in ${dtype}`, async () => {
      using model = new ResNet18({ device: id, dtype });
      const expected: object[][] = [];
      for (const pixels of await batches()) {
        for (const { indices, values } of await model.predict(pixels).topK(4)) {
          expected.push(
            indices.map((index, rank) => ({ label: imagenetLabels[index], index, score: values[rank] })),
          );
        }
      }
      expect(new Set(expected.map((classes) => JSON.stringify(classes))).size).toBe(3);
      expect(await model.classify(pictures, { top: 4, batch: 2 })).toEqual(expected);
    });
  }

  check('the images are those that the array held at the call', async () => {
    using model = new ResNet18({ device: id });
    const expected = await model.embed(pictures, { batch: 1 });
    const reused = [...pictures];
    const embedded = model.embed(reused, { batch: 1 });
    reused.length = 1;
    reused[0] = 'absent.jpg';
    expect(await embedded).toEqual(expected);
  });

  check('a bad image rejects all of the call, and is named', async () => {
    using model = new ResNet18({ device: id });
    const bad = Buffer.from('no image');
    for (const call of ['classify', 'embed'] as const) {
      const of = (image: EncodedImage) => model[call]([...pictures, image], { batch: 2 });
      await expectRejects('ERR_IMAGE', of('absent.jpg'), /absent\.jpg/);
      await expectRejects('ERR_IMAGE', of(bad), /^the encoded bytes of images\[3\]: not an image/);
      await expectRejects('ERR_IMAGE', model[call](bad), /^the encoded bytes given: not an image/);
    }
  });

  check('after an abort or a bad image, images that wait are not decoded', async () => {
    using model = new ResNet18({ device: id });
    const many = Array.from({ length: 120 }, () => pictures[1]!);

    /** How many images are decoded until one is that was asked for after the call. `call` gets an abort after the first. */
    const decodedBy = async (call: (signal: AbortSignal) => Promise<void>) => {
      const begun = new AbortController();
      let changes = 0; // sharp tells of each decoding's begin and end
      const count = () => {
        changes++;
        begun.abort('as asked');
      };
      sharp.queue.on('change', count);
      await call(begun.signal);
      await preprocess(pictures[1]!);
      sharp.queue.off('change', count);
      return changes / 2;
    };

    for (const call of ['classify', 'embed'] as const) {
      const aborted = await decodedBy(async (signal) => {
        await expect(model[call](many, { batch: 60, signal })).rejects.toBe('as asked');
      });
      const bad = await decodedBy(async () => {
        await expectRejects('ERR_IMAGE', model[call](['absent.jpg', ...many], { batch: 60 }), /absent/);
      });
      // of 120: eight are worked on at once
      expect(aborted).toBeLessThan(16);
      expect(bad).toBeLessThan(16);
    }
  });
});
