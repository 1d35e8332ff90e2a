"""primitives.json: every primitive once or more, computed by PyTorch in float64, to check the reference loops."""
import json

import torch
import torch.nn.functional as F

from generator import uniform

CASES = []


def case(op, name, inputs, options, compute, scale=1):
    """`compute` gets the inputs as float64 tensors and returns a dict of outputs."""
    def drawn(key, shape):
        u = torch.from_numpy(uniform(f"{name}.{key}", shape))
        return 1 + 0.5 * u if "variance" in key.lower() else scale * u

    tensors = {key: drawn(key, shape) for key, shape in inputs.items()}
    outputs = {
        key: {"shape": list(value.shape), "data": value.flatten().tolist()}
        for key, value in compute(**tensors).items()
    }
    CASES.append({"op": op, "name": name, "scale": scale, "inputs": inputs, "options": options, "outputs": outputs})


def conv(name, x, weight, bias=False, add=None, activation=None, **options):
    def compute(x, weight, bias=None, add=None):
        y = F.conv2d(x, weight, bias, **options)
        y = y if add is None else y + add
        return {"y": y if activation is None else ACTIVATIONS[activation](y)}

    inputs = {"x": x, "weight": weight}
    if bias:
        inputs["bias"] = [weight[0]]
    if add:
        inputs["add"] = add
    case("conv2d", name, inputs, {**options, "activation": activation} if activation else options, compute)


ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "swish": F.silu,
}


def training(momentum, eps):
    def compute(x, runningMean, runningVariance, weight=None, bias=None):
        y = F.batch_norm(x, runningMean, runningVariance, weight, bias, True, momentum, eps)
        return {"y": y, "runningMean": runningMean, "runningVariance": runningVariance}

    return compute


def normalize(pixels, mean, deviation):
    p = torch.floor((pixels + 1) * 128)  # uint8
    y = (p / 255 - torch.tensor(mean, dtype=torch.float64)) / torch.tensor(deviation, dtype=torch.float64)
    return {"y": y.permute(0, 3, 1, 2)}


def make(path):
    conv("conv-plain", [1, 3, 5, 9], [4, 3, 3, 3])
    conv("conv-stride-pad", [2, 3, 7, 6], [5, 3, 3, 3], stride=[2, 1], padding=[1, 2], bias=True)
    conv("conv-dilation", [1, 2, 9, 8], [3, 2, 3, 2], dilation=[2, 3], padding=2)
    conv("conv-groups", [2, 6, 5, 4], [4, 3, 3, 3], groups=2, padding=1)
    conv("conv-depthwise", [1, 5, 6, 7], [5, 1, 3, 3], groups=5, padding=1, stride=2)
    conv("conv-wide-kernel", [1, 2, 3, 2], [2, 2, 5, 7], padding=[3, 4])
    conv("conv-fused", [2, 3, 4, 5], [4, 3, 1, 1], bias=True, add=[2, 4, 4, 5], activation="gelu")

    bn = {"x": [2, 3, 4, 5], "mean": [3], "variance": [3], "weight": [3], "bias": [3]}
    case("batchNorm", "batch-norm", bn, {"eps": 1e-3},
         lambda x, mean, variance, weight, bias: {"y": F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)})
    case("batchNormTraining", "batch-norm-training",
         {"x": [3, 3, 4, 5], "runningMean": [3], "runningVariance": [3], "weight": [3], "bias": [3]},
         {"momentum": 0.25, "eps": 1e-5}, training(0.25, 1e-5))
    case("batchNormTraining", "batch-norm-training-plain",
         {"x": [2, 4, 1, 3], "runningMean": [4], "runningVariance": [4]}, {}, training(0.1, 1e-5))

    for kind, function in ACTIVATIONS.items():
        case("activation", f"activation-{kind}", {"x": [1, 2, 5, 9]}, {"kind": kind},
             lambda x, f=function: {"y": f(x)}, scale=8)
    case("add", "add-relu", {"a": [2, 3, 3, 2], "b": [2, 3, 3, 2]}, {"activation": "relu"},
         lambda a, b: {"y": F.relu(a + b)})

    case("maxPool2d", "max-pool", {"x": [2, 3, 7, 6]}, {"kernelSize": 3, "stride": 2, "padding": 1},
         lambda x: {"y": F.max_pool2d(x, 3, 2, 1)})
    case("maxPool2d", "max-pool-oblong", {"x": [1, 2, 6, 9]}, {"kernelSize": [2, 4], "padding": [1, 2]},
         lambda x: {"y": F.max_pool2d(x, (2, 4), padding=(1, 2))})
    case("avgPool2d", "avg-pool", {"x": [2, 3, 7, 6]}, {"kernelSize": 3, "stride": 2, "padding": 1},
         lambda x: {"y": F.avg_pool2d(x, 3, 2, 1)})
    case("avgPool2d", "avg-pool-uncounted", {"x": [1, 2, 6, 9]},
         {"kernelSize": [3, 4], "stride": [2, 3], "padding": [1, 2], "countIncludePad": False},
         lambda x: {"y": F.avg_pool2d(x, (3, 4), (2, 3), (1, 2), count_include_pad=False)})
    case("globalAvgPool", "global-avg-pool", {"x": [2, 3, 5, 4]}, {},
         lambda x: {"y": F.adaptive_avg_pool2d(x, 1)})

    case("linear", "linear", {"x": [3, 17], "weight": [5, 17], "bias": [5]}, {},
         lambda x, weight, bias: {"y": F.linear(x, weight, bias)})
    case("softmax", "softmax", {"x": [3, 11]}, {}, lambda x: {"y": torch.softmax(x, 1)}, scale=20)
    case("softmax", "softmax-channels", {"x": [2, 5, 3, 2]}, {}, lambda x: {"y": torch.softmax(x, 1)}, scale=20)

    for dtype in [torch.float16, torch.bfloat16]:
        name = str(dtype).removeprefix("torch.")
        for scale in [60000, 1, 2e-5]:  # the largest, usual, and subnormal float16
            case("rounded", f"rounded-{name}-{scale}", {"x": [300]}, {"dtype": name},
                 lambda x, dtype=dtype: {"y": x.float().to(dtype).double()}, scale=scale)

    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    case("normalizeImage", "normalize-image", {"pixels": [2, 3, 4, 3]}, {"mean": mean, "std": deviation},
         lambda pixels: normalize(pixels, mean, deviation))

    lines = ",\n".join(json.dumps(c) for c in CASES)
    path.write_text(f"[\n{lines}\n]\n")
