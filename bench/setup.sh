#!/usr/bin/env bash
# Makes ready what `npm run bench` compares: the packages, PyTorch in a Python environment of its own (.python, several
# gigabytes with CUDA; set PIP_INDEX_URL for a smaller build), and the bare loop over oneDNN.
set -euo pipefail
cd "$(dirname "$0")"

# onnxruntime-node comes with its CPU engine; what its script would fetch is CUDA's
npm ci --ignore-scripts --no-audit --no-fund
# not among the dependencies: where it cannot fetch its library, nothing else is to fail
npm install --no-save --no-audit --no-fund --silent @tensorflow/tfjs-node@4.22.0 >/dev/null 2>&1 ||
  printf 'setup: @tensorflow/tfjs-node does not install here: left out\n' >&2

[ -x .python/bin/python ] || python3 -m venv .python
.python/bin/pip install --quiet torch==2.13.0 numpy safetensors onnx onnxscript pillow
# without dependencies: only its Python part is used, which runs with any PyTorch
.python/bin/pip install --quiet --no-deps torchvision==0.28.0

cmake -S .. -B ../build-bench -DCUDNN_RESNET_NATIVE_BENCH=ON
cmake --build ../build-bench --parallel "$(nproc)"
[ -x ../build-bench/primitives ] ||
  printf 'setup: no benchmark of the primitives: apt-get install libbenchmark-dev\n' >&2
