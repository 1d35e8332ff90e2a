import { floatDTypes, type WeightEntry } from '../dtype.js';
import { printable } from '../quote.js';
import { readWeights } from '../weights/read.js';
import { writeSafetensors } from '../weights/write-safetensors.js';
import { castEntry, hasInfinity } from './cast.js';
import { note, print } from './output.js';
import { removeUnfinishedAtTheEnd } from './unfinished.js';
import { type Command, choiceOf, UsageError } from './usage.js';

export const convert: Command = {
  summary: 'Converts a file of weights to safetensors',
  operands: 'FROM TO.safetensors',
  details:
    'FROM is a .pth or .pt file of PyTorch, a safetensors file, or the .index.json of a sharded one.\n' +
    'Names and shapes stay as they are.',
  options: {
    dtype: {
      value: 'TYPE',
      help: `write floating-point numbers as ${floatDTypes.join(', ')}\n(default: as they are)`,
    },
    json: { help: 'say what was written as one line of JSON' },
  },

  async run(given, operands) {
    const [from, to] = operands;
    if (from === undefined || to === undefined || operands.length > 2) {
      throw new UsageError(`convert takes two files, FROM and TO.safetensors, got ${operands.length}`);
    }
    if (!to.endsWith('.safetensors')) {
      throw new UsageError(`convert writes safetensors, so name a file TO.safetensors, got '${to}'`);
    }
    const dtype = choiceOf(given, 'dtype', floatDTypes);
    const entries = await readWeights(from);
    if (dtype) {
      for (const [name, entry] of entries) {
        const converted = await castEntry(entry, dtype);
        if (converted !== entry && hasInfinity(converted) && !hasInfinity(entry)) {
          note(`cudnn-resnet: '${printable(name)}' holds numbers beyond ${dtype}: they became infinite`);
        }
        entries.set(name, converted);
      }
    }
    removeUnfinishedAtTheEnd();
    await writeSafetensors(to, entries);
    await print(report(to, entries, given.json === true));
    return 0;
  },
};

function report(file: string, entries: Map<string, WeightEntry>, json: boolean): string {
  const bytes = [...entries.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const dtypes = [...new Set([...entries.values()].map(({ dtype }) => dtype))];
  return json
    ? `${JSON.stringify({ file, tensors: entries.size, bytes, dtypes })}\n`
    : `${printable(file)}: ${entries.size} tensors, ${(bytes / 1e6).toFixed(1)} MB, ${dtypes.join(', ')}\n`;
}
