import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { device, nn, ops, readWeights, saveWeights, Tensor, type WeightEntry } from '../lib/index.js';
import { expectClose, expectExact, perOp } from './support/compare.js';
import { expectRejects, expectThrows } from './support/errors.js';
import { withModule } from './support/modules.js';
import { random } from './support/random.js';
import * as reference from './support/reference.js';
import { check, onEveryDevice } from './support/suite.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { download, upload } from './support/tensors.js';
import { rounded, type Values } from './support/values.js';

/** What is no state dict, and what an error calls it. */
const noStateDicts: [unknown, RegExp][] = [
  [undefined, /got undefined/],
  [[], /got array/],
  [() => 1, /got function/],
  [Promise.resolve(new Map()), /got Promise: await it/],
  [new Set(), /got Set/],
  [new WeakMap(), /got WeakMap/],
  [new Float32Array(1), /got Float32Array/],
  [new nn.ReLU(), /got Object/],
];

describe('saveWeights', () => {
  const entry: WeightEntry = { dtype: 'float32', shape: [2], data: new Float32Array([1, 2]) };

  test('refuses what is no state dict, and writes nothing', async () => {
    const folder = await temporaryFolder();
    const save = (dict: unknown) => saveWeights(join(folder, 'x.safetensors'), dict as never);
    for (const [dict, message] of noStateDicts) {
      await expectRejects('ERR_ARGUMENT', save(dict), message);
    }
    for (const key of [0, Symbol('a'), null, {}]) {
      await expectRejects('ERR_ARGUMENT', save(new Map([[key, entry]])));
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test('refuses metadata of a class', async () => {
    const folder = await temporaryFolder();
    for (const metadata of [new Map([['a', 'b']]), new Set(['a']), Promise.resolve({})]) {
      await expectRejects(
        'ERR_ARGUMENT',
        saveWeights(join(folder, 'x'), { a: entry }, { metadata: metadata as never }),
      );
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([
    'new Map([["a", entry]])',
    '({ a: entry })',
    'Object.assign(Object.create(null), { a: entry })',
  ])('takes %s of another vm context', async (code) => {
    const path = join(await temporaryFolder(), 'x.safetensors');
    const dict = runInNewContext(
      `const entry = { dtype: 'float32', shape: [2], data: new Float32Array([1, 2]) };${code}`,
    );
    await saveWeights(path, dict);
    expect(await readWeights(path)).toEqual(new Map([['a', entry]]));
  });
});

onEveryDevice('saveWeights of a module', (id) => {
  const make = () =>
    new nn.Sequential(new nn.Conv2d(3, 4, 1, { device: id }), new nn.BatchNorm2d(4, { device: id }));
  const values = async (module: nn.Module) =>
    new Map(
      await Promise.all(
        [...module.stateDict()].map(
          async ([key, x]) => [key, { dtype: x.dtype, shape: [...x.shape], data: await x.data() }] as const,
        ),
      ),
    );
  /** Reads what is saved while the device has work before it, and `meanwhile` goes on at once. */
  const saved = async (module: nn.Module, meanwhile: () => void) => {
    const path = join(await temporaryFolder(), 'x.safetensors');
    ops.activation(Tensor.randn([16, 64, 64, 64], { device: id }), 'tanh');
    const saving = saveWeights(path, module.stateDict());
    meanwhile();
    await saving;
    return readWeights(path);
  };

  check('saves it as it is at the call, whatever it becomes meanwhile', async () => {
    const other = make();
    const module = make();
    const before = await values(module);
    expect(await saved(module, () => module.loadStateDict(other.stateDict()))).toEqual(before);
    const after = await values(other);
    expect(await saved(module, () => module.dispose())).toEqual(after);
    other.dispose();
  });

  check('is not refused where little may wait', async () => {
    const on = device(id);
    await withModule(make(), async (module) => {
      const expected = await values(module);
      for (const limit of [{ operations: 1 }, { bytes: 1 }]) {
        expect(await saved(module, () => on.setQueueLimit(limit)).finally(unlimited)).toEqual(expected);
        await on.synchronize();
        const path = join(await temporaryFolder(), 'x.safetensors');
        on.setQueueLimit(limit);
        await saveWeights(path, module.stateDict()).finally(unlimited);
        expect(await readWeights(path)).toEqual(expected);
      }
    });
    function unlimited() {
      on.setQueueLimit({ operations: 100_000, bytes: on.info.memory / 4 });
    }
  });

  check('rejects with the first tensor that cannot be read, and writes nothing', async () => {
    const folder = await temporaryFolder();
    const gone = () => {
      const x = Tensor.zeros([1], { device: id });
      x.dispose();
      return x;
    };
    const dict = { a: Tensor.zeros([1], { device: id }), b: gone(), c: gone() };
    await expectRejects('ERR_DISPOSED', saveWeights(join(folder, 'x'), dict));
    expect(await readdir(folder)).toEqual([]);
  });
});

onEveryDevice('loadStateDict', (id) => {
  const up = (x: Values) => upload(x, 'float32', id);
  const zeros = (...shape: number[]) => Tensor.zeros(shape, { device: id });
  const make = () =>
    new nn.Sequential(new nn.Conv2d(3, 4, 1, { device: id }), new nn.BatchNorm2d(4, { device: id }));
  const state = () => ({
    '0.weight': zeros(4, 3, 1, 1),
    '0.bias': zeros(4),
    '1.weight': zeros(4),
    '1.bias': Tensor.from([1, 2, 3, 4], [4], { device: id }),
    '1.running_mean': zeros(4),
    '1.running_var': zeros(4),
    '1.num_batches_tracked': Tensor.from(new BigInt64Array([7n]), [], { device: id }),
  });

  check('takes a Map or a record, and copies', () =>
    withModule(make(), async (module) => {
      for (const dict of [state(), new Map(Object.entries(state()))]) {
        module.loadStateDict(dict);
        for (const x of dict instanceof Map ? dict.values() : Object.values(dict)) {
          x.dispose();
        }
        const loaded = module.stateDict();
        expect(await loaded.get('1.bias')!.data()).toEqual(Float32Array.of(1, 2, 3, 4));
        expect(await loaded.get('1.num_batches_tracked')!.data()).toEqual(BigInt64Array.of(7n));
      }
    }),
  );

  check('lists every key that is missing, unexpected or of another shape, and changes nothing', () =>
    withModule(make(), async (module) => {
      const before = await module.stateDict().get('1.bias')!.data();
      const { '1.running_mean': _missing, ...rest } = state();
      const dict = { ...rest, 'fc.weight': zeros(1), '0.weight': zeros(4, 3, 3, 3) };
      expectThrows('ERR_WEIGHTS', () => module.loadStateDict(dict), /1\.running_mean/);
      expectThrows('ERR_WEIGHTS', () => module.loadStateDict(dict), /fc\.weight/);
      expectThrows(
        'ERR_WEIGHTS',
        () => module.loadStateDict(dict),
        /0\.weight.*\[4, 3, 1, 1\].*\[4, 3, 3, 3\]/,
      );
      for (const shape of [[4], [4, 3, 1, 1, 1]]) {
        const other = { ...state(), '0.weight': zeros(...shape) };
        expectThrows('ERR_WEIGHTS', () => module.loadStateDict(other), /0\.weight \(expected \[4, 3, 1, 1\]/);
      }
      expect(await module.stateDict().get('1.bias')!.data()).toEqual(before);
    }),
  );

  check('where it is not strict, takes what fits and says what did not', () =>
    withModule(make(), async (module) => {
      const { '1.running_mean': _missing, ...rest } = state();
      const result = module.loadStateDict({ ...rest, extra: zeros(1) }, { strict: false });
      expect(result).toEqual({ missing: ['1.running_mean'], unexpected: ['extra'] });
      expect(await module.stateDict().get('1.bias')!.data()).toEqual(Float32Array.of(1, 2, 3, 4));
      const misshapen = { '1.bias': zeros(5) };
      expectThrows('ERR_WEIGHTS', () => module.loadStateDict(misshapen, { strict: false }), /1\.bias/);
      expectThrows('ERR_ARGUMENT', () => module.loadStateDict({}, { stict: false } as object), /'strict'/);
    }),
  );

  check("does not miss a batch norm's count, which keeps its value, and misses others of that name", () =>
    withModule(make(), async (module) => {
      module.loadStateDict(state());
      const { '1.num_batches_tracked': _count, ...rest } = state();
      for (const strict of [true, false]) {
        expect(module.loadStateDict(rest, { strict })).toEqual({ missing: [], unexpected: [] });
        expect(await module.stateDict().get('1.num_batches_tracked')!.data()).toEqual(BigInt64Array.of(7n));
      }
      const misshapen = { ...rest, '1.num_batches_tracked': zeros(1) };
      expectThrows('ERR_WEIGHTS', () => module.loadStateDict(misshapen), /1\.num_batches_tracked/);
      Object.assign(module, { num_batches_tracked: zeros(1) });
      expectThrows('ERR_WEIGHTS', () => module.loadStateDict(rest), /missing \(1\): num_batches_tracked/);
    }),
  );

  check('refuses what is no state dict', () =>
    withModule(make(), (module) => {
      for (const [dict, message] of noStateDicts) {
        expectThrows('ERR_ARGUMENT', () => module.loadStateDict(dict as never, { strict: false }), message);
      }
      for (const key of [0, Symbol('a'), null, {}]) {
        const dict = new Map([[key, zeros(1)]]) as never;
        expectThrows('ERR_ARGUMENT', () => module.loadStateDict(dict, { strict: false }), /keys must be/);
      }
      const shape = [Symbol('a')] as never;
      const symbols = { '0.bias': { dtype: 'float32', shape, data: new Float32Array(4) } } as const;
      expectThrows('ERR_ARGUMENT', () => module.loadStateDict(symbols, { strict: false }), /"0\.bias"/);
      expectThrows('ERR_ARGUMENT', () => module.loadStateDict({}, { strict: 'no' as never }), /strict/);
    }),
  );

  check('where one entry cannot be written names it, and changes nothing', () =>
    withModule(make(), async (module) => {
      const bias = module.stateDict().get('0.bias')!;
      const before = await bias.data();
      const disposed = zeros(4);
      disposed.dispose();
      for (const [code, wrong] of [
        ['ERR_WEIGHTS', { dtype: 'float32', shape: [4], data: new Float32Array(3) }],
        ['ERR_WEIGHTS', { dtype: 'float32', shape: [4], data: new Uint16Array(4) }],
        ['ERR_WEIGHTS', { dtype: 'float16', shape: [4], data: new Float32Array(4) }],
        ['ERR_WEIGHTS', { dtype: 'float32', shape: [4], data: new Float64Array(4) }],
        ['ERR_DISPOSED', disposed],
      ] as const) {
        const dict = { '0.bias': zeros(4), '1.bias': wrong as Tensor };
        expectThrows(code, () => module.loadStateDict(dict, { strict: false }), /"1\.bias"/);
      }
      module.stateDict().get('1.bias')!.dispose();
      const dict = { '0.bias': zeros(4), '1.bias': zeros(4) };
      expectThrows('ERR_DISPOSED', () => module.loadStateDict(dict, { strict: false }), /"1\.bias"/);
      expect(await bias.data()).toEqual(before);
    }),
  );

  check('a change of any parameter reaches the folded convolution', () =>
    withModule(make(), async (module) => {
      module.eval();
      const x = rounded(random('x', [2, 3, 5, 4]), 'float32');
      for (const round of ['first', 'second']) {
        const draw = (key: string, shape: number[], center = 0) =>
          rounded(random(`${round} ${key}`, shape, { scale: 0.9, center }), 'float32');
        const [kernel, mean, variance] = [
          draw('kernel', [4, 3, 1, 1]),
          draw('mean', [4]),
          draw('variance', [4], 1),
        ];
        for (const [key, value] of [
          ['0.weight', kernel],
          ['1.running_mean', mean],
          ['1.running_var', variance],
        ] as const) {
          module.loadStateDict({ [key]: up(value) }, { strict: false });
          const state = module.stateDict();
          const now = async (key: string) => download(state.get(key)!);
          const convolved = reference.conv2d(x, await now('0.weight'), { bias: await now('0.bias') });
          const expected = reference.batchNorm(convolved, {
            mean: await now('1.running_mean'),
            variance: await now('1.running_var'),
            weight: await now('1.weight'),
            bias: await now('1.bias'),
          });
          expectClose(await download(module.forward(up(x))), expected, perOp.float32, `${round} ${key}`);
        }
      }
    }),
  );

  check('a parameter of another dtype is converted', () =>
    withModule(make(), async (module) => {
      const values = rounded(random('weight', [4, 3, 1, 1]), 'bfloat16');
      module.loadStateDict({ '0.weight': upload(values, 'bfloat16', id) }, { strict: false });
      const weight = module.stateDict().get('0.weight')!;
      expect(weight.dtype).toBe('float32');
      expectExact(await download(weight), values);
    }),
  );
});
