#!/usr/bin/env bash
# Builds the native benchmarks and runs every primitive at ResNet-50's shapes, beside the machine's measured peaks. Takes
# the options of native/bench/primitives.cc and of Google Benchmark, such as --benchmark_filter=conv2d.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/quietly.sh cmake -S . -B build-bench -DCUDNN_RESNET_STRICT=ON -DCUDNN_RESNET_NATIVE_BENCH=ON
bash scripts/quietly.sh cmake --build build-bench --parallel "$(nproc)"
[ -x build-bench/primitives ] || {
  printf 'bench:native: Google Benchmark is missing: apt-get install libbenchmark-dev\n' >&2
  exit 1
}
build-bench/primitives --benchmark_min_time=0.2 "$@"
