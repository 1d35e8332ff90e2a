/** The bytes of a safetensors file with this header, be it right or wrong. */
export function safetensors(header: unknown, data: Uint8Array | number = 0, headerLength?: number | bigint) {
  const json =
    header instanceof Uint8Array
      ? header
      : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength ?? json.length));
  return Buffer.concat([length, json, typeof data === 'number' ? Buffer.alloc(data) : data]);
}

interface ZipPart {
  name: string;
  data: Uint8Array;
  method?: number;
  flags?: number;
  /** What the central directory says, where it is to differ from the truth. */
  size?: number;
  compressedSize?: number;
  offset?: number;
  offset64?: bigint;
}

/** A zip archive that may lie about itself. */
export function zip(parts: ZipPart[]): Buffer {
  const body: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const part of parts) {
    const name = Buffer.from(part.name);
    const size = part.size ?? part.data.length;
    const compressed = part.compressedSize ?? size;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800 | (part.flags ?? 0), 2);
    common.writeUInt16LE(part.method ?? 0, 4);
    common.writeUInt32LE(compressed, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(name.length, 22);
    body.push(Buffer.from('PK\x03\x04', 'latin1'), common, name, Buffer.from(part.data));

    let extra: Buffer = Buffer.alloc(0);
    if (part.offset64 !== undefined) {
      extra = Buffer.alloc(12);
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(8, 2);
      extra.writeBigUInt64LE(part.offset64, 4);
    }
    const central = Buffer.alloc(14);
    central.writeUInt32LE(part.offset64 === undefined ? (part.offset ?? position) : 0xffffffff, 10);
    const head = Buffer.from(common);
    head.writeUInt16LE(extra.length, 24);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), head, central, name, extra);
    position += 4 + common.length + name.length + part.data.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...body, central, end]);
}

/** A checkpoint's archive around a pickle and its storages. */
export function checkpoint(pickle: Uint8Array, storages: Record<string, Uint8Array> = {}): Buffer {
  return zip([
    { name: 'archive/data.pkl', data: pickle },
    { name: 'archive/byteorder', data: Buffer.from('little') },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
  ]);
}

/** Pickle opcodes by what they do, to write pickles that no Python would. */
export const pickle = {
  program: (...ops: Buffer[]) => Buffer.concat([Buffer.from([0x80, 2]), ...ops, Buffer.from('.')]),
  op: (text: string) => Buffer.from(text, 'latin1'),
  text(value: string | Uint8Array) {
    const bytes = Buffer.from(value as string);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([Buffer.from('X'), length, bytes]);
  },
  /** Any integer, as LONG1. */
  int(value: number | bigint) {
    const bytes = Buffer.alloc(16);
    bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
    bytes.writeBigInt64LE(BigInt(value) >> 64n, 8);
    return Buffer.concat([Buffer.from([0x8a, 16]), bytes]);
  },
  tuple: (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]),
  dict: (...items: Buffer[]) => Buffer.concat([Buffer.from('}('), ...items, Buffer.from('u')]),
  call: (name: string, args: Buffer) => Buffer.concat([pickle.global(name), args, Buffer.from('R')]),
  global(name: string) {
    const dot = name.lastIndexOf('.');
    return Buffer.from(`c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`);
  },
};

interface TensorPickle {
  storage?: string;
  key?: Buffer;
  numel?: number | bigint;
  offset?: number | bigint;
  size?: (number | bigint)[];
  stride?: (number | bigint)[];
}

/** The pickle of a tensor: by default four float32 elements in storage '0'. */
export function tensorPickle(tensor: TensorPickle = {}): Buffer {
  const { storage = 'torch.FloatStorage', key = pickle.text('0'), numel = 4, offset = 0 } = tensor;
  const { size = [4], stride = [1] } = tensor;
  return pickle.call(
    'torch._utils._rebuild_tensor_v2',
    pickle.tuple(
      pickle.tuple(
        pickle.text('storage'),
        pickle.global(storage),
        key,
        pickle.text('cpu'),
        pickle.int(numel),
      ),
      pickle.op('Q'),
      pickle.int(offset),
      pickle.tuple(...size.map(pickle.int)),
      pickle.tuple(...stride.map(pickle.int)),
      pickle.op('\x89'),
      pickle.call('collections.OrderedDict', pickle.op(')')),
    ),
  );
}

/** A checkpoint whose only tensor is `w`, in a storage of 16 bytes. */
export function oneTensor(tensor: TensorPickle, storage: Uint8Array = Buffer.alloc(16)): Buffer {
  return checkpoint(pickle.program(pickle.dict(pickle.text('w'), tensorPickle(tensor))), { '0': storage });
}
