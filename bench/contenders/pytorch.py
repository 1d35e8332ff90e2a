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


class Contender:
    def __init__(self, directory, variant):
        self.directory = pathlib.Path(directory)
        self.variant = variant
        self.model = None

    def seeded(self):
        """torchvision's network with the weights that all contenders have."""
        name = json.loads((self.directory / "model.json").read_text())["model"]
        model = getattr(resnet, name)().eval()
        model.load_state_dict(load_file(self.directory / "model.safetensors"))
        return model

    def load(self):
        model = self.seeded()
        if self.variant == "channels-last":
            return model.to(memory_format=torch.channels_last)
        if self.variant == "compiled":
            inductor.freezing = True
            return torch.compile(model, dynamic=False)
        if self.variant == "frozen":
            return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, self.x)))
        return model

    def infer(self):
        x = self.x
        if self.variant == "channels-last":
            x = x.contiguous(memory_format=torch.channels_last)
        return self.model(x).numpy()

    def batch(self, size):
        count = int(size) * 3 * 224 * 224
        images = numpy.fromfile(self.directory / "images.bin", numpy.float32, count)
        self.x = torch.from_numpy(images.reshape(-1, 3, 224, 224))
        if self.model is None:
            self.model = self.load()
        return {}

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

    def answer(self, line):
        command, *words = line.split()
        try:
            return getattr(self, command)(*words)
        except Exception as error:  # the driver reports it
            return {"error": f"{type(error).__name__}: {error}"}


def serve(contender, threads):
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    print(json.dumps({"version": torch.__version__}), file=answers, flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            print(json.dumps(contender.answer(line)), file=answers, flush=True)


if __name__ == "__main__":
    serve(Contender(sys.argv[1], sys.argv[3]), int(sys.argv[2]))
