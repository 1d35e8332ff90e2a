import { describe, expect } from 'vitest';
import { Bottleneck as TutorialBottleneck } from '../examples/tutorial-bottleneck.js';
import { BasicBlock, Bottleneck, models, nn, ResNet, ResNet18 } from '../lib/index.js';
import type { DeviceId } from './support/devices.js';
import { goldenJson } from './support/golden.js';
import { withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';

interface Description {
  printed: string;
  state: Record<string, { shape: number[]; dtype: string }>;
}

const golden = goldenJson<Record<string, Description>>('modules.json');

const modules: Record<string, (device: DeviceId) => nn.Module> = {
  ...Object.fromEntries(
    Object.entries(models).map(([name, Network]) => [name, (device) => new Network({ device })]),
  ),
  bottleneck: (device) => new Bottleneck(64, 256, { device }),
  'bottleneck-identity': (device) => new Bottleneck(256, 256, { device }),
  'basic-block': (device) => new BasicBlock(64, 64, { device }),
  'basic-block-stride': (device) => new BasicBlock(64, 128, { stride: 2, device }),
  tutorial: (device) => new TutorialBottleneck(64, 256).to({ device }),
  conv: (device) => new nn.Conv2d(3, 8, 3, { device }),
  'conv-all': (device) =>
    new nn.Conv2d(4, 8, [3, 5], {
      stride: [2, 1],
      padding: [1, 2],
      dilation: [1, 2],
      groups: 2,
      bias: false,
      device,
    }),
  'batch-norm': (device) => new nn.BatchNorm2d(7, { eps: 1e-3, momentum: 0.01, device }),
  linear: (device) => new nn.Linear(17, 5, { bias: false, device }),
  'max-pool': () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  sequential: () =>
    new nn.Sequential(
      new nn.Sequential(),
      new nn.Identity(),
      new nn.ReLU(),
      new nn.AdaptiveAvgPool2d([1, 1]),
    ),
};

onEveryDevice('nn.Module', (id) => {
  describe('prints what PyTorch prints, and has its keys, shapes and dtypes', () => {
    for (const [name, { printed, state }] of Object.entries(golden)) {
      check(name, () =>
        withModule(modules[name]!(id), (module) => {
          expect(String(module)).toBe(printed);
          const found = [...module.stateDict()].map(([key, { shape, dtype }]) => [key, { shape, dtype }]);
          expect(found).toEqual(Object.entries(state));
        }),
      );
    }
  });

  check('prints a network that extends one of ours under its own name', () => {
    class Mine extends ResNet {}
    using mine = new Mine({ block: BasicBlock, layers: [1, 1, 1, 1], device: id });
    using known = new ResNet18({ device: id });
    expect([mine, known].map((net) => String(net).split('\n')[0])).toEqual(['Mine(', 'ResNet(']);
  });

  check('prints numbers as Python does', () => {
    for (const [eps, text] of [
      [0, '0.0'],
      [1e-4, '0.0001'],
      [1.5e-5, '1.5e-05'],
      [1e15, '1000000000000000.0'],
      [1e16, '1e+16'],
    ] as const) {
      using norm = new nn.BatchNorm2d(1, { eps, device: id });
      expect(String(norm)).toContain(`eps=${text}, `);
    }
  });
});
