"""ResNet-50 of this package against PyTorch's in float64 on the same device, in every dtype, with random weights.

    python3 scripts/gpu/parity.py cuda|cpu REPORT.json

Runs in the package's folder, built. Needs torch, not torchvision. Writes the relative errors to REPORT.json; exits 1 where
one is too large.
"""

import json
import os
import subprocess
import sys
import tempfile

import torch
from torch import nn

LIMITS = {"float32": 1e-4, "tf32": 5e-3, "float16": 5e-3, "bfloat16": 3e-2}
BATCH = 4


class Bottleneck(nn.Module):
    """torchvision's: the 3x3 convolution carries the stride."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + shortcut).relu()


class ResNet50(nn.Module):
    """With torchvision's names, so that its state dict is one of torchvision's."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for group, (width, blocks, stride) in enumerate([(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)], 1):
            layers = []
            for block in range(blocks):
                layers.append(Bottleneck(channels, width, stride if block == 0 else 1))
                channels = 4 * width
            setattr(self, f"layer{group}", nn.Sequential(*layers))
        self.fc = nn.Linear(2048, 1000)

    def features(self, x):
        y = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(y)))).mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


SCRIPT = """
import { writeFileSync } from 'node:fs';
import { readWeights, ResNet50, Tensor } from './dist/index.js';
const [device, weights, images, output, math] = process.argv.slice(1);
const dtype = math === 'tf32' ? 'float32' : math;
const { data, shape } = (await readWeights(images)).get('x');
const model = await ResNet50.load(weights, { device, dtype, tf32: math === 'tf32' });
const started = performance.now();
const x = Tensor.from(data, shape, { device }).to({ dtype });
const logits = await model.forward(x).to({ dtype: 'float32' }).data();
console.log(`first forward in ${(performance.now() - started).toFixed(0)} ms`);
writeFileSync(output, logits);
"""


def images(count, seed):
    """Coarse patterns with noise on them, each with a contrast and a brightness of its own."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 7, 7, generator=generator)
    pattern = nn.functional.interpolate(coarse, size=(224, 224), mode="bilinear")
    noise = torch.randn(count, 3, 224, 224, generator=generator)
    contrast, brightness = torch.rand(2, count, 1, 1, 1, generator=generator)
    return (0.3 + contrast) * (pattern + 0.5 * noise) + 2 * brightness - 1


def network(x):
    """A ResNet-50 with every channel normalised, as training leaves one, that takes each image of x for a class of its own:
    a random network gives all images nearly the same logits, and the same best class whatever it gets wrong."""
    torch.manual_seed(0)
    model = ResNet50().double()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model(images(8, seed=3).double())  # moves the running statistics
    model.eval()
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            shape = module.weight.shape
            module.weight.data = torch.rand(shape, generator=generator, dtype=torch.float64) * 0.5 + 0.5
            module.bias.data = torch.randn(shape, generator=generator, dtype=torch.float64) * 0.1
    features = model.features(x.double())
    own = features - features.mean(0)
    others = model.fc(features)[:, len(x):].max()
    model.fc.weight.data[: len(x)] = own / own.norm(dim=1, keepdim=True) ** 2
    model.fc.bias.data[: len(x)] = others - model.fc.weight[: len(x)] @ features.mean(0)
    return model


def main(device, report):
    x = images(BATCH, seed=2)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        weights, pixels, logits = (os.path.join(folder, name) for name in ("w.pth", "x.pth", "y.bin"))
        model = network(x)
        model.float()  # the weights as the file holds them: rounding them is no error of the package's
        torch.save(model.state_dict(), weights)
        torch.save({"x": x}, pixels)
        reference = model.double().to(device)(x.double().to(device)).cpu()

        results = []
        for name, limit in LIMITS.items():
            run = subprocess.run(
                ["node", "--input-type=module", "-e", SCRIPT, device, weights, pixels, logits, name],
                capture_output=True, text=True, check=False)
            if run.returncode != 0:
                print(run.stdout + run.stderr)
                results.append({"dtype": name, "passed": False, "problem": run.stderr.strip()[-500:]})
            else:
                with open(logits, "rb") as file:
                    y = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(BATCH, -1).double()
                error = ((y - reference).norm() / reference.norm()).item()
                same = y.argmax(1).tolist() == reference.argmax(1).tolist() == list(range(BATCH))
                passed = error <= limit and same
                results.append({"dtype": name, "error": error, "limit": limit, "top1Equal": same, "passed": passed,
                                "note": run.stdout.strip()})
                print(f"{name}: relative error {error:.2e} (limit {limit:.0e}), "
                      f"top-1 {'equal' if same else 'DIFFERS'}, {run.stdout.strip()}")
            with open(report, "w") as file:  # after each, for the next may not come to its end
                json.dump({"torch": torch.__version__, "results": results}, file, indent=2)
    failed = [result["dtype"] for result in results if not result["passed"]]
    print("too far from PyTorch: " + ", ".join(failed) if failed else "every dtype agrees with PyTorch's float64")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
