import { checkSignal } from '../abort.js';
import type { WeightEntry } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { kindOf } from '../kind-of.js';
import { checkOptions } from '../options.js';
import { requireMemory } from './host-memory.js';
import { Pacer } from './pacer.js';
import { maxHeaderBytes, safetensorsEntries } from './safetensors.js';
import { shardedEntries } from './sharded.js';
import type { StoredEntry } from './stored-entry.js';
import { torchEntries } from './torch-checkpoint.js';
import { WeightsFile } from './weights-file.js';

/** Options of {@link readWeights}. */
export interface ReadWeightsOptions {
  /** Ends the reading; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads a file of weights: safetensors, an index of safetensors shards (`*.safetensors.index.json`), or a state dict
 * or checkpoint that PyTorch's `torch.save` wrote (`.pth`, `.pt`, `.bin`). The content decides, not the name. Nothing
 * in the file is ever executed, and the event loop keeps running meanwhile.
 *
 * @param path - the file; an index names its shards, which lie beside it.
 * @returns name to `{dtype, shape, data}`, elements in C order. Entries that share a storage in a PyTorch file may
 *   share memory.
 * @throws `ERR_WEIGHTS` where the file is missing, damaged, hostile or of another format: the message names the file,
 *   the tensor and what to do. `ERR_OUT_OF_MEMORY` where a tensor does not fit into memory.
 */
export async function readWeights(
  path: string,
  options: ReadWeightsOptions = {},
): Promise<Map<string, WeightEntry>> {
  checkOptions('readWeights', options, ['signal']);
  checkSignal('readWeights', options.signal);
  options.signal?.throwIfAborted();
  return withStoredEntries(path, options.signal, async (stored) => {
    const own = [...stored.values()].map(({ bytes }) => bytes);
    requireMemory(
      path,
      own.reduce((sum, bytes) => sum + bytes, 0),
    );
    const entries = new Map<string, WeightEntry>();
    for (const [name, { dtype, shape, read }] of stored) {
      entries.set(name, { dtype, shape, data: await read() });
    }
    return entries;
  });
}

/** What `work` makes of the entries of a file, which it may read as long as it runs; as {@link readWeights} else. */
export async function withStoredEntries<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (entries: Map<string, StoredEntry>) => Promise<T>,
): Promise<T> {
  if (typeof path !== 'string') {
    throw new CudnnResnetError('ERR_ARGUMENT', `expected the path of a file of weights, got ${kindOf(path)}`);
  }
  return WeightsFile.use(path, new Pacer(signal), async (file) => work(await entriesOf(file)));
}

async function entriesOf(file: WeightsFile): Promise<Map<string, StoredEntry>> {
  const start = Buffer.from(await file.read(0, Math.min(512, file.size)));
  const text = start.toString('latin1');
  if (text.startsWith('PK\x03\x04')) return torchEntries(file);
  if (looksLikeSafetensors(start)) return safetensorsEntries(file);
  if (/^\s*\{/.test(text)) return shardedEntries(file);
  const hex = start.toString('hex');
  const other = otherFormats.find((format) =>
    'hex' in format ? format.hex.test(hex) : format.text.test(text),
  );
  if (other) throw file.fault(`is ${other.what}; ${other.advice}`);
  // so that what is wrong with it is said
  if (file.path.endsWith('.safetensors')) return safetensorsEntries(file);
  throw file.fault(
    'is of no format that is known here; expected safetensors, an index of safetensors shards, or a file of torch.save',
  );
}

function looksLikeSafetensors(start: Buffer): boolean {
  return start.length > 8 && start.readBigUInt64LE(0) <= maxHeaderBytes && start[8] === 0x7b;
}

const toSafetensors = 'convert it to safetensors, or to a state dict saved by torch.save';
const saveAgain = 'save it again with a current PyTorch: torch.save(torch.load(f), f)';

/** What people take for a file of weights, by how it begins, in hexadecimal or as text, and what to do with it. */
const otherFormats: (({ hex: RegExp } | { text: RegExp }) & { what: string; advice: string })[] = [
  {
    // a pickle of the number 0x1950a86a20f9469cfc6c
    hex: /^800[2-5]8a0a6cfc9c46f9206aa850192e/,
    what: 'a legacy file of PyTorch before 1.6',
    advice: saveAgain,
  },
  {
    hex: /^.{514}7573746172/,
    what: 'a tar archive',
    advice: `unpack it, or, if PyTorch wrote it, ${saveAgain}`,
  },
  { hex: /^894844460d0a1a0a/, what: 'an HDF5 file, as Keras writes them', advice: toSafetensors },
  { hex: /^934e554d5059/, what: 'a NumPy array', advice: toSafetensors },
  { hex: /^800[2-5]/, what: 'a bare Python pickle', advice: toSafetensors },
  { hex: /^1f8b/, what: 'compressed with gzip', advice: 'unpack it with gunzip' },
  { text: /^GGUF/, what: 'a GGUF file', advice: toSafetensors },
  { text: /^PK/, what: 'an empty or split zip archive', advice: 'save it again with torch.save' },
  {
    text: /^version https:\/\/git-lfs/,
    what: 'a pointer of Git LFS, not the file itself',
    advice: 'fetch the file with git lfs pull',
  },
  { text: /^\s*<(!doctype|html|\?xml)/i, what: 'a web page', advice: 'download the file itself' },
];
