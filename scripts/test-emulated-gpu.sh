#!/usr/bin/env bash
# Tests in JavaScript on an emulated GPU, by default those of operations, programs, modules and weights, of how processes and
# workers end, and of two commands: the addon is built in a copy of this checkout, so that its own build stays. Needs python3,
# and CUDA's and cuDNN's headers (npm run setup:cuda). A forward of ResNet-18 takes seconds there, so that tests of whole
# networks are left out.
#
#   scripts/test-emulated-gpu.sh [TEST...]
set -euo pipefail
cd "$(dirname "$0")/.."
tests=("$@")
((${#tests[@]} > 0)) ||
  tests=(test/11 test/12 test/13 test/2 test/3 test/40 test/42 test/43 test/48 test/49 test/51 test/52 test/55 test/57 test/62 test/63
    test/65 test/70 test/71 test/73 test/80.cli.classify test/80.cli.embed)

bash scripts/copy-checkout.sh build-emulated
[ ! -d .cuda ] || ln -sfn "$PWD/.cuda" build-emulated/.cuda

cd build-emulated
bash scripts/quietly.sh npx cmake-js configure --CDCUDNN_RESNET_CUDA_ON_HOST=ON
bash scripts/quietly.sh npx cmake-js build --parallel "$(nproc)"
bash scripts/build-lib.sh
CUDNN_RESNET_CACHE=$PWD/build/cache TEST_DEVICES=cuda:0 npx vitest run --testTimeout=300000 --testNamePattern '^(?!.*network.* give, at every run)' "${tests[@]}"
