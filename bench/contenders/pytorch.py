"""The process of a PyTorch contender: answers the driver's requests as serve.mjs does.

usage: pytorch.py DIRECTORY THREADS eager|channels-last|compiled|frozen
"""

import json
import pathlib
import sys
import time

import numpy
import torch
import torch._inductor.config as inductor
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "test" / "golden"))
from torchvision_models import resnet  # noqa: E402

directory, threads, variant = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
torch.set_num_interop_threads(1)


class Contender:
    model = None

    def load(self, x):
        name = json.loads((directory / "model.json").read_text())["model"]
        model = getattr(resnet, name)().eval()
        model.load_state_dict(load_file(directory / "model.safetensors"))
        if variant == "channels-last":
            return model.to(memory_format=torch.channels_last)
        if variant == "compiled":
            inductor.freezing = True
            return torch.compile(model, dynamic=False)
        if variant == "frozen":
            return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
        return model

    def batch(self, size):
        count = int(size) * 3 * 224 * 224
        images = numpy.fromfile(directory / "images.bin", numpy.float32, count).reshape(-1, 3, 224, 224)
        self.x = torch.from_numpy(images)
        if self.model is None:
            self.model = self.load(self.x)
        return {}

    def infer(self):
        x = self.x.contiguous(memory_format=torch.channels_last) if variant == "channels-last" else self.x
        return self.model(x).numpy()

    def run(self, count):
        times = []
        for _ in range(int(count)):
            begin = time.perf_counter()
            self.infer()
            times.append(1000 * (time.perf_counter() - begin))
        return {"times": times}

    def logits(self, file):
        self.infer().tofile(file)
        return {}


def answer(contender, line):
    command, *words = line.split()
    try:
        return getattr(contender, command)(*words)
    except Exception as error:  # the driver reports it and goes on with the others
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    contender = Contender()
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    print(json.dumps({"version": torch.__version__}), file=answers, flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            print(json.dumps(answer(contender, line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
