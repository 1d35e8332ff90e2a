#!/usr/bin/env bash
# Builds the libFuzzer programs of native/fuzz with AddressSanitizer and UndefinedBehaviorSanitizer, and runs each for so
# many seconds (default 15) from the corpus in native/fuzz/corpus. Needs clang. With --merge, what was found that covers
# more is put into the corpus afterwards.
#
#   scripts/fuzz-native.sh [--merge] [SECONDS [NAME...]]
set -euo pipefail
cd "$(dirname "$0")/.."

merge=
if [[ ${1:-} == --merge ]]; then
  merge=1
  shift
fi
seconds=${1:-15}
shift || true

command -v clang++ >/dev/null || {
  printf 'fuzz-native: clang++ is missing: apt-get install clang, and the libclang-rt-N-dev of its version\n' >&2
  exit 1
}
build="build-fuzz"
bash scripts/quietly.sh cmake -S . -B "$build" -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCUDNN_RESNET_STRICT=ON -DCUDNN_RESNET_FUZZERS=ON -DCUDNN_RESNET_SANITIZE=address,undefined,fuzzer-no-link
cmake --build "$build" --parallel "$(nproc)"

names=("$@")
if ((${#names[@]} == 0)); then
  for source in native/fuzz/*.cc; do
    name=${source##*/}
    names+=("${name%.cc}")
  done
fi
for name in "${names[@]}"; do
  # What is found goes to a folder of this build; a crash stays there, and belongs into the corpus once it is mended.
  found=$build/found/$name
  corpus=native/fuzz/corpus/$name
  mkdir -p "$found" "$corpus"
  printf 'fuzz-native: %s for %d s\n' "$name" "$seconds"
  "$build/fuzz-$name" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 -artifact_prefix="$found/" \
    "$found" "$corpus" 2>"$found.log" || {
    tail -n 60 "$found.log"
    exit 1
  }
  grep -E 'number_of_executed_units|peak_rss_mb' "$found.log"
  if [[ $merge ]]; then
    "$build/fuzz-$name" -set_cover_merge=1 -verbosity=0 "$corpus" "$found" 2>/dev/null
  fi
done
