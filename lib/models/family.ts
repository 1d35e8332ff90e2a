import { checkOptions } from '../options.js';
import type { PretrainedModel } from '../weights/pretrained.js';
import { ResNet, type ResNetOptions, resNetOptionNames } from './resnet.js';
import { family, type ResNetStructure } from './structure.js';

/** 11.7 million parameters, 69.8 % top-1 on ImageNet with torchvision's weights. */
export class ResNet18 extends ResNet {
  constructor(options: ResNetOptions = {}) {
    super(member('ResNet18', options));
  }
}

/** 21.8 million parameters, 73.3 % top-1. */
export class ResNet34 extends ResNet {
  constructor(options: ResNetOptions = {}) {
    super(member('ResNet34', options));
  }
}

/** 25.6 million parameters, 76.1 % top-1 (V2 weights: 80.9 %). */
export class ResNet50 extends ResNet {
  constructor(options: ResNetOptions = {}) {
    super(member('ResNet50', options));
  }
}

/** 44.5 million parameters, 77.4 % top-1 (V2 weights: 81.9 %). */
export class ResNet101 extends ResNet {
  constructor(options: ResNetOptions = {}) {
    super(member('ResNet101', options));
  }
}

/** 60.2 million parameters, 78.3 % top-1 (V2 weights: 82.3 %). */
export class ResNet152 extends ResNet {
  constructor(options: ResNetOptions = {}) {
    super(member('ResNet152', options));
  }
}

/** The family by torchvision's names, those that `pretrainedWeights` takes: `new models[name]()`. */
export const models = {
  /** {@link ResNet18}. */
  resnet18: ResNet18,
  /** {@link ResNet34}. */
  resnet34: ResNet34,
  /** {@link ResNet50}. */
  resnet50: ResNet50,
  /** {@link ResNet101}. */
  resnet101: ResNet101,
  /** {@link ResNet152}. */
  resnet152: ResNet152,
} as const satisfies Record<PretrainedModel, unknown>;

/** The options of a member of the family, with its structure. */
function member(name: keyof typeof family, options: ResNetOptions): ResNetOptions & ResNetStructure {
  checkOptions(name, options, resNetOptionNames);
  return { ...options, ...family[name] };
}
