"""Writes the files beside it with real PyTorch and real safetensors, and expected.json with what is in them.

    python make.py        # needs torch, numpy, safetensors
"""

import json
import math
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

here = Path(__file__).parent
expected = {}

names = {
    torch.float64: "float64",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


def stored(tensor):
    """dtype, shape and the elements in C order; 16-bit floats as their bit patterns, int64 as text."""
    tensor = tensor.detach()
    flat = tensor.contiguous().reshape(-1)
    if tensor.dtype in (torch.float16, torch.bfloat16):
        flat = flat.view(torch.int16).to(torch.int32) & 0xFFFF
    if tensor.dtype == torch.bool:
        flat = flat.to(torch.uint8)
    data = flat.tolist()
    if tensor.dtype == torch.int64:
        data = [str(x) for x in data]
    if tensor.dtype in (torch.float32, torch.float64):
        data = [x if math.isfinite(x) else str(x) for x in data]
    return {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data": data}


def expect(file, tensors):
    expected[file] = {name: stored(tensor) for name, tensor in tensors.items()}


def save(file, content, tensors, **options):
    torch.save(content, here / file, **options)
    expect(file, tensors)


generator = torch.Generator().manual_seed(7)
rand = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731

dtypes = OrderedDict(
    f64=torch.tensor([0.1, -1e300, math.inf], dtype=torch.float64),
    f32=torch.tensor([[0.5, -2.25], [math.inf, -math.inf]]),
    f16=torch.tensor([1.5, -65504.0, 6e-8], dtype=torch.float16),
    bf16=torch.tensor([1.5, -3e38, 1e-40], dtype=torch.bfloat16),
    i64=torch.tensor([-(2**63), 2**63 - 1, 5]),
    i32=torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
    i16=torch.tensor([-(2**15), 2**15 - 1, 3], dtype=torch.int16),
    i8=torch.tensor([-128, 127, 1], dtype=torch.int8),
    u8=torch.tensor([0, 255, 7], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
    scalar=torch.tensor(42),
    empty=torch.zeros(2, 0, 3),
)
dtypes["a name with ünïcode, \"quotes\" and \\"] = torch.tensor([1.0])
save("dtypes.pth", dtypes, dtypes)
save_file(dict(dtypes), here / "dtypes.safetensors", metadata={"format": "pt", "note": "all dtypes"})
expect("dtypes.safetensors", dtypes)

# Views: slices and transposes of one storage, tied tensors, channels-last, an expanded scalar.
base = rand(4, 6)
weight = rand(2, 3, 4, 5)
views = OrderedDict(
    base=base,
    row=base[1],
    column=base[:, 2],
    block=base[1:3, 2:5],
    transposed=base.t(),
    stepped=base[::2, 1::3],
    tied=base,
    channels_last=weight.contiguous(memory_format=torch.channels_last),
    permuted=weight.permute(3, 0, 2, 1),
    expanded=torch.tensor([[2.0], [3.0]]).expand(2, 4),
    diagonal=base.diagonal(),
    empty_slice=base[4:],
    half=base.to(torch.float16).t(),
    integers=torch.arange(6).reshape(2, 3).t(),
)
save("views.pth", views, views)

# What a module's state_dict() is: parameters and buffers, an OrderedDict with _metadata.
torch.manual_seed(3)
module = torch.nn.Sequential(
    OrderedDict(
        conv=torch.nn.Conv2d(2, 3, 3, bias=False),
        bn=torch.nn.BatchNorm2d(3),
        fc=torch.nn.Linear(3, 2),
    )
)
state = module.state_dict()
save("state-dict.pth", state, state)
save("state-dict-keep-vars.pth", module.state_dict(keep_vars=True), state)

# A training checkpoint: the optimizer's tensors beside the model's, and a DataParallel prefix.
optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
for parameter in module.parameters():
    parameter.grad = torch.ones_like(parameter)
optimizer.step()
state = OrderedDict((name, tensor.clone()) for name, tensor in module.state_dict().items())
checkpoint = {
    "epoch": 90,
    "arch": "resnet50",
    "best_acc1": torch.tensor(76.13),
    "lr": 0.1,
    "big": 2**70,
    "negative": -(2**40),
    "nothing": None,
    "flags": [True, False, (1, 2, 3, 4)],
    "optimizer": optimizer.state_dict(),
    "state_dict": OrderedDict((f"module.{name}", tensor) for name, tensor in state.items()),
}
save("checkpoint.pth", checkpoint, state)
save("model-key.pth", {"model": state, "epoch": 1}, state)

# Two shards and their index.
first = {"conv.weight": state["conv.weight"], "bn.bias": state["bn.bias"]}
second = {"fc.weight": state["fc.weight"]}
save_file(first, here / "model-00001-of-00002.safetensors")
save_file(second, here / "model-00002-of-00002.safetensors")
index = {
    "metadata": {"total_size": sum(t.numel() * t.element_size() for t in [*first.values(), *second.values()])},
    "weight_map": {
        **{name: "model-00001-of-00002.safetensors" for name in first},
        **{name: "model-00002-of-00002.safetensors" for name in second},
    },
}
(here / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
expect("model.safetensors.index.json", {**first, **second})

# Files that are refused: the reasons are in the test.
torch.save(state, here / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(2, 1), here / "whole-model.pth")
torch.save(state, here / "protocol-4.pth", pickle_protocol=4)
torch.save({"epoch": 3, "loss": 0.5}, here / "no-tensors.pth")
torch.save({"negated": torch.zeros(2, dtype=torch.complex64).conj().imag}, here / "negated.pth")
torch.save({"scales": torch.zeros(2, dtype=torch.float8_e4m3fn)}, here / "float8.pth")
save_file({"scales": torch.zeros(2, dtype=torch.float8_e4m3fn)}, here / "float8.safetensors")
torch.jit.save(torch.jit.script(torch.nn.ReLU()), here / "torchscript.pt")

(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
