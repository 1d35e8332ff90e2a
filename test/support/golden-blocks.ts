import type { nn } from '../../lib/index.js';
import { goldenTensors } from './golden.js';
import { loadGenerated, withModule } from './modules.js';
import { check } from './suite.js';
import { expectGoldenTraining } from './training.js';

const golden = goldenTensors('blocks.safetensors');

type Block = [name: string, make: () => nn.Module, shape: [number, number, number, number]];

/** Declares for each of these blocks of test/golden/make_networks.py that it computes what PyTorch does. */
export function checkGoldenBlocks(blocks: Block[]): void {
  for (const [name, make, shape] of blocks) {
    check(`${name}: eval, two steps of training, eval again`, () =>
      withModule(make(), async (module) => {
        loadGenerated(module, name);
        await expectGoldenTraining(module, name, shape, golden);
      }),
    );
  }
}
