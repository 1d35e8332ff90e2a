import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { models, type PretrainedModel, type ResNet, saveWeights, Tensor } from 'cudnn-resnet';
import { OnnxGraph } from './onnx.js';

/**
 * Makes what model/export.py makes, where there is no PyTorch: the reference is then what this package computes, so that
 * contenders are held against it and it against them.
 */
export async function makeModel(name: PretrainedModel, images: number, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const model = new models[name]({ device: 'cpu' });
  for (const [seed, [key, { shape }]] of [...model.stateDict()].entries()) {
    const least = /(bn\d|downsample\.1)\.weight$/.test(key) || key.endsWith('running_var') ? 0.5 : undefined;
    if (least !== undefined) {
      using random = Tensor.rand(shape, { seed, device: 'cpu' });
      using values = Tensor.from(
        (await random.data()).map((u) => least + u),
        shape,
        { device: 'cpu' },
      );
      model.loadStateDict({ [key]: values }, { strict: false });
    }
  }
  await saveWeights(join(directory, 'model.safetensors'), model.stateDict());

  using x = Tensor.randn([images, 3, 224, 224], { seed: 1, device: 'cpu' });
  await writeFile(join(directory, 'images.bin'), new Uint8Array((await x.data()).buffer));
  using logits = model.forward(x);
  const exact = Float64Array.from((await logits.data()) as Float32Array);
  await writeFile(join(directory, 'logits.bin'), new Uint8Array(exact.buffer));

  const layers = await foldedLayers(model);
  await writeFile(
    join(directory, 'folded.bin'),
    Buffer.concat(layers.flatMap(({ weight, bias }) => [bytes(weight), bytes(bias)])),
  );
  await writeFile(join(directory, 'model.onnx'), onnx(layers));
  await writeFile(join(directory, 'model.json'), `${JSON.stringify({ model: name, classes: 1000 })}\n`);
  model.dispose();
}

/** A convolution with the batch norm after it folded in, or the linear layer. */
interface Layer {
  name: string;
  shape: readonly number[];
  weight: Float32Array;
  bias: Float32Array;
}

/** In the order in which the network is printed. */
async function foldedLayers(model: ResNet): Promise<Layer[]> {
  const layers: Layer[] = [];
  const values = new Map<string, Float32Array>();
  for (const [key, tensor] of model.stateDict()) {
    values.set(key, (await tensor.data()) as Float32Array);
  }
  for (const [key, { shape }] of model.stateDict()) {
    const name = key.replace(/\.weight$/, '');
    const weight = values.get(key)!;
    if (name === 'fc') {
      layers.push({ name, shape, weight, bias: values.get('fc.bias')! });
    } else if (shape.length === 4) {
      const norm = name.replace(/conv(\d)$/, 'bn$1').replace(/downsample\.0$/, 'downsample.1');
      const of = (what: string) => values.get(`${norm}.${what}`)!;
      const [mean, beta] = [of('running_mean'), of('bias')];
      const scale = of('weight').map((gamma, i) => gamma / Math.sqrt(of('running_var')[i]! + 1e-5));
      const each = weight.length / shape[0]!;
      layers.push({
        name,
        shape,
        weight: weight.map((w, i) => w * scale[Math.floor(i / each)]!),
        bias: beta.map((b, i) => b - mean[i]! * scale[i]!),
      });
    }
  }
  return layers;
}

function onnx(layers: readonly Layer[]): Buffer {
  const graph = new OnnxGraph();
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const parameters = ({ name, shape, weight, bias }: Layer) => [
    graph.weight(`${name}.weight`, shape, weight),
    graph.weight(`${name}.bias`, [shape[0]!], bias),
  ];
  const convolve = (x: string, name: string, stride: number) => {
    const layer = byName.get(name)!;
    const [, , kernel] = layer.shape as [number, number, number];
    const pad = (kernel - 1) / 2;
    return graph.node('Conv', name, [x, ...parameters(layer)], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
  };
  const relu = (x: string) => graph.node('Relu', `${x}.relu`, [x]);

  let x = relu(convolve('images', 'conv1', 2));
  x = graph.node('MaxPool', 'maxpool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  for (const group of [1, 2, 3, 4]) {
    for (let block = 0; byName.has(`layer${group}.${block}.conv1`); block++) {
      const path = `layer${group}.${block}`;
      const stride = group > 1 && block === 0 ? 2 : 1;
      const deep = byName.has(`${path}.conv3`);
      let y = relu(convolve(x, `${path}.conv1`, deep ? 1 : stride));
      y = convolve(y, `${path}.conv2`, deep ? stride : 1);
      y = deep ? convolve(relu(y), `${path}.conv3`, 1) : y;
      const shortcut = byName.has(`${path}.downsample.0`) ? convolve(x, `${path}.downsample.0`, stride) : x;
      x = relu(graph.node('Add', `${path}.add`, [y, shortcut]));
    }
  }
  x = graph.node('Flatten', 'flatten', [graph.node('GlobalAveragePool', 'avgpool', [x])]);
  graph.node('Gemm', 'logits', [x, ...parameters(byName.get('fc')!)], { transB: 1 });
  return graph.model(
    { name: 'images', shape: ['batch', 3, 224, 224] },
    { name: 'logits', shape: ['batch', 1000] },
  );
}

function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
