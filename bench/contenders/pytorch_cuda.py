"""A PyTorch contender on the first GPU.

usage: pytorch_cuda.py DIRECTORY THREADS eager|channels-last|max-autotune|cuda-graph DTYPE
"""

import sys

import torch
from pytorch import Contender, serve

# more than the second-level caches of the GPUs that there are
cache = 256 << 20


class CudaContender(Contender):
    def __init__(self, directory, variant, dtype):
        super().__init__(directory, variant)
        self.dtype = getattr(torch, dtype)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True

    def load(self):
        model = self.seeded().to("cuda", self.dtype)
        if self.variant != "eager":
            model = model.to(memory_format=torch.channels_last)
        if self.variant == "max-autotune":
            model = torch.compile(model, mode="max-autotune", dynamic=False)
        return model

    def on_device(self, x):
        x = x.to("cuda", self.dtype)
        return x if self.variant == "eager" else x.contiguous(memory_format=torch.channels_last)

    def batch(self, size):
        super().batch(size)
        first = self.on_device(self.x)
        count = min(64, 1 + cache // (first.numel() * first.element_size()))
        self.inputs = [first.clone(memory_format=torch.preserve_format) for _ in range(count)]
        if self.variant == "cuda-graph":
            self.capture(first)
        return {}

    def capture(self, x):
        """One forward pass as a graph, which reads its input from `self.input` and leaves its result in `self.output`."""
        self.input = x
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.model(x)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = self.model(x)

    def forward(self, x):
        if self.variant != "cuda-graph":
            return self.model(x)
        self.input.copy_(x)
        self.graph.replay()
        return self.output

    def infer(self):
        return self.forward(self.on_device(self.x)).float().cpu().numpy()

    def resident(self, count):
        """Milliseconds of a forward pass whose input is on the GPU already and in no cache, by CUDA's events."""
        self.forward(self.inputs[0])
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for i in range(int(count)):
            self.forward(self.inputs[i % len(self.inputs)])
        end.record()
        end.synchronize()
        return {"milliseconds": begin.elapsed_time(end) / int(count)}

    def roofline(self):
        """What the GPU reaches at most: a product of large matrices of this dtype, and a copy of a gigabyte."""

        def seconds(work, count=20):
            work()
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(count):
                work()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end) / 1000 / count

        side = 8192
        a, b = (torch.randn(side, side, device="cuda", dtype=self.dtype) for _ in range(2))
        source = torch.empty(1 << 30, device="cuda", dtype=torch.uint8)
        target = torch.empty_like(source)
        return {
            "gpu": torch.cuda.get_device_name(),
            "teraflops": 2 * side**3 / seconds(lambda: a @ b) / 1e12,
            "gigabytes": 2 * source.numel() / seconds(lambda: target.copy_(source)) / 1e9,
        }


if __name__ == "__main__":
    serve(CudaContender(sys.argv[1], sys.argv[3], sys.argv[4]), int(sys.argv[2]))
