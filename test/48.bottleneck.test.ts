import { expect } from 'vitest';
import { Bottleneck as TutorialBottleneck } from '../examples/tutorial-bottleneck.js';
import { BasicBlock, Bottleneck, device, type ErrorCode, ResNet, Tensor } from '../lib/index.js';
import { expectThrows } from './support/errors.js';
import { checkGoldenBlocks } from './support/golden-blocks.js';
import { withModule } from './support/modules.js';
import { check, onEveryDevice } from './support/suite.js';

onEveryDevice('Bottleneck', (id) => {
  checkGoldenBlocks([
    ['bottleneck-downsample', () => new Bottleneck(24, 68, { device: id }), [2, 24, 7, 9]],
    ['bottleneck-identity', () => new Bottleneck(68, 68, { device: id }), [2, 68, 7, 9]],
    ['bottleneck-stride', () => new Bottleneck(40, 64, { stride: 2, device: id }), [3, 40, 9, 5]],
    [
      'bottleneck-groups',
      () => new Bottleneck(32, 64, { stride: 2, groups: 4, width: 32, device: id }),
      [1, 32, 7, 7],
    ],
    ['tutorial', () => new TutorialBottleneck(64, 256).to({ device: id }), [2, 64, 7, 5]],
  ]);

  check('the tutorial’s shapes', () =>
    withModule(new TutorialBottleneck(64, 256).to({ device: id }), (module) => {
      const x = Tensor.randn([1, 64, 56, 56], { seed: 1, device: id });
      expect(module.forward(x).shape).toEqual([1, 256, 56, 56]);
      expect(module.eval().forward(x).shape).toEqual([1, 256, 56, 56]);
    }),
  );

  check('says which of its own options is wrong, before anything is made', () => {
    const before = device(id).memory().tensors;
    const refused: [ErrorCode, number, number, object, RegExp][] = [
      ['ERR_SHAPE', 64, 66, {}, /^Bottleneck: outChannels must be divisible by 4, got 66: .* option width$/],
      ['ERR_SHAPE', 64, 1.5, {}, /^Bottleneck: outChannels .*1\.5/],
      ['ERR_SHAPE', 0, 64, {}, /^Bottleneck: inChannels/],
      ['ERR_SHAPE', 64, 64, { width: 1.5 }, /^Bottleneck: width/],
      ['ERR_SHAPE', 64, 66, { width: 0 }, /^Bottleneck: width/],
      ['ERR_SHAPE', 64, 64, { groups: 3 }, /^Bottleneck: .*width of 16.* 3 groups/],
      ['ERR_ARGUMENT', 64, 64, { groups: 0 }, /^Bottleneck: groups/],
      ['ERR_ARGUMENT', 64, 64, { stride: [2, 1] }, /^Bottleneck: stride/],
    ];
    for (const [code, inChannels, outChannels, options, message] of refused) {
      const make = () => new Bottleneck(inChannels, outChannels, { device: id, ...options });
      expectThrows(code, make, message);
    }
    expect(device(id).memory().tensors).toBe(before);
    new Bottleneck(64, 66, { width: 3, device: id }).dispose();
  });

  check('has as many channels inside as its expansion says, in a ResNet too', () => {
    class Narrow extends Bottleneck {
      static override readonly expansion = 2;
    }
    expect([BasicBlock.expansion, Bottleneck.expansion]).toEqual([1, 4]);
    using block = new Narrow(8, 8, { device: id });
    expect(block.conv2.outChannels).toBe(4);
    const structure = { block: Narrow, layers: [1, 1, 1, 1], numClasses: 3, device: id } as const;
    using model = new ResNet(structure);
    expect(model.fc.inFeatures).toBe(1024);
    expect((model.layer4[0] as Narrow).conv2.outChannels).toBe(512);
  });

  check('has a shortcut of its own where the channels change, the stride does, or it is asked for', () => {
    const state = (block: Bottleneck) => {
      const keys = [...block.stateDict().keys()].filter((key) => key.startsWith('downsample'));
      block.dispose();
      return keys.length;
    };
    expect(state(new Bottleneck(64, 256))).toBe(6);
    expect(state(new Bottleneck(256, 256))).toBe(0);
    expect(state(new Bottleneck(256, 256, { stride: 2 }))).toBe(6);
    expect(state(new Bottleneck(256, 256, { downsample: true }))).toBe(6);
  });
});
