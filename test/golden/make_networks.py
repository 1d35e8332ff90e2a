"""blocks.safetensors and networks.safetensors: outputs in float64 of modules whose weights generator.py gives."""
import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from blocks import TutorialBottleneck
from generator import images, parameter
from make_modules import downsample
from torchvision_models import resnet

BLOCKS = {
    "bottleneck-downsample": (lambda: resnet.Bottleneck(24, 17, downsample=downsample(24, 68, 1)), [2, 24, 7, 9]),
    "bottleneck-identity": (lambda: resnet.Bottleneck(68, 17), [2, 68, 7, 9]),
    "bottleneck-stride": (lambda: resnet.Bottleneck(40, 16, 2, downsample(40, 64, 2)), [3, 40, 9, 5]),
    "bottleneck-groups": (
        lambda: resnet.Bottleneck(32, 16, 2, downsample(32, 64, 2), groups=4, base_width=32), [1, 32, 7, 7]),
    "basic-identity": (lambda: resnet.BasicBlock(17, 17), [2, 17, 5, 9]),
    "basic-downsample": (lambda: resnet.BasicBlock(17, 34, 2, downsample(17, 34, 2)), [3, 17, 7, 5]),
    "tutorial": (lambda: TutorialBottleneck(64, 256), [2, 64, 7, 5]),
}
NETWORKS = {"resnet18": resnet.resnet18, "resnet50": resnet.resnet50, "resnet101": resnet.resnet101}
INPUTS = [(1, 224), (3, 192), (1, 257)]


def with_parameters(module, prefix):
    state = {key: torch.from_numpy(parameter(f"{prefix}.{key}", list(value.shape)))
             for key, value in module.state_dict().items()}
    module.load_state_dict(state)
    return module.double()


def batch(key, shape):
    return torch.from_numpy(images(key, shape)).double()


def statistics(module):
    """Running means and variances, each concatenated over the batch norms in order."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    return {"running_mean": torch.cat([m.running_mean for m in norms]),
            "running_var": torch.cat([m.running_var for m in norms])}


def train_twice(module, name, shape):
    """Evaluation, two steps in training mode, and evaluation again with the statistics those left behind."""
    x1, x2 = batch(f"{name}.x1", shape), batch(f"{name}.x2", shape)
    outputs = {f"{name}.eval": module.eval()(x1)}
    module.train()
    outputs[f"{name}.train1"] = module(x1)
    outputs[f"{name}.train2"] = module(x2)
    outputs |= {f"{name}.{key}": value for key, value in statistics(module).items()}
    outputs[f"{name}.eval2"] = module.eval()(x1)
    return outputs


def save(outputs, path):
    save_file({key: np.ascontiguousarray(value.numpy().astype(np.float32)) for key, value in outputs.items()}, path)


@torch.no_grad()
def make(blocks_path, networks_path):
    outputs = {}
    for name, (new, shape) in BLOCKS.items():
        outputs |= train_twice(with_parameters(new(), name), name, shape)
    save(outputs, blocks_path)

    outputs = {}
    for name, new in NETWORKS.items():
        network = with_parameters(new(), name).eval()
        for count, size in INPUTS:
            features = []
            hook = network.avgpool.register_forward_hook(lambda _, __, y: features.append(y.flatten(1)))
            x = batch(f"{count}x{size}", [count, 3, size, size])
            outputs[f"{name}.logits.{count}x{size}"] = network(x)
            outputs[f"{name}.features.{count}x{size}"] = features[0]
            hook.remove()
    outputs |= train_twice(with_parameters(resnet.resnet18(), "resnet18"), "resnet18-training", [3, 3, 96, 96])
    save(outputs, networks_path)
