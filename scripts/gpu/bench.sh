#!/usr/bin/env bash
# Measures ResNet-50 on an NVIDIA GPU beside PyTorch, on a machine like that of check.sh; with its --work, nothing is built
# again.
#
#   scripts/gpu/bench.sh --out DIR [--archive FILE] [--work DIR] [OPTION...]
#
# Further options go to bench/main.ts: --quick, --dtype bfloat16, --only eager,channels-last,cuda-graph (max-autotune
# compiles for minutes). The results go to DIR/gpu-bench.json, with a chart beside them; the table is printed last.
set -euo pipefail

out=
archive=$(dirname "$0")/../../build/gpu-pack.tar.xz
work=
options=()
while (($# > 0)); do
  case $1 in
    --out) out=$2 && shift 2 ;;
    --archive) archive=$2 && shift 2 ;;
    --work) work=$2 && shift 2 ;;
    *) options+=("$1") && shift ;;
  esac
done
[[ -n $out ]] || { printf 'usage: bench.sh --out DIR [--archive FILE] [--work DIR] [OPTION...]\n' >&2 && exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [[ -z $work ]]; then
  work=$(mktemp -d "${TMPDIR:-/tmp}/cudnn-resnet-bench.XXXXXX")
  trap 'rm -rf "$work"' EXIT
fi
# shellcheck source=scripts/gpu/machine.sh
. "$(dirname "$0")/machine.sh"

cd "$tree"
build "$work/pack" >build.log 2>&1 || { cat build.log && exit 1; }
# Of bench/'s own packages a GPU needs one, this; tsx and sharp are found in the project's.
mkdir -p bench/node_modules
ln -sfn ../.. bench/node_modules/cudnn-resnet
BENCH_PYTHON=python3 BENCH_COMMIT=${commit:0:7}${commit:40} \
  node_modules/.bin/tsx bench/main.ts gpu --output "$out/gpu-bench.json" "${options[@]}"
