import { ResNet18 } from '../lib/index.js';
import { goldenTensors } from './support/golden.js';
import { loadGenerated, withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';
import { expectGoldenTraining } from './support/training.js';

const golden = goldenTensors('networks.safetensors');

onEveryDevice('ResNet in training mode', (id) => {
  check('resnet18: eval, two steps, running statistics, eval again', () =>
    withModule(new ResNet18({ device: id }), async (network) => {
      loadGenerated(network, 'resnet18');
      await expectGoldenTraining(network, 'resnet18-training', [3, 3, 96, 96], golden);
    }),
  );
});
