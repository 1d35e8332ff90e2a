// Latency and throughput of a forward pass, host to host: `npm run bench`, or `npm run bench -- resnet18 bfloat16`.
import { type DType, devices, ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 } from 'cudnn-resnet';

const models = {
  resnet18: ResNet18,
  resnet34: ResNet34,
  resnet50: ResNet50,
  resnet101: ResNet101,
  resnet152: ResNet152,
};
const [name = 'resnet50', dtype = 'float32'] = process.argv.slice(2);
const Model = models[name as keyof typeof models];

/** Long enough for a stable median on a busy machine. */
const secondsPerBatch = 10;

function quantile(sorted: number[], q: number): string {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!.toFixed(1);
}

for (const { id, engine } of devices()) {
  using model = new Model({ device: id, dtype: dtype as DType });
  console.log(`${name} ${dtype} on ${id} (${engine}), milliseconds`);
  console.log('batch   median      p95      p99   images/s');
  for (const batch of [1, 8, 32]) {
    const input = Float32Array.from({ length: batch * 3 * 224 * 224 }, Math.random);
    const times: number[] = [];
    const measure = async () => {
      const begin = performance.now();
      using logits = model.forward(input);
      await logits.data();
      return performance.now() - begin;
    };
    for (let warmUp = 0; warmUp < 3; warmUp++) await measure();
    for (let total = 0; total < secondsPerBatch * 1000; total += times.at(-1)!) times.push(await measure());
    times.sort((a, b) => a - b);
    const [median, p95, p99] = [0.5, 0.95, 0.99].map((q) => quantile(times, q).padStart(8));
    const throughput = ((1000 * batch) / Number(median)).toFixed(1);
    console.log(`${String(batch).padStart(5)} ${median} ${p95} ${p99} ${throughput.padStart(10)}`);
  }
}
