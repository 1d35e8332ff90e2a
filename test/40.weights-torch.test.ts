import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readWeights } from '../lib/weights/read.js';
import { temporaryFolder } from './support/temporary-folder.js';
import {
  checkpoint,
  expectRefusal,
  oneTensor,
  pickle,
  readBytes,
  tensorPickle,
  zip,
} from './support/weights-files.js';

const { op, text, int, tuple, dict, call, global, program } = pickle;
const refuse = (bytes: Uint8Array, message: RegExp) => expectRefusal(readBytes(bytes, 'x.pth'), message);
const refusePickle = (body: Buffer, message: RegExp) => refuse(checkpoint(program(body)), message);

describe('PyTorch checkpoints that are valid', () => {
  test('one tensor', async () => {
    const storage = Buffer.from(new Float32Array([1, 2, 3, 4]).buffer);
    const entries = await readBytes(oneTensor({}, storage));
    expect(entries.get('w')).toEqual({ dtype: 'float32', shape: [4], data: new Float32Array([1, 2, 3, 4]) });
  });

  test('a view of any layout', async () => {
    const storage = Buffer.from(new Float32Array([1, 2, 3, 4]).buffer);
    const view = await readBytes(oneTensor({ size: [2, 1, 2], stride: [1, 77, 2] }, storage));
    expect([...view.get('w')!.data]).toEqual([1, 3, 2, 4]);
    const strideOfNothing = await readBytes(oneTensor({ size: [1, 4], stride: [2n ** 52n, 1] }, storage));
    expect([...strideOfNothing.get('w')!.data]).toEqual([1, 2, 3, 4]);
    const repeated = await readBytes(oneTensor({ size: [10_000], stride: [0], offset: 2 }, storage));
    expect(repeated.get('w')!.data).toEqual(new Float32Array(10_000).fill(3));
    const empty = await readBytes(oneTensor({ size: [3, 0], stride: [5, 1], offset: 99 }, storage));
    expect(empty.get('w')).toEqual({ dtype: 'float32', shape: [3, 0], data: new Float32Array() });
  });

  test.each([
    ['torch.DoubleStorage', Float64Array],
    ['torch.HalfStorage', Uint16Array],
    ['torch.ByteStorage', Uint8Array],
  ] as const)('a part of a %s', async (storage, Elements) => {
    const bytes = Buffer.from(Elements.from([1, 2, 3, 4]).buffer);
    const entries = await readBytes(oneTensor({ storage, size: [2], offset: 1 }, bytes));
    expect(entries.get('w')!.data).toEqual(Elements.from([2, 3]));
  });

  test('a state dict under each of the usual names, of which state_dict comes first', async () => {
    const keys = async (...pairs: [string, Buffer][]) => {
      const body = dict(...pairs.flatMap(([name, value]) => [text(name), value]));
      return [...(await readBytes(checkpoint(program(body), { '0': Buffer.alloc(16) }))).keys()];
    };
    const state = (name: string) => dict(text(name), tensorPickle());
    for (const name of ['state_dict', 'model', 'model_state_dict']) {
      expect(await keys(['epoch', int(3)], [name, state('w')])).toEqual(['w']);
    }
    expect(await keys(['model', state('a')], ['state_dict', state('b')])).toEqual(['b']);
  });

  test('an archive with zip64 fields', async () => {
    const body = program(dict(text('w'), tensorPickle()));
    const parts = [
      { name: 'x/data.pkl', data: body, offset64: 0n },
      { name: 'x/data/0', data: Buffer.alloc(16) },
    ];
    expect((await readBytes(zip(parts))).size).toBe(1);
  });

  test('an archive with a comment, which may look like the end of one', async () => {
    const comment = Buffer.from(`PK\x05\x06${'\0'.repeat(18)} and more`);
    const bytes = Buffer.concat([oneTensor({}), comment]);
    bytes.writeUInt16LE(comment.length, bytes.length - comment.length - 2);
    expect((await readBytes(bytes)).size).toBe(1);
  });

  test('a dict that contains itself', async () => {
    for (const [put, get] of [
      ['q\0', 'h\0'],
      ['r\x2c\x01\0\0', 'j\x2c\x01\0\0'], // where there are more than 256
    ]) {
      const self = Buffer.concat([op(`}${put}`), text('self'), op(`${get}s`)]);
      const body = Buffer.concat([self, text('w'), tensorPickle(), op('s')]);
      const entries = await readBytes(checkpoint(program(body), { '0': Buffer.alloc(16) }));
      expect([...entries.keys()]).toEqual(['w']);
    }
  });

  test('a state dict under state_dict that is the checkpoint itself', async () => {
    const body = Buffer.concat([
      op('}q\0'),
      text('state_dict'),
      op('h\0s'),
      text('w'),
      tensorPickle(),
      op('s'),
    ]);
    expect((await readBytes(checkpoint(program(body), { '0': Buffer.alloc(16) }))).size).toBe(1);
  });

  test('prefixes of DataParallel and torch.compile, only where all names have them', async () => {
    const names = async (...given: string[]) => {
      const body = dict(...given.flatMap((name) => [text(name), tensorPickle()]));
      return [...(await readBytes(checkpoint(program(body), { '0': Buffer.alloc(16) }))).keys()];
    };
    expect(await names('module.a', 'module.b')).toEqual(['a', 'b']);
    expect(await names('module._orig_mod.a')).toEqual(['a']);
    expect(await names('_orig_mod.module.module.a')).toEqual(['a']);
    expect(await names('module.a', 'b')).toEqual(['module.a', 'b']);
    expect(await names('constructor', 'prototype')).toEqual(['constructor', 'prototype']);
  });
});

