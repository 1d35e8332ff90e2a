import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesPerElement, type WeightEntry } from '../../lib/dtype.js';
import { CudnnResnetError } from '../../lib/errors.js';
import { readWeights } from '../../lib/weights/read.js';
import { checkpoint, oneTensor, pickle, safetensors, tensorPickle } from '../support/weights-bytes.js';

/** What is fuzzed: how bytes become a file, and what to begin with. */
export interface Reader {
  file: (bytes: Buffer) => Buffer;
  seeds: () => Buffer[];
  dictionary: Buffer[];
}

const latin1 = (...texts: string[]) => texts.map((text) => Buffer.from(text, 'latin1'));
const golden = (extension: RegExp) => () => {
  const folder = fileURLToPath(new URL('../golden/weights/', import.meta.url));
  const names = readdirSync(folder).filter((name) => extension.test(name));
  return names.map((name) => readFileSync(join(folder, name))).filter((bytes) => bytes.length < 8192);
};

const pickleWords = latin1(
  ...'\x80\x02|}|(|t|)|]|u|s|a|e|R|b|Q|N|.|\x85|\x86|\x87|\x88|\x89|q\x01|h\x01|r\x01\x00\x00\x00|K\x04'.split(
    '|',
  ),
  'ccollections\nOrderedDict\n',
  'ctorch._utils\n_rebuild_tensor_v2\n',
  'ctorch._utils\n_rebuild_parameter\n',
  'ctorch\nFloatStorage\n',
  'ctorch\nHalfStorage\n',
  'X\x07\x00\x00\x00storage',
  'X\x01\x00\x00\x000',
  'X\x09\x00\x00\x00__proto__',
  'X\x0a\x00\x00\x00state_dict',
  '\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01',
);

const tensorOf = (fields: object) => ({ w: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });

export const readers: Readonly<Record<string, Reader>> = {
  safetensors: {
    file: (bytes) => bytes,
    seeds: () => [safetensors({}), safetensors(tensorOf({}), 8), ...golden(/\.safetensors$/)()],
    dictionary: latin1(
      ...'{|}|[|]|,|:|"|{}|"dtype":"F32"|"F16"|"BF16"|"I64"|"U8"|"F8_E4M3"|"BOOL"|"shape":[]|"shape":[0]'.split(
        '|',
      ),
      '"data_offsets":[0,8]',
      '"__metadata__":{"format":"pt"}',
      '"__proto__":',
      '"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}',
      '\\u0000',
      '\\ud800',
      '1e9',
      '-0',
      '\xff',
    ),
  },
  checkpoint: {
    file: (bytes) => bytes,
    seeds: () => [oneTensor({}), checkpoint(pickle.program(pickle.dict())), ...golden(/\.pth$/)()],
    dictionary: [
      ...pickleWords,
      ...latin1(
        'PK\x01\x02',
        'PK\x03\x04',
        'PK\x05\x06',
        'PK\x06\x06',
        'PK\x06\x07',
        'PK\x07\x08',
        'data.pkl',
        '/data/0',
      ),
    ],
  },
  // the pickle of a sound archive, so that every change reaches the interpreter
  pickle: {
    file: (bytes) => checkpoint(bytes, { '0': Buffer.alloc(16), '1': Buffer.alloc(6) }),
    seeds: () => [
      pickle.program(pickle.dict(pickle.text('w'), tensorPickle())),
      pickle.program(
        pickle.dict(
          pickle.text('state_dict'),
          pickle.dict(pickle.text('w'), tensorPickle({ size: [2, 2], stride: [1, 2] })),
        ),
      ),
      pickle.program(
        pickle.dict(
          pickle.text('w'),
          pickle.call(
            'torch._utils._rebuild_parameter',
            pickle.tuple(
              tensorPickle(),
              pickle.op('\x89'),
              pickle.call('collections.OrderedDict', pickle.op(')')),
            ),
          ),
        ),
      ),
    ],
    dictionary: pickleWords,
  },
  index: {
    file: (bytes) => bytes,
    seeds: () => [...golden(/\.index\.json$/)(), Buffer.from('{"weight_map":{"w":"x.safetensors"}}')],
    dictionary: latin1(
      ...'{|}|"|:|,|"weight_map":|"metadata":{}|"../x"|"model-00001-of-00002.safetensors"|"__proto__"'.split(
        '|',
      ),
    ),
  },
};

/** Far more than any of these inputs needs, of the file's bytes and of time. */
const mostBytes = 1 << 20;
const mostMilliseconds = 5000;

/** Reads a file of `bytes`: throws unless that ends in a sound map or in ERR_WEIGHTS, soon. */
export async function readSoundly(path: string, bytes: Uint8Array): Promise<void> {
  writeFileSync(path, bytes);
  const begin = performance.now();
  let entries: Map<string, WeightEntry> = new Map();
  try {
    entries = await readWeights(path);
  } catch (error) {
    if (!(error instanceof CudnnResnetError && error.code === 'ERR_WEIGHTS')) {
      throw new Error('neither read nor refused', { cause: error });
    }
    if (!error.message.startsWith(dirname(path))) throw new Error(`does not name the file: ${error.message}`);
  }
  for (const [name, { dtype, shape, data }] of entries) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const sound =
      typeof name === 'string' &&
      name !== '__proto__' &&
      data.length === count &&
      data.BYTES_PER_ELEMENT === bytesPerElement[dtype] &&
      data.byteLength <= mostBytes;
    if (!sound)
      throw new Error(
        `entry ${JSON.stringify(name)} is not sound: ${dtype} [${shape}], ${data.length} elements`,
      );
  }
  const taken = performance.now() - begin;
  if (taken > mostMilliseconds) throw new Error(`took ${taken} ms`);
}
