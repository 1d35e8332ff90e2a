#!/usr/bin/env bash
# Builds the package on a machine with an NVIDIA GPU and runs every check that needs one. Needs bash, tar, CUDA with
# nvcc, CMake, Python, and the archive of scripts/gpu/pack.sh; no network, no root.
#
#   scripts/gpu/check.sh --out DIR [--archive FILE] [--minutes N]
#
# Prints one table of what passed, last; details go to DIR/gpu-check.json and DIR/check.log. A step that does not end
# in its time is stopped and has failed. Exits 0 where all passed; what could not be run is shown as such, and is no pass.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)

out=
archive=$repository/build/gpu-pack.tar.xz
minutes=9
while (($# > 0)); do
  case $1 in
    --out) out=$2 && shift 2 ;;
    --archive) archive=$2 && shift 2 ;;
    --minutes) minutes=$2 && shift 2 ;;
    *) printf 'check: unknown option %s\n' "$1" >&2 && exit 2 ;;
  esac
done
[[ -n $out ]] || { printf 'usage: check.sh --out DIR [--archive FILE] [--minutes N]\n' >&2 && exit 2; }
[[ -f $archive ]] || { printf 'check: %s is missing: run scripts/gpu/pack.sh where there is a network\n' "$archive" >&2 && exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
: >"$out/check.log"
archive=$(cd "$(dirname "$archive")" && pwd)/$(basename "$archive")
deadline=$((SECONDS + minutes * 60))

work=$(mktemp -d "${TMPDIR:-/tmp}/cudnn-resnet-check.XXXXXX")
trap 'rm -rf "$work"' EXIT
export CUDNN_RESNET_CACHE=$work/cache NO_COLOR=1
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0}  # one is enough, and there is not the time for eight

# How long the first forward takes, and the event loop waits, is measured alone, in the time that is kept for it; everything
# else runs side by side.
measured=(first-forward event-loop)
kept=90

names=() states=() seconds=() notes=()

# What a log says of its outcome: the line of totals of the test runner, else its last line.
outcome() {
  local line
  line=$({ grep -E '^ *Tests ' "$1" || grep -v '^[[:space:]]*$' "$1" || true; } 2>/dev/null | tail -1)
  tr -s ' \t\r' ' ' <<<"$line" | cut -c1-110
}

# perform NAME SECONDS COMMAND...: runs in the work tree, for at most SECONDS and to the deadline; leaves the outcome in a
# file, so that it can be done in the background.
perform() {
  local name=$1 limit=$2 begin=$SECONDS status=0 state note
  shift 2
  local left=$((deadline - SECONDS))
  [[ " ${measured[*]} " == *" $name "* ]] || left=$((left - kept))
  ((limit <= left)) || limit=$left
  if ((limit < 5)); then
    printf 'not run\t0\tno time was left\n' >"$work/$name.state"
    return
  fi
  (cd "$work/tree" && timeout --kill-after=5 "$limit" "$@") >"$work/$name.log" 2>&1 || status=$?
  note=$(outcome "$work/$name.log")
  case $status in
    0) state=passed ;;
    77) state='not run' ;;
    124 | 137) state=failed note="stopped after $limit s" ;;
    *) state=failed ;;
  esac
  printf '%s\t%d\t%s\n' "$state" $((SECONDS - begin)) "$note" >"$work/$name.state"
}

collect() { # collect NAME: into the table
  local state time note
  IFS=$'\t' read -r state time note <"$work/$1.state"
  [[ ! -f $work/$1.log ]] || { printf '\n== %s\n' "$1" && cat "$work/$1.log"; } >>"$out/check.log"
  names+=("$1") states+=("$state") seconds+=("$time") notes+=("$note")
  printf '%-28s %-8s %4d s  %s\n' "$1" "$state" "$time" "$note"
  [[ $state == passed ]]
}

step() { # step NAME SECONDS COMMAND...
  perform "$@"
  collect "$1"
}

