#!/usr/bin/env bash
# Builds the native benchmarks and runs every primitive at ResNet-50's shapes, beside the machine's measured peaks. Takes
# the options of native/bench/primitives.cc and of Google Benchmark, such as --benchmark_filter=conv2d.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake -S . -B build-bench -DCUDNN_RESNET_STRICT=ON -DCUDNN_RESNET_NATIVE_BENCH=ON >build-bench.log ||
  { cat build-bench.log && exit 1; }
rm build-bench.log
if ! cmake --build build-bench --target primitives --parallel "$(nproc)" >build-bench.log; then
  cat build-bench.log
  printf 'bench:native: is Google Benchmark installed? apt-get install libbenchmark-dev\n' >&2
  exit 1
fi
rm build-bench.log
build-bench/primitives --benchmark_min_time=0.2 "$@"
