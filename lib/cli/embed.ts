import type { Tensor } from '../index.js';
import { printable } from '../quote.js';
import { expandInputs } from './inputs.js';
import { modelChoice, modelOptions, openModel, type ReadyModel } from './model.js';
import { NpyFile } from './npy-file.js';
import { goOnUnread, note } from './output.js';
import { runImages } from './run-images.js';
import { type Command, textOf, UsageError } from './usage.js';

export const embed: Command = {
  summary: 'Gives the vector that the network makes of each image, before its last layer',
  operands: 'IMAGE...',
  details:
    'Each image yields 2048 numbers (512 with resnet18 and resnet34), which lie close for images\n' +
    'that look alike. They are written as lines of JSON to stdout, or with --output as the float32\n' +
    'rows of a NumPy file; stdout then names the image of each row. IMAGE is as in classify.',
  options: {
    output: { short: 'o', value: 'FILE.npy', help: "write NumPy's format to this file" },
    ...modelOptions,
    json: { help: 'lines of JSON on stdout, with --output too' },
  },

  async run(given, operands) {
    if (operands.length === 0) {
      throw new UsageError('embed: name at least one image, folder or pattern');
    }
    const choice = modelChoice(given);
    const output = textOf(given, 'output');
    if (output !== undefined && !output.endsWith('.npy')) {
      throw new UsageError(`embed: --output writes NumPy's format, so name a file FILE.npy, got '${output}'`);
    }
    if (output !== undefined) goOnUnread();
    const inputs = await expandInputs(operands);
    await using file = output === undefined ? undefined : await NpyFile.create(output);
    const ready = await openModel(choice);
    if (ready.random) {
      note('The weights are random: the vectors mean nothing.');
    }

    const outcome = await runImages(inputs, ready, choice, async (paths, input) => {
      const { data, width } = await features(ready, input);
      const firstRow = file ? await file.append(data, width) : 0;
      const lines = paths.map((image, i) => {
        if (file) {
          return given.json ? JSON.stringify({ row: firstRow + i, image }) : printable(image);
        }
        const embedding = Array.from(data.subarray(i * width, (i + 1) * width));
        return JSON.stringify({ image, embedding });
      });
      return `${lines.join('\n')}\n`;
    });
    if (outcome.images > 0) {
      await file?.finish();
    }
    ready.model.dispose();
    return outcome.failures > 0 ? 1 : 0;
  },
};

async function features(
  { model }: ReadyModel,
  input: Tensor,
): Promise<{ data: Float32Array; width: number }> {
  using vectors = model.features(input);
  using exact = vectors.to({ dtype: 'float32' });
  return { data: await exact.data(), width: exact.shape[1]! };
}
