import type { Classification, Tensor } from '../index.js';
import { classesOf } from '../models/classification.js';
import { printable } from '../quote.js';
import { expandInputs } from './inputs.js';
import {
  describeModel,
  meaningless,
  modelChoice,
  modelOptions,
  openModel,
  type ReadyModel,
} from './model.js';
import { note, print } from './output.js';
import { runImages } from './run-images.js';
import { type Command, countOf, UsageError } from './usage.js';

export const classify: Command = {
  summary: 'Names what images show: the best classes of each, with their scores',
  operands: 'IMAGE...',
  details:
    'An IMAGE is a file (JPEG, PNG, WebP, AVIF, TIFF, GIF, SVG), a folder that is searched with\n' +
    "all below it, or a quoted pattern such as 'photos/**/*.jpg'. An image that cannot be read is\n" +
    'reported and the rest goes on; the exit code is then 1.',
  options: {
    ...modelOptions,
    top: { value: 'N', help: 'classes that are shown of each image (default 5)' },
    json: { help: 'one line of JSON for each image, and nothing else, on stdout' },
  },

  async run(given, operands) {
    if (operands.length === 0) {
      throw new UsageError('classify: name at least one image, folder or pattern');
    }
    const choice = modelChoice(given);
    const top = countOf(given, 'top', 5);
    const json = given.json === true;
    const inputs = await expandInputs(operands);
    const ready = await openModel(choice);
    if (!json) {
      await print(`${describeModel(ready, choice)}\n`);
    } else if (ready.random) {
      note(meaningless);
    }

    const outcome = await runImages(inputs, ready, choice, async (paths, input) => {
      const predictions = await predict(ready, input, top);
      const format = json ? jsonLine : paragraph;
      return paths.map((path, i) => format(path, predictions[i]!)).join('');
    });
    if (!json && outcome.images > 0) {
      const each = (outcome.milliseconds / outcome.images).toFixed(1);
      const count = outcome.images === 1 ? '1 image' : `${outcome.images} images`;
      const seconds = (outcome.milliseconds / 1000).toFixed(2);
      await print(
        `${count} in ${seconds} s, ${each} ms an image, decoding included; the model took ${ready.seconds.toFixed(2)} s\n`,
      );
    }
    ready.model.dispose();
    return outcome.failures > 0 ? 1 : 0;
  },
};

async function predict({ model }: ReadyModel, input: Tensor, top: number): Promise<Classification[][]> {
  using scores = model.predict(input);
  return await classesOf(scores, Math.min(top, model.fc.outFeatures));
}

function jsonLine(image: string, predictions: Classification[]): string {
  return `${JSON.stringify({ image, predictions })}\n`;
}

function paragraph(image: string, predictions: Classification[]): string {
  const lines = predictions.map(({ label, score }) => `  ${score.toFixed(4)}  ${label}\n`);
  return `${printable(image)}\n${lines.join('')}\n`;
}
