import type { Activation } from '../ops.js';
import { fileText, UsageError } from './usage.js';

/** One convolution of a file of layers. */
export interface Layer {
  /** Of one image: channels, height, width. */
  x: [number, number, number];
  weight: [number, number, number, number];
  bias: boolean;
  add: boolean;
  options: {
    stride: number;
    padding: number;
    dilation: number;
    groups: number;
    activation?: Activation;
  };
}

const numbers = { s: 'stride', p: 'padding', d: 'dilation', g: 'groups' } as const;
const activations = Object.keys({
  relu: 0,
  relu6: 0,
  sigmoid: 0,
  tanh: 0,
  gelu: 0,
  swish: 0,
} satisfies Record<Activation, 0>);

/**
 * A line per convolution, such as `64x56x56 128x3x3 s2 p1 d1 g1 bias add relu`: the input as C×H×W, the weight as K×R×S;
 * what is absent is s1 p0 d1 g1. Empty lines and those that begin with # are left out. @throws {@link UsageError}
 */
export async function readLayers(file: string): Promise<Layer[]> {
  const text = await fileText('layers', file);
  const lines = text.split('\n').map((line, i) => ({ words: line.trim(), place: `${file}:${i + 1}` }));
  const layers = lines.filter(({ words }) => words !== '' && !words.startsWith('#'));
  if (layers.length === 0) {
    throw new UsageError(`--layers: '${file}' has no layers, such as '64x56x56 128x3x3 s2 p1 bias relu'`);
  }
  return layers.map(({ words, place }) => parse(words.split(/\s+/), place));
}

/** The shape of the result for one image. */
export function outputOf({ x: [, height, width], weight: [out, , ...kernel], options }: Layer): number[] {
  const { stride, padding, dilation } = options;
  const side = (extent: number, k: number) =>
    Math.floor((extent + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
  return [out, side(height, kernel[0]), side(width, kernel[1])];
}

function parse([x = '', weight = '', ...words]: string[], place: string): Layer {
  const [c, h, w] = extents(x, place);
  const [k, r, s] = extents(weight, place);
  const options: Layer['options'] = { stride: 1, padding: 0, dilation: 1, groups: 1 };
  const layer: Layer = { x: [c, h, w], weight: [k, c, r, s], bias: false, add: false, options };
  for (const word of words) {
    const [, letter, digits] = /^(p|[sdg](?!0))(\d+)$/.exec(word) ?? [];
    if (letter !== undefined) {
      layer.options[numbers[letter as keyof typeof numbers]] = Number(digits);
    } else if (word === 'bias' || word === 'add') {
      layer[word] = true;
    } else if (activations.includes(word)) {
      layer.options.activation = word as Activation;
    } else {
      throw new UsageError(
        `${place}: what is '${word}'? Known are sN dN gN from 1, pN, bias, add, ${activations.join(', ')}`,
      );
    }
  }
  layer.weight[1] = c / options.groups;
  if (!Number.isInteger(layer.weight[1]) || k % options.groups !== 0) {
    throw new UsageError(`${place}: ${c} and ${k} channels do not divide into ${options.groups} groups`);
  }
  if (Math.min(...outputOf(layer)) < 1) {
    throw new UsageError(`${place}: the kernel ${r}x${s} is larger than the padded input ${h}x${w}`);
  }
  return layer;
}

function extents(text: string, place: string): [number, number, number] {
  const parts = /^([1-9]\d*)x([1-9]\d*)x([1-9]\d*)$/.exec(text);
  if (!parts) {
    throw new UsageError(`${place}: '${text}' is not of the form 64x56x56, of numbers from 1`);
  }
  return [Number(parts[1]), Number(parts[2]), Number(parts[3])];
}
