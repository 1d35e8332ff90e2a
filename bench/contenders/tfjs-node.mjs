// Batch norms are folded and activations fused, as far as TensorFlow.js fuses them.
import { createRequire } from 'node:module';
import { readWeights } from 'cudnn-resnet';
import { directory, serve } from './serve.mjs';

const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node');
let weights;

/** A convolution with its batch norm folded in: TensorFlow.js wants HWIO weights. */
function folded(conv, norm) {
  const { shape, data } = weights.get(`${conv}.weight`);
  const value = (key) => weights.get(`${norm}.${key}`).data;
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(value);
  const scale = Float32Array.from(gamma, (g, i) => g / Math.sqrt(variance[i] + 1e-5));
  const perChannel = data.length / shape[0];
  return {
    weight: tf.tidy(() =>
      tf
        .tensor4d(
          data.map((w, i) => w * scale[Math.floor(i / perChannel)]),
          shape,
        )
        .transpose([2, 3, 1, 0]),
    ),
    bias: tf.tensor1d(Float32Array.from(beta, (b, i) => b - mean[i] * scale[i])),
    kernel: shape[2],
  };
}

/** Of what the network consists, in the names of its weights. */
const layers = new Map();
function layer(conv, norm) {
  if (!layers.has(conv)) {
    layers.set(conv, folded(conv, norm));
  }
  return layers.get(conv);
}

function convolve(x, conv, norm, stride, activation) {
  const { weight, bias, kernel } = layer(conv, norm);
  const pad = (kernel - 1) / 2;
  const padding = [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
  return tf.fused.conv2d({ x, filter: weight, strides: stride, pad: padding, bias, activation });
}

function block(x, path, stride) {
  const shortcut = weights.has(`${path}.downsample.0.weight`)
    ? convolve(x, `${path}.downsample.0`, `${path}.downsample.1`, stride, 'linear')
    : x;
  const deep = weights.has(`${path}.conv3.weight`);
  let y = convolve(x, `${path}.conv1`, `${path}.bn1`, deep ? 1 : stride, 'relu');
  y = convolve(y, `${path}.conv2`, `${path}.bn2`, deep ? stride : 1, deep ? 'relu' : 'linear');
  if (deep) {
    y = convolve(y, `${path}.conv3`, `${path}.bn3`, 1, 'linear');
  }
  return tf.relu(tf.add(y, shortcut));
}

function forward(images) {
  let y = convolve(images.transpose([0, 2, 3, 1]), 'conv1', 'bn1', 2, 'relu');
  // all values are at least 0, so that padding by zeros is as good as by -∞
  y = tf.maxPool(
    tf.pad(y, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]),
    3,
    2,
    'valid',
  );
  for (const group of [1, 2, 3, 4]) {
    for (let i = 0; weights.has(`layer${group}.${i}.conv1.weight`); i++) {
      y = block(y, `layer${group}.${i}`, group > 1 && i === 0 ? 2 : 1);
    }
  }
  const { shape, data } = weights.get('fc.weight');
  layers.get('fc') ??
    layers.set('fc', { weight: tf.tensor2d(data, shape), bias: tf.tensor1d(weights.get('fc.bias').data) });
  const { weight, bias } = layers.get('fc');
  return tf.add(tf.matMul(tf.mean(y, [1, 2]), weight, false, true), bias);
}

await serve({
  version: tf.version['tfjs-node'],
  async load() {
    weights = await readWeights(`${directory}/model.safetensors`);
  },
  inference: (images) => async () => {
    const kept = [];
    const logits = tf.tidy(() => {
      const y = forward(tf.tensor4d(images, [images.length / (3 * 224 * 224), 3, 224, 224]));
      for (const made of layers.values()) kept.push(tf.keep(made.weight), tf.keep(made.bias));
      return y;
    });
    const values = await logits.data();
    logits.dispose();
    return values;
  },
});
