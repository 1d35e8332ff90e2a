import { rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import {
  BasicBlock,
  device,
  models,
  nn,
  ResNet,
  ResNet18,
  ResNet34,
  type ResNetOptions,
  readWeights,
  saveWeights,
  Tensor,
  type WeightEntry,
} from '../lib/index.js';
import { native } from '../lib/native.js';
import { loadStoredEntries } from '../lib/nn/load-stored-entries.js';
import { withStoredEntries } from '../lib/weights/read.js';
import { expectRejects } from './support/errors.js';
import { randomIntegers } from './support/random.js';
import { check, onEveryDevice } from './support/suite.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { checkpoint, expectRefusal, pickle, safetensors, tensorPickle } from './support/weights-files.js';

onEveryDevice('ResNet.load', (id) => {
  const on = device(id);

  /** A file of random weights, and its entries. */
  async function saved(): Promise<{ path: string; entries: Map<string, WeightEntry> }> {
    const path = join(await temporaryFolder(), 'model.safetensors');
    const [drawn] = randomIntegers('weights', [1], 1, 1e6).data;
    const model = new ResNet18({ numClasses: 7, seed: drawn, device: id });
    await saveWeights(path, model.stateDict());
    model.dispose();
    return { path, entries: await readWeights(path) };
  }

  const bytes = ({ buffer, byteOffset, byteLength }: WeightEntry['data']) =>
    Buffer.from(buffer, byteOffset, byteLength);

  async function expectHolds(model: ResNet18, entries: ReadonlyMap<string, WeightEntry>): Promise<void> {
    const state = model.stateDict();
    expect([...state.keys()].sort()).toEqual([...entries.keys()].sort());
    for (const [key, tensor] of state) {
      expect(Buffer.compare(bytes(await tensor.data()), bytes(entries.get(key)!.data)), key).toBe(0);
    }
  }

  check('gives every parameter its values, whatever the order in the file', async () => {
    const { path, entries } = await saved();
    using model = await ResNet18.load(path, { device: id });
    await expectHolds(model, entries);
    await saveWeights(path, new Map([...entries].reverse()));
    using reversed = await ResNet18.load(path, { device: id });
    await expectHolds(reversed, entries);
  });

  check('from shards', async () => {
    const { path, entries } = await saved();
    const names = [...entries.keys()];
    const shardOf = (i: number) => `part-${i % 3}.safetensors`;
    for (const first of [0, 1, 2]) {
      const part = names.filter((_, i) => i % 3 === first).map((name) => [name, entries.get(name)!] as const);
      await saveWeights(join(path, '..', shardOf(first)), new Map(part));
    }
    const index = join(path, '..', 'model.safetensors.index.json');
    await writeFile(
      index,
      JSON.stringify({ weight_map: Object.fromEntries(names.map((name, i) => [name, shardOf(i)])) }),
    );
    using model = await ResNet18.load(index, { device: id });
    await expectHolds(model, entries);
  });

  check('from a PyTorch checkpoint, of tensors that share a storage as well', async () => {
    const path = join(await temporaryFolder(), 'linear.pth');
    const values = Float32Array.from({ length: 30 }, (_, i) => i);
    const weight = { numel: 30, size: [4, 5], stride: [5, 1], offset: 10 };
    const bias = { numel: 30, size: [4], stride: [2], offset: 1 };
    const dict = pickle.dict(
      pickle.text('weight'),
      tensorPickle(weight),
      pickle.text('bias'),
      tensorPickle(bias),
    );
    await writeFile(path, checkpoint(pickle.program(dict), { '0': Buffer.from(values.buffer) }));
    using linear = new nn.Linear(5, 4, { device: id });
    await withStoredEntries(path, undefined, (entries) =>
      loadStoredEntries(linear, path, entries, undefined),
    );
    expect(await linear.weight.data()).toEqual(values.slice(10));
    expect(await linear.bias!.data()).toEqual(Float32Array.of(1, 3, 5, 7));
  });

  check("from a file without the counts of batches, as torchvision's IMAGENET1K_V1 are", async () => {
    const { path, entries } = await saved();
    const counts = [...entries.keys()].filter((key) => key.endsWith('.num_batches_tracked'));
    expect(counts).toHaveLength(20);
    for (const key of counts) entries.delete(key);
    await saveWeights(path, entries);
    using model = await ResNet18.load(path, { device: id });
    for (const key of counts) entries.set(key, { dtype: 'int64', shape: [], data: BigInt64Array.of(0n) });
    await expectHolds(model, entries);
    using x = Tensor.zeros([2, 3, 32, 32], { device: id });
    model.train().forward(x).dispose();
    expect(await model.layer4.stateDict().get('1.bn2.num_batches_tracked')!.data()).toEqual(
      BigInt64Array.of(1n),
    );
  });

  check('a file that is cut off meanwhile is ERR_WEIGHTS', async () => {
    const { path } = await saved();
    const name = 'layer4.1.conv2.weight';
    using model = new ResNet18({ numClasses: 7, device: id });
    await expectRejects(
      'ERR_WEIGHTS',
      withStoredEntries(path, undefined, async (entries) => {
        await truncate(path, 100_000);
        await entries.get(name)!.fill!(model.stateDict().get(name)!);
      }),
    );
  });

  check('converts what the file holds in another dtype', async () => {
    const { path, entries } = await saved();
    const wide = new Map(
      [...entries].map(([name, entry]): [string, WeightEntry] => [
        name,
        entry.dtype === 'float32'
          ? { ...entry, dtype: 'float64', data: Float64Array.from(entry.data as Float32Array) }
          : { ...entry, dtype: 'int32', data: Int32Array.of(-3) },
      ]),
    );
    await saveWeights(path, wide);
    using model = await ResNet18.load(path, { device: id });
    expect(await model.bn1.num_batches_tracked.data()).toEqual(BigInt64Array.of(-3n));
    const last = await model.layer4.stateDict().get('1.conv2.weight')!.data();
    expect(Buffer.compare(bytes(last), bytes(entries.get('layer4.1.conv2.weight')!.data))).toBe(0);
    using narrow = await ResNet18.load(path, { device: id, dtype: 'bfloat16' });
    using rounded = Tensor.from(entries.get('fc.weight')!.data as Float32Array, [7, 512], {
      device: id,
      dtype: 'bfloat16',
    });
    expect(await narrow.fc.weight.data()).toEqual(await rounded.data());
  });

  check('where the device has no memory for it, rejects at once and leaves nothing', async () => {
    const { path } = await saved();
    await on.synchronize();
    on.trim();
    await on.synchronize();
    const before = on.memory().tensors;
    on.setMemoryLimit(on.memory().reservedBytes + 2 ** 24);
    try {
      await expectRejects('ERR_OUT_OF_MEMORY', ResNet18.load(path, { device: id }));
    } finally {
      on.setMemoryLimit(on.info.memory);
    }
    expect(on.memory().tensors).toBe(before);
    using model = await ResNet18.load(path, { device: id });
    expect(model.fc.outFeatures).toBe(7);
  });

  check('a file whose last layer has no classes, or more than there can be, is ERR_WEIGHTS', async () => {
    const path = join(await temporaryFolder(), 'hostile.safetensors');
    for (const shape of [[0, 512], [2 ** 33, 0], [2 ** 33, 1], [512, 0], []]) {
      const bytes = shape.reduce((product, extent) => product * extent, 1);
      const header = safetensors({ 'fc.weight': { dtype: 'U8', shape, data_offsets: [0, bytes] } });
      await writeFile(path, header);
      await truncate(path, header.length + bytes); // of holes
      await expectRefusal(ResNet18.load(path, { device: id }), /does not fit ResNet18/);
    }
  });

  check('refuses a dtype that nothing computes in before it reads the file', async () => {
    for (const dtype of ['int64', 'uint8', 'nonsense'] as never[]) {
      await expectRejects('ERR_DTYPE', ResNet18.load('/nowhere', { device: id, dtype }));
    }
  });

  check('scales images as torchvision did for the file of that name', async () => {
    const photo = fileURLToPath(new URL('golden/images/photo.jpg', import.meta.url));
    const { path } = await saved();
    using model = await ResNet18.load(path, { device: id });
    const at256 = await model.classify(photo);
    expect(at256).toEqual(await model.classify(photo, { resize: 256 }));
    const named = join(path, '..', 'resnet50-11ad3fa6.pth'); // its IMAGENET1K_V2, evaluated at 232
    await rename(path, named);
    using likeV2 = await ResNet18.load(named, { device: id });
    const at232 = await likeV2.classify(photo);
    expect(at232).toEqual(await model.classify(photo, { resize: 232 }));
    expect(at232).not.toEqual(at256);
    expect(await likeV2.classify(photo, { resize: 256 })).toEqual(at256);
    expect(await likeV2.embed(photo)).toEqual(await model.embed(photo, { resize: 232 }));
  });

  check('rejects, and leaves no other promise rejected, where both file and devices fail', async () => {
    const addon = native();
    const { findDevices } = addon;
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    onTestFinished(() => {
      process.off('unhandledRejection', note);
      Object.assign(addon, { findDevices });
    });
    Object.assign(addon, { findDevices: () => Promise.reject(new Error('no devices')) });
    await expectRejects('ERR_WEIGHTS', ResNet18.load('/nowhere', { device: id }));
    await setImmediate();
    expect(unhandled).toEqual([]);
  });

  check('into a network whose last layer is another', async () => {
    class Headed extends ResNet18 {
      constructor(options: ResNetOptions) {
        super(options);
        this.fc.dispose();
        const { device, dtype } = options;
        this.fc = new nn.Sequential(new nn.Linear(512, 3, { device, dtype })) as nn.Module as nn.Linear;
      }
    }
    const path = join(await temporaryFolder(), 'headed.safetensors');
    using made = new Headed({ device: id });
    await saveWeights(path, made.stateDict());
    using model = await Headed.load(path, { device: id });
    await expectHolds(model, await readWeights(path));
  });

  check('a file of another network is ERR_WEIGHTS, which names both', async () => {
    const { path } = await saved();
    await expect(ResNet34.load(path, { device: id })).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: `'${path}' does not fit ResNet34: it holds a ResNet18`,
    });
  });

  check('each of the family is known by its keys, and nothing else is', async () => {
    for (const [name, Network] of Object.entries(models)) {
      using model = new Network({ device: id, numClasses: 2 });
      const path = join(await temporaryFolder(), 'model.safetensors');
      await saveWeights(path, model.stateDict());
      const Other = name === 'resnet18' ? ResNet34 : ResNet18;
      await expectRefusal(Other.load(path, { device: id }), new RegExp(`: it holds a ${Network.name}$`));
    }
    const own = { block: BasicBlock, layers: [2, 2, 2, 1] } as const;
    using model = new ResNet({ ...own, device: id, numClasses: 2 });
    const path = join(await temporaryFolder(), 'own.safetensors');
    await saveWeights(path, model.stateDict());
    await expectRefusal(
      ResNet18.load(path, { device: id }),
      /does not fit ResNet18:\n {2}missing \(\d+\): layer4\.1\.conv1/,
    );
  });
});