unpack() {
  mkdir -p "$work/pack" "$work/tree"
  if command -v xz >/dev/null; then
    tar -C "$work/pack" --no-same-owner -xJf "$archive"
  else
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$archive" "$work/pack"
  fi
  tar -C "$repository" --exclude=./node_modules --exclude=./build --exclude='./build-*' --exclude=./.cuda \
    --exclude=./dist --exclude=./.git --exclude=./bench/node_modules --exclude=./bench/.python --exclude=./bench/.cache \
    -cf - . | tar -C "$work/tree" --no-same-owner -xf -
  mv "$work/pack/node_modules" "$work/tree/node_modules"
}
unpack

export PATH=$work/pack/node/bin:$PATH
export CUDNN_FRONTEND_PATH=$work/pack/cudnn-frontend
[[ -d $work/pack/onednn ]] && export ONEDNN_PATH=$work/pack/onednn
export LD_LIBRARY_PATH=$work/pack/onednn/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# Machine code for the GPU that is here, and for no other: a quarter of the time. Not `native`, which an older CMake does
# not know.
capability=$({ nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || true; } | head -1 | tr -dc '0-9')
export CUDAARCHS=${CUDAARCHS:-${capability:-90}-real}
export PATH=$PATH:$work/pack/compute-sanitizer/bin
if ! command -v nvcc >/dev/null && [[ -z ${CUDACXX:-} && -x /usr/local/cuda/bin/nvcc ]]; then
  export PATH=$PATH:/usr/local/cuda/bin
fi

export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
# The addon and the native tests in one tree: the engine is compiled once.
build() { # build PACK
  local tests=OFF
  [[ ! -d $1/gtest ]] || tests=ON
  set -o pipefail
  node_modules/.bin/cmake-js configure --CDCUDNN_RESNET_NATIVE_TESTS=$tests --CDCUDNN_RESNET_EMULATED_GPU=OFF \
    --CDCMAKE_PREFIX_PATH="$1/gtest" 2>&1 |
    tee configure.log || return 1
  ! grep 'no CUDA engine' configure.log || return 1
  node_modules/.bin/cmake-js build && bash scripts/build-lib.sh
}
native_tests() {
  [[ -x build/native-tests ]] || { echo 'the archive held no GoogleTest' && exit 77; }
  build/native-tests --gtest_brief=1
}
devices() {
  # shellcheck disable=SC2016  # the dollars are JavaScript's
  node --input-type=module -e '
    import { devices, diagnose } from "./dist/index.js";
    console.log(diagnose());
    const gpu = devices().find((device) => device.id === "cuda:0");
    if (!gpu) { console.log("no GPU can be used"); process.exit(1); }
    console.log(`${gpu.name}, ${gpu.engine}`);'
}
sanitize() { # sanitize TOOL
  [[ -x build/native-tests ]] || { echo 'the archive held no GoogleTest' && exit 77; }
  command -v compute-sanitizer >/dev/null || { echo 'compute-sanitizer is not installed' && exit 77; }
  # The kernels of this package; those of cuDNN are not ours to check, and checked would take minutes.
  # Nor are calls that a driver answers with an error: a cuDNN newer than the driver asks it for what it does not know.
  compute-sanitizer --tool "$1" --report-api-errors no --error-exitcode 1 --launch-timeout 60 --kernel-name kns=cudnn_resnet \
    build/native-tests --gtest_brief=1 \
    --gtest_filter='*CudaEngineTest.*-*Convolves*:*BatchNorm*:*StatisticsOfTheBatch*'
}
parity() {
  python3 -c 'import torch' 2>/dev/null || { echo 'this Python has no torch' && exit 77; }
  python3 scripts/gpu/parity.py cuda "$1"
}
# For this GPU, by its properties, as if it were not there.
plans() { # plans FOLDER
  node dist/cli/main.js info --device-properties >"$1/device.json" &&
    node dist/cli/main.js plan --gpu "$1/device.json" --dtype float32,float16 --batch 1,32 -o "$1/plans"
}
# The GPU accepts those plans, and the first forward of a process with them takes less than a second.
first_forward() { # first_forward FOLDER
  local dtype
  set -o pipefail
  for dtype in float32 float16; do
    mkdir -p "$1/cache-$dtype" &&
      CUDNN_RESNET_CACHE=$1/cache-$dtype node scripts/gpu/first-forward.mjs "$1/plans" 32 $dtype 2>&1 | tee "$1/$dtype.log" || return 1
    # What is warned of is a plan that was not taken.
    ! grep -q '^cudnn-resnet: ' "$1/$dtype.log" || return 1
  done
}
export -f build native_tests devices sanitize parity plans first_forward

