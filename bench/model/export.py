"""Writes the model that every contender runs, and what it must give: a seeded torchvision ResNet, with random weights and
random statistics of its batch norms, as safetensors and, for the CPU, as ONNX; images; and their logits computed in
float64.

usage: export.py MODEL IMAGES DIRECTORY cpu|cuda
"""

import copy
import json
import pathlib
import sys

import torch
import torch.utils.flop_counter
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "test" / "golden"))
from torchvision_models import resnet  # noqa: E402


def seeded(name):
    """Weights as PyTorch initialises them, statistics as training would leave them: near the identity, so that values
    neither vanish nor explode on their way through the network."""
    torch.manual_seed(0)
    model = getattr(resnet, name)().eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def folded_parameters(model):
    """Weight and bias of each convolution, its batch norm folded in, and of the linear layer, in the order in which the
    network is printed: what a loop over bare primitives takes."""
    modules = list(model.modules())
    for i, module in enumerate(modules):
        if isinstance(module, torch.nn.Conv2d):
            # a block prints its convolutions in pairs with their batch norms
            folded = torch.nn.utils.fuse_conv_bn_eval(module.double(), modules[i + 1].double())
            yield folded.weight
            yield folded.bias
        elif isinstance(module, torch.nn.Linear):
            yield module.weight
            yield module.bias


def export_onnx(model, x, path):
    torch.onnx.export(
        model,
        (x,),
        path,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes={"x": {0: torch.export.Dim("batch", min=1, max=1024)}},
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def operations(model, x):
    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops()


@torch.inference_mode()
def exact_logits(model, x, device):
    model = model.double().to(device)
    return torch.cat([model(images.double().to(device)).cpu() for images in x.split(4)])


def main(name, images, directory, device):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    model = seeded(name)
    x = torch.randn(images, 3, 224, 224)
    (directory / "images.bin").write_bytes(x.numpy().tobytes())
    save_file(model.state_dict(), directory / "model.safetensors")
    flops = operations(model, x[:1])
    if device == "cpu":  # contenders that read these are none on a GPU
        export_onnx(model, x[:2], directory / "model.onnx")
        with open(directory / "folded.bin", "wb") as file:
            for tensor in folded_parameters(copy.deepcopy(model)):
                file.write(tensor.detach().float().contiguous().numpy().tobytes())
    logits = exact_logits(model, x, device)
    (directory / "logits.bin").write_bytes(logits.numpy().tobytes())
    description = {"model": name, "classes": logits.shape[1], "flops": flops}
    # last: where it is, the rest is whole
    (directory / "model.json").write_text(json.dumps(description) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
