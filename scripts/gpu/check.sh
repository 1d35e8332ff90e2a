#!/usr/bin/env bash
# Builds the package on a machine with an NVIDIA GPU and runs every check that needs one. Needs bash, tar, a C++ compiler,
# CMake, CUDA with nvcc, cuDNN, Python with PyTorch, and the archive of scripts/gpu/pack.sh; no network, no root.
#
#   scripts/gpu/check.sh --out DIR [--archive FILE] [--work DIR] [--minutes N]
#
# Prints one table of what passed, last, also where it is stopped; details go to DIR/gpu-check.json, after each step, and
# to DIR/check.log. A step that does not end in its time is stopped and has failed. Exits 0 where all passed; what could not
# be run is shown as such, and is no pass. With --work the build stays there, for bench.sh.
set -euo pipefail

out=
archive=$(dirname "$0")/../../build/gpu-pack.tar.xz
work=
minutes=9
while (($# > 0)); do
  case $1 in
    --out) out=$2 && shift 2 ;;
    --archive) archive=$2 && shift 2 ;;
    --work) work=$2 && shift 2 ;;
    --minutes) minutes=$2 && shift 2 ;;
    *) printf 'check: unknown option %s\n' "$1" >&2 && exit 2 ;;
  esac
done
[[ -n $out ]] || { printf 'usage: check.sh --out DIR [--archive FILE] [--work DIR] [--minutes N]\n' >&2 && exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
: >"$out/check.log"
rm -f "$out/parity.json" "$out/gpu-check.json"
deadline=$((SECONDS + minutes * 60))

logs=$(mktemp -d "${TMPDIR:-/tmp}/cudnn-resnet-check.XXXXXX")
trap 'rm -rf "$logs"' EXIT
[[ -n $work ]] || work=$logs/work
# shellcheck source=scripts/gpu/machine.sh
. "$(dirname "$0")/machine.sh"
export CUDNN_RESNET_CACHE=$logs/cache NO_COLOR=1
export CUDNN_RESNET_TEST_GPU=required
# Several programs at a time: threads beyond the cores would wait for each other.
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
cuda=$({ "${CUDACXX:-nvcc}" --version 2>/dev/null || true; } | sed -n 's/.*release \([0-9.]*\).*/\1/p')

# How long the first forward takes, and the event loop waits, is measured alone, in the time that is kept for it; everything
# else runs side by side.
measured=(first-forward throughput event-loop)
kept=170

steps=(build devices native-tests parity-with-pytorch memcheck racecheck plans processes suite "${measured[@]}")

found() { # found STEP...: of each a line of its name, state, seconds and note, with tabs between them
  local name
  for name; do
    printf '%s\t%s\n' "$name" \
      "$(grep . "$logs/$name.state" 2>/dev/null || printf 'not run\t0\tthe check ended before it did')"
  done
}

show() { # what `found` gives, as a table
  local name state seconds note
  while IFS=$'\t' read -r name state seconds note; do
    printf '%-28s %-8s %4d s  %s\n' "$name" "$state" "$seconds" "$note"
  done
}

report() { # to gpu-check.json, and `cudnn`
  cudnn=$({ grep -o 'cuDNN [0-9.]*:' "$out/check.log" || true; } | head -1 | tr -dc '0-9.')
  found "${steps[@]}" |
    python3 "$(dirname "$0")/report.py" "$out" "$gpu" "$driver" "$cuda" "$cudnn" "$commit" ||
    printf 'check: gpu-check.json could not be written\n' >&2
}

end_jobs() {
  local tenths
  # shellcheck disable=SC2046  # one word each
  kill $(jobs -p) 2>/dev/null || true
  # For ten seconds: what waits for a GPU that hangs need not end.
  for ((tenths = 0; tenths < 100; tenths++)); do
    [[ -n $(jobs -pr) ]] || break
    sleep 0.1
  done
}

# However this ends, what was found is told, and what runs is ended: a GPU is not left at work.
finish() {
  local status=$? passed
  report
  end_jobs
  cat "$logs"/*.log >>"$out/check.log" 2>/dev/null || true
  printf '\n%s, driver %s, CUDA %s, cuDNN %s\n' "${gpu:-no GPU}" "${driver:-none}" "${cuda:-none}" "${cudnn:-none}"
  found "${steps[@]}" | show
  passed=$(found "${steps[@]}" | grep -c $'\tpassed\t' || true)
  printf '%d of %d passed\n' "$passed" ${#steps[@]}
  rm -rf "$logs"
  ((status > 0 || passed == ${#steps[@]})) || status=1
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What a log says of its outcome: the line of totals of the test runner, else its last line.
outcome() {
  local line
  line=$({ grep -E '^ *Tests |\[  PASSED  \]|FAILED TEST' "$1" || grep -v '^[[:space:]]*$' "$1" || true; } 2>/dev/null | tail -1)
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
    printf 'not run\t0\tno time was left\n' >"$logs/$name.state"
    return
  fi
  # A job that is waited for: a signal would be heard only when a command in the foreground has ended.
  (cd "$tree" && exec timeout --kill-after=5 "$limit" "$@") >"$logs/$name.log" 2>&1 &
  wait $! || status=$?
  note=$(outcome "$logs/$name.log")
  case $status in
    0) state=passed ;;
    77) state='not run' ;;
    124 | 137) state=failed note="stopped after $limit s" ;;
    *) state=failed ;;
  esac
  printf '%s\t%d\t%s\n' "$state" $((SECONDS - begin)) "$note" >"$logs/$name.state"
}

declare -A begun
beside() { # beside NAME SECONDS COMMAND...: performs it in the background
  { trap 'end_jobs; exit 143' TERM && perform "$@"; } &
  begun[$1]=$!
}

collect() { # collect NAME: into the report, and whether it passed
  if [[ -f $logs/$1.log ]]; then
    { printf '\n== %s\n' "$1" && cat "$logs/$1.log"; } >>"$out/check.log"
    rm "$logs/$1.log"
  fi
  report
  found "$1" | show
  grep -q '^passed' "$logs/$1.state"
}

step() { # step NAME SECONDS COMMAND...
  perform "$@"
  collect "$1"
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
  set -o pipefail
  [[ -x build/native-tests ]] || { echo 'the archive held no GoogleTest' && exit 77; }
  command -v compute-sanitizer >/dev/null || { echo 'compute-sanitizer is not installed' && exit 77; }
  # The kernels of this package; those of cuDNN are not ours to check, and checked would take minutes.
  # Nor are calls that a driver answers with an error: a cuDNN newer than the driver asks it for what it does not know.
  local status=0 log=build/sanitize-$1.log
  compute-sanitizer --tool "$1" --report-api-errors no --error-exitcode 1 --launch-timeout 60 --kernel-name kns=cudnn_resnet \
    build/native-tests --gtest_brief=1 \
    --gtest_filter='*CudaEngineTest.*-*Convolves*:*BatchNorm*:*StatisticsOfTheBatch*:*StatisticThatMoved*:*AllStatisticsMove*:*VarianceOfEqualValues*' 2>&1 |
    tee "$log" || status=$?
  ! grep -q "couldn't find exit code" "$log" || grep -q '^\[==' "$log" ||
    { echo 'this compute-sanitizer cannot start programs' && exit 77; }
  ! grep -q 'Device not supported' "$log" || { echo 'compute-sanitizer cannot watch this GPU here' && exit 77; }
  return "$status"
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
throughput() {
  node dist/cli/main.js bench --device cuda:0 --dtype float16 --batch 1,32,256 --seconds 2
}
export -f native_tests devices sanitize parity plans first_forward throughput

timed=(test/61.event-loop.test.ts test/40.weights-event-loop.test.ts)
# Those that start processes take long for their size, and come first.
starting=(test/60 test/66 test/70 test/71 test/73 test/80 test/81)
# 72 asks npm, which is not packed, what the package holds.
excluded=("${timed[@]}" "${starting[@]/%/.*}" test/72.package.test.ts)
# For half a second and more a plan is compiled for most random shapes.
vitest=(env TEST_DEVICES=cuda:0 FUZZ_RUNS=20 node_modules/.bin/vitest run --reporter=verbose --fileParallelism)
step build 300 bash -c "build '$work/pack'" || exit 1
step devices 60 bash -c devices || exit 1
mkdir "$logs/plans"
beside processes 420 "${vitest[@]}" --maxWorkers=5 "${starting[@]}"
beside suite 420 "${vitest[@]}" --maxWorkers=5 "${excluded[@]/#/--exclude=}"
beside plans 240 bash -c "plans '$logs/plans'"
beside memcheck 300 bash -c 'sanitize memcheck'
beside racecheck 300 bash -c 'sanitize racecheck'
step native-tests 150 bash -c native_tests || true
step parity-with-pytorch 240 bash -c "parity '$out/parity.json'" || true
for name in plans memcheck racecheck processes suite; do
  wait "${begun[$name]}" || true
  collect "$name" || true
done
step first-forward 60 bash -c "first_forward '$logs/plans'" || true
step throughput 60 bash -c throughput || true
step event-loop 120 "${vitest[@]}" "${timed[@]}" || true
