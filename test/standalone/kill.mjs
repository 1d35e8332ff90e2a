// Works until it is killed, on a folder that is the first argument: downloads files from the address that is the second
// into `cache`, writes and reads weights in `weights`, and computes. With "once" as the third it does each once and ends;
// with "midway" it kills itself while it writes weights.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ResNet18, readWeights, saveWeights, Tensor } from '../../dist/index.js';
import { download } from '../../lib/weights/download.ts';

const [, , folder, address, mode] = process.argv;
const model = new ResNet18({ device: 'cpu', numClasses: 10 });
const x = Tensor.zeros([1, 3, 32, 32], { device: 'cpu' });
const files = JSON.parse(await (await fetch(`${address}/list`)).text());
const weights = join(folder, 'weights.safetensors');

async function downloads() {
  for (const { name, digest } of files) {
    const path = join(folder, 'cache', name);
    await download({ url: `${address}/${name}`, path, digest: digest.slice(0, 8), stallTimeout: 10_000 });
    const found = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    if (found !== digest) throw new Error(`${name} has the digest ${found}`);
  }
}

async function saving() {
  await saveWeights(weights, model.stateDict());
  if ((await readWeights(weights)).size !== 122) throw new Error('another number of tensors');
}

async function forwards() {
  const y = model.forward(x);
  await y.data();
  y.dispose();
}

const work = [downloads, saving, forwards];
if (mode === 'once') {
  for (const each of work) await each();
} else if (mode === 'midway') {
  saving();
  while (!(await readdir(folder)).some((name) => name.endsWith('.tmp')));
  process.kill(process.pid, 'SIGKILL');
} else {
  process.stdout.write('ready\n');
  await Promise.all(
    work.map(async (each) => {
      for (;;) await each();
    }),
  );
}
