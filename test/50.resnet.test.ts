import { describe, expect } from 'vitest';
import { BasicBlock, nn, ops, ResNet, ResNet18, ResNet50, ResNet101, Tensor } from '../lib/index.js';
import { expectClose, expectExact, perNetwork } from './support/compare.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { images } from './support/generator.js';
import { goldenTensors } from './support/golden.js';
import { loadGenerated, withModule } from './support/modules.js';
import { randomIntegers } from './support/random.js';
import { topK } from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { download, upload } from './support/tensors.js';
import { values } from './support/values.js';

const golden = goldenTensors('networks.safetensors');
const imagenet = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;
const inputs = [
  [1, 224],
  [3, 192],
  [1, 257],
] as const;

onEveryDevice('ResNet', (id) => {
  for (const [name, Network] of [
    ['resnet18', ResNet18],
    ['resnet50', ResNet50],
    ['resnet101', ResNet101],
  ] as const) {
    check(`${name}: logits, features and the best class are PyTorch's`, () =>
      withModule(new Network({ device: id }), async (network) => {
        loadGenerated(network, name);
        network.eval();
        for (const [batch, size] of inputs) {
          const what = `${batch}x${size}`;
          const x = upload(images(what, [batch, 3, size, size]), 'float32', id);
          const logits = network.forward(x);
          expect(logits.shape).toEqual([batch, 1000]);
          const expected = golden(`${name}.logits.${what}`);
          expectClose(await download(logits), expected, perNetwork.float32, `logits of ${what}`);
          const best = (await logits.topK(1)).map(({ indices }) => indices);
          expect(best).toEqual(topK(expected, 1).map(({ indices }) => indices));
          const features = golden(`${name}.features.${what}`);
          expectClose(
            await download(network.features(x)),
            features,
            perNetwork.float32,
            `features of ${what}`,
          );
        }
      }),
    );
  }

  for (const [name, Network] of [
    ['resnet18', ResNet18],
    ['resnet50', ResNet50],
  ] as const) {
    for (const dtype of ['bfloat16', 'float16'] as const) {
      check(`${name} in ${dtype}`, () =>
        withModule(new Network({ device: id, dtype }), async (network) => {
          loadGenerated(network, name);
          const x = upload(images('1x224', [1, 3, 224, 224]), dtype, id);
          const logits = network.forward(x);
          expect(logits.dtype).toBe(dtype);
          expectClose(await download(logits), golden(`${name}.logits.1x224`), perNetwork[dtype]);
        }),
      );
    }
  }

  // One block in each group: what does not depend on the depth is tested on a small network.
  const small = (seed: number) =>
    new ResNet({ block: BasicBlock, layers: [1, 1, 1, 1], device: id, numClasses: 10, seed });

  describe('what forward takes', () => {
    const withNetwork = (body: (network: ResNet) => Promise<void> | void) => withModule(small(7), body);

    check('images of as many channels as a convolution takes that was put in the place of the first', () =>
      withNetwork(async (network) => {
        const grey = images('grey', [2, 1, 40, 33]);
        const asColours = ops.conv2d(
          upload(grey, 'float32', id),
          Tensor.from(new Float32Array(3).fill(1), [3, 1, 1, 1], { device: id }),
        );
        const expected = await download(network.forward(asColours));
        const weight = await download(network.conv1.weight);
        const summed = new Float32Array(64 * 49);
        weight.data.forEach((value, i) => {
          summed[Math.floor(i / (3 * 49)) * 49 + (i % 49)]! += value;
        });
        network.conv1.dispose();
        network.conv1 = new nn.Conv2d(1, 64, 7, { stride: 2, padding: 3, bias: false, device: id });
        network.conv1.loadStateDict({ weight: Tensor.from(summed, [64, 1, 7, 7], { device: id }) });
        const logits = await download(network.forward(upload(grey, 'float32', id)));
        expectClose(logits, expected, perNetwork.float32);
        expectThrows('ERR_SHAPE', () => network.forward(asColours), /\[N, 1, H, W\], got \[2, 3, 40, 33\]/);
      }),
    );

    check('a Float32Array in NCHW order, and its batch from its length', () =>
      withNetwork(async (network) => {
        for (const batch of [1, 2]) {
          const x = images('forward', [batch, 3, 224, 224]);
          const fromArray = await download(network.forward(Float32Array.from(x.data)));
          expectExact(fromArray, await download(network.forward(upload(x, 'float32', id))));
          expect(fromArray.shape).toEqual([batch, 10]);
        }
      }),
    );

    check('pixels as a Buffer or Uint8Array, normalised on the device', () =>
      withNetwork(async (network) => {
        const pixels = randomIntegers('pixels', [2, 224, 224, 3], 0, 255);
        const x = ops.normalizeImage(upload(pixels, 'uint8', id), imagenet);
        const expected = await download(network.forward(x));
        const bytes = Uint8Array.from(pixels.data);
        for (const given of [bytes, Buffer.from(bytes)]) {
          expectClose(await download(network.forward(given)), expected, perNetwork.float32);
        }
      }),
    );

    check('a tensor of pixels, and one of another dtype', () =>
      withNetwork(async (network) => {
        const pixels = upload(randomIntegers('pixels', [2, 64, 70, 3], 0, 255), 'uint8', id);
        const x = ops.normalizeImage(pixels, imagenet);
        const expected = await download(network.forward(x));
        expectExact(await download(network.forward(pixels)), expected);
        const rounded = network.forward(x.to({ dtype: 'bfloat16' }));
        expect(rounded.dtype).toBe('float32');
        expectClose(await download(rounded), expected, perNetwork.bfloat16);
      }),
    );

    check('predict is the softmax of forward', () =>
      withNetwork(async (network) => {
        const x = upload(images('predict', [2, 3, 64, 64]), 'float32', id);
        expectExact(await download(network.predict(x)), await download(ops.softmax(network.forward(x))));
      }),
    );

    check('the same input gives the same output, whatever ran between', () =>
      withNetwork(async (network) => {
        const x = upload(images('again', [2, 3, 65, 70]), 'float32', id);
        const first = await download(network.forward(x));
        network.forward(upload(images('between', [1, 3, 96, 64]), 'float32', id));
        expectExact(await download(network.forward(x)), first);
      }),
    );

    check('each image on its own gives what it gives in a batch', () =>
      withNetwork(async (network) => {
        const x = images('batch', [3, 3, 64, 64]);
        const together = await download(network.forward(upload(x, 'float32', id)));
        for (let n = 0; n < 3; n++) {
          const alone = values([1, 3, 64, 64], x.data.subarray(n * 3 * 64 * 64, (n + 1) * 3 * 64 * 64));
          const row = values([1, 10], together.data.subarray(n * 10, (n + 1) * 10));
          expectClose(await download(network.forward(upload(alone, 'float32', id))), row, perNetwork.float32);
        }
      }),
    );

    check('and what it does not', () =>
      withNetwork((network) => {
        const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });
        expectThrows('ERR_SHAPE', () => network.forward(new Float32Array(3 * 224 * 224 - 1)));
        expectThrows('ERR_SHAPE', () => network.forward(new Float32Array(0)));
        expectThrows('ERR_SHAPE', () => network.forward(new Uint8Array(100)));
        expectThrows('ERR_SHAPE', () => network.forward(zeros(1, 4, 224, 224)));
        expectThrows('ERR_SHAPE', () => network.forward(zeros(3, 224, 224)));
        expectThrows('ERR_SHAPE', () => network.features(zeros(3, 224, 224)));
        for (const wrong of [undefined, null, 1, [[1]], {}]) {
          expectThrows('ERR_ARGUMENT', () => network.forward(wrong as unknown as Tensor));
        }
        const path = 'image.jpg' as unknown as Tensor;
        expectThrows(
          'ERR_ARGUMENT',
          () => network.forward(path),
          /got string: encoded images and their files go to classify\(\)/,
        );
        expectThrows(
          'ERR_SHAPE',
          () => network.forward(new Uint8Array(224 * 224 * 4)),
          /RGBA pixels must lose/,
        );
        const disposed = zeros(1, 3, 64, 64);
        disposed.dispose();
        expectThrows('ERR_DISPOSED', () => network.forward(disposed), /^the tensor of images was/);
        network.dispose();
        expectThrows('ERR_DISPOSED', () => network.forward(zeros(1, 3, 64, 64)), /^forward: the model was/);
      }),
    );
  });

  check('classify gives five classes unless told, or all where there are fewer', async () => {
    for (const [numClasses, given] of [
      [7, 5],
      [2, 2],
    ]) {
      using network = new ResNet18({ device: id, numClasses: numClasses! });
      const [classes] = await network.classify('examples/traffic-light.svg');
      expect(classes).toHaveLength(given!);
    }
  });

  check('the last layer may be another module', async () => {
    const x = upload(images('replaced', [2, 3, 64, 64]), 'float32', id);
    const image = 'examples/traffic-light.svg';
    for (const [fc, classes] of [
      [new nn.Identity(), 512],
      [new nn.Sequential(new nn.Linear(512, 3, { device: id }), new nn.ReLU()), 3],
    ] as const) {
      using network = small(7);
      network.fc.dispose();
      network.fc = fc as nn.Module as nn.Linear;
      network.eval();
      expect([network.device.id, network.dtype]).toEqual([id, 'float32']);
      expect(network.forward(x).shape).toEqual([2, classes]);
      const expected = await download(fc.forward(network.features(x)));
      expectExact(await download(network.forward(x)), expected);
      expect((await network.classify(image))[0]).toHaveLength(Math.min(5, classes));
      await expectRejects('ERR_ARGUMENT', network.classify(image, { top: classes + 1 }));
    }
  });

  check('a member of the family refuses a structure, and what is no object of options', () => {
    for (const wrong of [{ layers: [1, 1, 1, 1] }, { block: BasicBlock }, { clases: 5 }] as object[]) {
      expectThrows('ERR_ARGUMENT', () => new ResNet18(wrong), /^ResNet18: .*known are 'numClasses'/);
    }
    for (const wrong of [null, 5] as never[]) {
      expectThrows('ERR_ARGUMENT', () => new ResNet18(wrong), /^ResNet18: expected an object of options/);
    }
  });
});
