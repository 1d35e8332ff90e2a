/** As much of ONNX, and of the protocol buffers that it is written in, as a ResNet takes. */

type Field = [number: number, value: Buffer | string | number | bigint];

/** A message of protocol buffers: whole numbers as varints, the rest with its length in front. */
function message(...fields: Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'number' || typeof value === 'bigint') {
        return [varint(8 * number), varint(value)];
      }
      const bytes = Buffer.from(value as string);
      return [varint(8 * number + 2), varint(bytes.length), bytes];
    }),
  );
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

const [float32, int, ints] = [1, 2, 7];

/** A graph that is written node by node. */
export class OnnxGraph {
  readonly #nodes: Buffer[] = [];
  readonly #initializers: Buffer[] = [];

  /** A weight; gives its name. */
  weight(name: string, shape: readonly number[], data: Float32Array): string {
    const dims = shape.map((extent): Field => [1, extent]);
    const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.push(message(...dims, [2, float32], [8, name], [9, raw]));
    return name;
  }

  /** An operation; gives its output's name, which is also its own. */
  node(
    operation: string,
    output: string,
    inputs: readonly string[],
    attributes: Record<string, number | readonly number[]> = {},
  ): string {
    const written = Object.entries(attributes).map(([name, value]): Field => {
      const fields: Field[] =
        typeof value === 'number'
          ? [
              [3, value],
              [20, int],
            ]
          : [...value.map((element): Field => [8, element]), [20, ints]];
      return [5, message([1, name], ...fields)];
    });
    const names = inputs.map((input): Field => [1, input]);
    this.#nodes.push(message(...names, [2, output], [3, output], [4, operation], ...written));
    return output;
  }

  /** The model, of one input and one output; an extent may be a name. */
  model(input: OnnxValue, output: OnnxValue): Buffer {
    const graph = message(
      ...this.#nodes.map((node): Field => [1, node]),
      [2, 'resnet'],
      ...this.#initializers.map((initializer): Field => [5, initializer]),
      [11, valueInfo(input)],
      [12, valueInfo(output)],
    );
    return message([1, 8], [2, 'cudnn-resnet-bench'], [7, graph], [8, message([1, ''], [2, 17])]);
  }
}

interface OnnxValue {
  name: string;
  shape: readonly (number | string)[];
}

function valueInfo({ name, shape }: OnnxValue): Buffer {
  const dims = shape.map((extent): Field => [1, message([typeof extent === 'number' ? 1 : 2, extent])]);
  return message([1, name], [2, message([1, message([1, float32], [2, message(...dims)])])]);
}
