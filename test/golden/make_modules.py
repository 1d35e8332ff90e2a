"""modules.json: what print(module) gives, and the keys, shapes and dtypes of the state dict."""
import json
import re

from torch import nn

from blocks import TutorialBottleneck
from torchvision_models import resnet


def downsample(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


MODULES = {
    "resnet18": lambda: resnet.resnet18(),
    "resnet34": lambda: resnet.resnet34(),
    "resnet50": lambda: resnet.resnet50(),
    "resnet101": lambda: resnet.resnet101(),
    "resnet152": lambda: resnet.resnet152(),
    "bottleneck": lambda: resnet.Bottleneck(64, 64, downsample=downsample(64, 256, 1)),
    "bottleneck-identity": lambda: resnet.Bottleneck(256, 64),
    "basic-block": lambda: resnet.BasicBlock(64, 64),
    "basic-block-stride": lambda: resnet.BasicBlock(64, 128, 2, downsample(64, 128, 2)),
    "tutorial": lambda: TutorialBottleneck(64, 256),
    "conv": lambda: nn.Conv2d(3, 8, 3),
    "conv-all": lambda: nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False),
    "batch-norm": lambda: nn.BatchNorm2d(7, eps=1e-3, momentum=0.01),
    "linear": lambda: nn.Linear(17, 5, bias=False),
    "max-pool": lambda: nn.MaxPool2d(3, 2, 1),
    "sequential": lambda: nn.Sequential(nn.Sequential(), nn.Identity(), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1))),
}


def printed(module):
    """Without the field that newer releases print for batch norms."""
    return re.sub(r"(BatchNorm2d\(.*?affine=True), bias=True", r"\1", str(module))


def describe(module):
    state = {
        key: {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        for key, value in module.state_dict().items()
    }
    return {"printed": printed(module), "state": state}


def make(path):
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(describe(new()))}" for name, new in MODULES.items())
    path.write_text(f"{{\n{lines}\n}}\n")
