#!/usr/bin/env bash
# Builds the native code without Node, warnings as errors, and runs its GoogleTest unit tests. Arguments go to CMake.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/quietly.sh cmake -S . -B build-native -DCUDNN_RESNET_STRICT=ON -DCUDNN_RESNET_NATIVE_TESTS=ON "$@"
cmake --build build-native --parallel "$(nproc)"
ctest --test-dir build-native --output-on-failure