describe('tensors that are refused', () => {
  const big = 2n ** 53n;
  test.each<[string, Parameters<typeof oneTensor>[0], RegExp]>([
    ['one element too many', { size: [5] }, /tensor "w": reaches element 4 of a storage of 4/],
    ['an offset too far', { offset: 1 }, /reaches element 4/],
    ['a negative offset', { offset: -1 }, /its offset, size or stride/],
    ['an offset past 2^53', { offset: big }, /its offset, size or stride/],
    ['an offset past 2^64', { offset: 2n ** 64n }, /its offset, size or stride/],
    ['a stride too far', { size: [2, 2], stride: [3, 1] }, /reaches element 4/],
    ['a negative stride', { stride: [-1], offset: 3 }, /its offset, size or stride/],
    [
      'a stride whose product overflows',
      { size: [5, 1], stride: [2n ** 62n / 1024n, 1] },
      /its offset|reaches/,
    ],
    ['a product near 2^53', { size: [3], stride: [big - 1n] }, /reaches element/],
    ['a negative size', { size: [-1] }, /its offset, size or stride/],
    ['a size past 2^53', { size: [2 ** 40, 2 ** 40], stride: [0, 0] }, /more than 2\^53 - 1/],
    ['a size that repeats without end', { size: [2 ** 40], stride: [0] }, /repeats elements/],
    ['fewer strides', { size: [2, 2], stride: [1] }, /2 dimensions and 1 strides/],
    ['65 dimensions', { size: Array(65).fill(1), stride: Array(65).fill(1) }, /its offset, size or stride/],
    ['a longer storage than its bytes', { numel: 5 }, /storage of 5 float32 elements has only 16 bytes/],
    ['a storage past 2^53', { numel: big }, /not described as torch\.save does/],
    ['wider elements than the bytes', { storage: 'torch.DoubleStorage' }, /has only 16 bytes/],
    ['a storage that is not there', { key: text('1') }, /its storage "1" is not in the archive/],
    ['a storage outside the archive', { key: text('../../../etc/passwd') }, /is not in the archive/],
    ['a key that is a number', { key: int(0) }, /not described as torch\.save does/],
    ['an untyped storage', { storage: 'torch.storage.UntypedStorage' }, /UntypedStorage".*dense tensors/],
    [
      'a dtype that is no storage',
      { storage: 'collections.OrderedDict' },
      /not described as torch\.save does/,
    ],
  ])('%s', async (_, tensor, message) => {
    await refuse(oneTensor(tensor), message);
  });

  test('a name that is no string, or __proto__', async () => {
    await refuse(checkpoint(program(dict(int(3), tensorPickle()))), /a tensor's name is no string/);
    await refuse(
      checkpoint(program(Buffer.concat([op('}q\0(h\0'), tensorPickle(), op('u')]))),
      /name is no string/,
    );
    await refuse(checkpoint(program(dict(text('__proto__'), tensorPickle()))), /name is __proto__/);
  });

  test.each<[string, Buffer, RegExp]>([
    ['a parameter of nothing', call('torch._utils._rebuild_parameter', tuple(int(1))), /not made by/],
    [
      'a tensor without a storage',
      call('torch._utils._rebuild_tensor_v2', tuple(int(1))),
      /its offset, size/,
    ],
    ['a tensor of no arguments', call('torch._utils._rebuild_tensor_v2', op(')')), /its offset, size/],
    ['a storage called as a function', call('torch.FloatStorage', tuple(int(4))), /not made by/],
  ])('%s', async (_, value, message) => {
    await refusePickle(dict(text('w'), value), message);
  });
});

describe('pickles that are refused', () => {
  test.each([
    ['posix.system', 'posix.system'],
    ['builtins.eval', 'builtins.eval'],
    ['torch.load', 'torch.load'],
    ['constructor', '__main__.constructor'],
    ['a whole model', 'torchvision.models.resnet.ResNet'],
  ])('the global %s', async (_, name) => {
    await refusePickle(call(name, tuple(text('x'))), /nothing is run: save model/);
  });

  test.each<[string, Buffer, RegExp]>([
    ['INST', op('(iposix\nsystem\n'), /uses opcode INST/],
    ['OBJ', op('(o'), /uses opcode OBJ/],
    ['NEWOBJ', op('\x81'), /uses opcode NEWOBJ/],
    ['STACK_GLOBAL', op('\x93'), /uses opcode STACK_GLOBAL/],
    ['EXT1', op('\x82\x01'), /uses opcode EXT1/],
    ['an opcode that is none', op('\xff'), /uses opcode 0xff/],
    ['POP', op('N0'), /uses opcode POP/],
    ['an empty stack', op('\x85'), /takes more from its stack/],
    ['a mark never set', op('t'), /goes back to a mark/],
    ['what is under a mark', op('N(\x85'), /takes more from its stack/],
    ['a memo of nothing', op('q\0'), /takes more from its stack/],
    ['a memo never set', op('h\x07'), /recalls memo 7/],
    ['no value', op(''), /does not end with one value/],
    ['two values', op('NN'), /does not end with one value/],
    ['an open mark', op('N('), /does not end with one value/],
    ['items without a dict', op('](NNu'), /sets items of something that is no dict/],
    ['a key without a value', op('}(Nu'), /a key without a value/],
    ['many items at once', op(`}(${'NN'.repeat(10_001)}u`), /sets 10001 items at once/],
    ['a long key', dict(text('x'.repeat(1025)), int(1)), /a key of over 1024 characters/],
    ['appending to a dict', op('}Na'), /appends to something that is no list/],
    ['calling a string', Buffer.concat([text('x'), op(')R')]), /calls something that is no global/],
    ['calling with a string', Buffer.concat([global('torch.FloatStorage'), text('x'), op('R')]), /calls/],
    [
      'OrderedDict of arguments',
      call('collections.OrderedDict', tuple(int(1))),
      /OrderedDict with arguments/,
    ],
    ['a state of a list', op(']Nb'), /sets attributes/],
    ['a string past the end', op('X\xff\xff\0\0'), /ends too early/],
    ['a string of 4 GB', op('X\xff\xff\xff\xff'), /string of 4294967295 bytes/],
    ['invalid UTF-8', op('X\x01\0\0\0\xff'), /invalid string/],
    ['a global without an end', op(`c${'x'.repeat(1000)}`), /global without an end/],
    ['deep marks', op('('.repeat(2000)), /nested deeper than 1000/],
    ['many opcodes', op('N'.repeat(1_000_001)), /more than 1000000 opcodes/],
    [
      'deep lists',
      op(`${']'.repeat(400_000)}${'a'.repeat(399_999)}`),
      /expected a dict of tensors, got a list/,
    ],
    ['a list', op(']'), /expected a dict of tensors, got a list/],
    ['a single tensor', tensorPickle(), /expected a dict of tensors, got a single tensor/],
    ['an empty dict', op('}'), /holds no tensors; it is an empty dict/],
  ])('%s', async (_, body, message) => {
    await refusePickle(body, message);
  });

  test('another protocol, and no end', async () => {
    await refuse(checkpoint(op('\x80\x05N.')), /protocol 5, expected 2/);
    await refuse(checkpoint(op('\x80\x02N')), /ends too early/);
    await refuse(checkpoint(op('')), /ends too early/);
  });
});

describe('zip archives that are refused', () => {
  const pkl = { name: 'a/data.pkl', data: program(op('}')) };
  const other = { name: 'a/data/0', data: Buffer.alloc(64) };

  test.each<[string, Parameters<typeof zip>[0], RegExp]>([
    ['a compressed entry', [pkl, { ...other, method: 8 }], /"a\/data\/0" is compressed/],
    ['a compressed pickle', [{ ...pkl, method: 8 }], /"a\/data\.pkl" is compressed/],
    ['an encrypted entry', [pkl, { ...other, flags: 1, size: 52, compressedSize: 64 }], /is encrypted/],
    ['a name twice', [pkl, other, other], /"a\/data\/0" stands twice/],
    ['a name that leaves the archive', [pkl, { ...other, name: '../x' }], /damaged.*\.\./],
    ['two sizes', [pkl, { ...other, compressedSize: 3 }], /damaged|two different sizes/],
    ['an entry past the end', [pkl, { ...other, size: 10_000 }], /damaged/],
    ['an entry of 4 GB', [pkl, { ...other, size: 0xfffffffe }], /damaged/],
    ['a place past the end', [pkl, { ...other, offset: 100_000 }], /damaged/],
    ['a place past 2^53', [pkl, { ...other, offset64: 2n ** 63n }], /damaged/],
    ['entries in one place', [pkl, { ...other, name: 'b', offset: 0, size: 1 }], /overlaps/],
    ['no pickle', [other], /0 entries NAME\/data\.pkl/],
    ['two pickles', [pkl, { ...pkl, name: 'b/data.pkl' }], /2 entries NAME\/data\.pkl/],
    ['big-endian', [pkl, { name: 'a/byteorder', data: Buffer.from('big') }], /byte order is "big"/],
    ['a byte order of 1 MB', [pkl, { name: 'a/byteorder', data: Buffer.alloc(1e6, 'x') }], /byte order/],
  ])('%s', async (_, parts, message) => {
    await refuse(zip(parts), message);
  });

  test('ends of a central directory that point anywhere', async () => {
    const bytes = zip([pkl]);
    for (const offset of [0, 1, bytes.length, 0xfffffffe, 0xffffffff]) {
      const changed = Buffer.from(bytes);
      changed.writeUInt32LE(offset, bytes.length - 6);
      await refuse(changed, /damaged/);
    }
    // a zip64 locator in front of the end, and a zip64 end that lies about where the directory is
    const end64 = Buffer.alloc(56);
    end64.write('PK\x06\x06', 'latin1');
    end64.writeBigUInt64LE(1n, 32);
    end64.writeBigUInt64LE(2n ** 63n, 48);
    const end = Buffer.alloc(22, 0xff);
    end.write('PK\x05\x06', 'latin1');
    end.writeUInt32LE(0, 4);
    end.writeUInt16LE(0, 20);
    for (const place of [0n, 2n ** 53n, 2n ** 64n - 1n, BigInt(bytes.length)]) {
      const locator = Buffer.alloc(20);
      locator.write('PK\x06\x07', 'latin1');
      locator.writeBigUInt64LE(place, 8);
      await refuse(Buffer.concat([bytes, end64, locator, end]), /damaged/);
    }
  });

  test('cut off at every byte', async () => {
    const whole = oneTensor({});
    const path = join(await temporaryFolder(), 'cut.pth');
    for (let length = 0; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      await expectRefusal(readWeights(path), /cut\.pth: /);
    }
  });
});