timed=(test/61.event-loop.test.ts test/40.weights-event-loop.test.ts)
later=(native-tests plans memcheck racecheck parity-with-pytorch suite first-forward event-loop)
if step build 300 bash -c "build '$work/pack'" && step devices 60 bash -c devices; then
  # 72 asks npm, which is not packed, what the package holds.
  # Six files at a time: threads of the CPU engine beyond the cores would wait for each other.
  perform suite 420 env TEST_DEVICES=cuda:0 OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive node_modules/.bin/vitest run --reporter=dot --fileParallelism --maxWorkers=6 \
    --exclude=test/72.package.test.ts "${timed[@]/#/--exclude=}" &
  suite=$!
  mkdir "$work/plans"
  perform plans 240 bash -c "plans '$work/plans'" &
  plans=$!
  step native-tests 150 bash -c native_tests || true
  step parity-with-pytorch 240 bash -c "parity '$out/parity.json'" || true
  step memcheck 120 bash -c 'sanitize memcheck' || true
  step racecheck 120 bash -c 'sanitize racecheck' || true
  wait "$suite" "$plans"
  collect plans || true
  collect suite || true
  step first-forward 60 bash -c "first_forward '$work/plans'" || true
  step event-loop 120 node_modules/.bin/vitest run --reporter=dot "${timed[@]}" || true
else
  for name in "${later[@]}"; do
    printf 'not run\t0\tneeds the steps before it\n' >"$work/$name.state"
    collect "$name" || true
  done
fi

version() { "$@" 2>/dev/null | head -1 || true; }
gpu=$(version nvidia-smi --query-gpu=name --format=csv,noheader)
driver=$(version nvidia-smi --query-gpu=driver_version --format=csv,noheader)
cuda=$({ "${CUDACXX:-nvcc}" --version 2>/dev/null || true; } | sed -n 's/.*release \([0-9.]*\).*/\1/p')
cudnn=$({ grep -o 'cuDNN [0-9.]*:' "$work/devices.log" 2>/dev/null || true; } | head -1 | tr -dc '0-9.')
commit=$(git -C "$repository" rev-parse HEAD 2>/dev/null || cat "$work/pack/commit" 2>/dev/null || echo unknown)

# Names and numbers go through Python, which quotes them.
{
  for i in "${!names[@]}"; do
    printf '%s\t%s\t%s\t%s\n' "${names[i]}" "${states[i]}" "${seconds[i]}" "${notes[i]}"
  done
} | python3 -c '
import json, os, sys, time
sys.stdin.reconfigure(errors="replace")  # a note may be cut in the middle of a character
gpu, driver, cuda, cudnn, commit, out = sys.argv[1:]
steps = []
for line in sys.stdin:
    name, state, seconds, note = line.rstrip("\n").split("\t", 3)
    steps.append({"name": name, "state": state, "seconds": int(seconds), "note": note})
parity = os.path.join(out, "parity.json")
result = {"date": time.strftime("%Y-%m-%d"), "commit": commit, "gpu": gpu, "driver": driver, "cuda": cuda,
          "cudnn": cudnn, "steps": steps, "parity": json.load(open(parity)) if os.path.exists(parity) else None}
with open(os.path.join(out, "gpu-check.json"), "w") as file:
    json.dump(result, file, indent=2)
    file.write("\n")
' "$gpu" "$driver" "$cuda" "$cudnn" "$commit" "$out"

printf '\n%s, driver %s, CUDA %s, cuDNN %s\n' "${gpu:-no GPU}" "${driver:-none}" "${cuda:-none}" "${cudnn:-none}"
failures=0
for i in "${!names[@]}"; do
  printf '%-28s %-8s %4d s  %s\n' "${names[i]}" "${states[i]}" "${seconds[i]}" "${notes[i]}"
  [[ ${states[i]} == passed ]] || failures=$((failures + 1))
done
printf '%d of %d passed\n' $((${#names[@]} - failures)) "${#names[@]}"
((failures == 0))
