import { createRequire } from 'node:module';
import ort from 'onnxruntime-node';
import { directory, serve, threads } from './serve.mjs';

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json');
let session;

await serve({
  version,
  async load() {
    session = await ort.InferenceSession.create(`${directory}/model.onnx`, {
      graphOptimizationLevel: 'all',
      executionMode: 'sequential',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    });
  },
  inference: (images) => async () => {
    const x = new ort.Tensor('float32', images, [images.length / (3 * 224 * 224), 3, 224, 224]);
    const { logits } = await session.run({ images: x });
    return logits.data;
  },
});
