"""ResNet-50 of this package against torchvision's in float64 on the same GPU, in every dtype, with random weights.

    python3 scripts/gpu/parity.py REPORT.json

Runs in the package's folder, built. Writes the relative errors to REPORT.json; exits 1 where one is too large.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile

import torch
import torchvision

LIMITS = {"float32": 1e-4, "tf32": 5e-3, "float16": 5e-3, "bfloat16": 3e-2}
BATCH = 4

SCRIPT = """
import { readFileSync, writeFileSync } from 'node:fs';
import { ResNet50, Tensor } from './dist/index.js';
const [weights, input, output, math] = process.argv.slice(1);
const dtype = math === 'tf32' ? 'float32' : math;
const bytes = readFileSync(input);
const pixels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const model = await ResNet50.load(weights, { device: 'cuda', dtype, tf32: math === 'tf32' });
const started = performance.now();
const x = Tensor.from(pixels, [pixels.length / (3 * 224 * 224), 3, 224, 224], { device: 'cuda' }).to({ dtype });
const logits = await model.forward(x).to({ dtype: 'float32' }).data();
console.log(`first forward in ${(performance.now() - started).toFixed(0)} ms`);
writeFileSync(output, logits);
"""


def network():
    """torchvision's ResNet-50 with batch norms that do something, and logits that differ."""
    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None).double().eval()
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            shape = module.weight.shape
            module.weight.data = torch.rand(shape, generator=generator, dtype=torch.float64) * 0.5 + 0.5
            module.bias.data = torch.randn(shape, generator=generator, dtype=torch.float64) * 0.1
            module.running_mean.data = torch.randn(shape, generator=generator, dtype=torch.float64) * 0.1
            module.running_var.data = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
    return model


def save(state, path):
    """A safetensors file in float32, without the package that writes such files."""
    header, data = {}, []
    offset = 0
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            raw, dtype = tensor.to(torch.int64).numpy().tobytes(), "I64"
        else:
            raw, dtype = tensor.to(torch.float32).contiguous().numpy().tobytes(), "F32"
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        data.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def main(report):
    model = network()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(BATCH, 3, 224, 224, generator=generator)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        weights, pixels, logits = (os.path.join(folder, name) for name in ("w.safetensors", "x.bin", "y.bin"))
        save(model.state_dict(), weights)
        x.numpy().tofile(pixels)
        # The weights as the file holds them: rounding them is no error of the package's.
        reference = model.float().double().cuda()(x.double().cuda()).cpu()

        results = []
        for name, limit in LIMITS.items():
            run = subprocess.run(
                ["node", "--input-type=module", "-e", SCRIPT, weights, pixels, logits, name],
                capture_output=True, text=True, check=False)
            if run.returncode != 0:
                print(run.stdout + run.stderr)
                results.append({"dtype": name, "passed": False, "problem": run.stderr.strip()[-500:]})
                continue
            with open(logits, "rb") as file:
                y = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(BATCH, -1).double()
            error = ((y - reference).norm() / reference.norm()).item()
            same = bool((y.argmax(1) == reference.argmax(1)).all())
            passed = error <= limit and same
            results.append({"dtype": name, "error": error, "limit": limit, "top1Equal": same, "passed": passed,
                            "note": run.stdout.strip()})
            print(f"{name}: relative error {error:.2e} (limit {limit:.0e}), top-1 {'equal' if same else 'DIFFERS'}, "
                  f"{run.stdout.strip()}")
    with open(report, "w") as file:
        json.dump({"torch": torch.__version__, "results": results}, file, indent=2)
    failed = [result["dtype"] for result in results if not result["passed"]]
    print("too far from PyTorch: " + ", ".join(failed) if failed else "every dtype agrees with PyTorch's float64")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
