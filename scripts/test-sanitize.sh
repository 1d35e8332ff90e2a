#!/usr/bin/env bash
# The native unit tests and the tests of the addon under AddressSanitizer with LeakSanitizer and UndefinedBehaviorSanitizer;
# the native unit tests under ThreadSanitizer. Needs g++ and libgtest-dev. Builds in copies of this checkout, so that its
# own build stays. Reports go to build-sanitize/*/reports, and one of them that has a frame of ours fails.
#
# `emulated`, which is done only where it is asked for, is the engine on cuDNN under all of these, on an emulated GPU. It
# needs CUDA's and cuDNN's headers (npm run setup:cuda).
#
#   scripts/test-sanitize.sh [native|addon|threads|emulated]...
set -euo pipefail
cd "$(dirname "$0")/.."
parts=("$@")
((${#parts[@]} > 0)) || parts=(native threads addon)

# What V8, oneDNN and OpenMP keep to the end of the process is not ours; any leak with a frame of ours in its stack fails.
export UBSAN_OPTIONS=print_stacktrace=1
cpu_only=(-DCUDNN_RESNET_CUDA=OFF)

native() {
  bash scripts/copy-checkout.sh build-sanitize/native
  (
    cd build-sanitize/native
    ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
      bash scripts/test-native.sh "${cpu_only[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCUDNN_RESNET_SANITIZE=address,undefined
  )
}

threads() {
  bash scripts/copy-checkout.sh build-sanitize/threads
  (
    cd build-sanitize/threads
    bash scripts/quietly.sh cmake -S . -B build-native "${cpu_only[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
      -DCUDNN_RESNET_STRICT=ON -DCUDNN_RESNET_NATIVE_TESTS=ON -DCUDNN_RESNET_SANITIZE=thread
    cmake --build build-native --parallel "$(nproc)"
    # Without the randomness of addresses that newer kernels have more of than this sanitizer bears, and without OpenMP's
    # threads, whose waiting for each other it does not see.
    OMP_NUM_THREADS=1 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 setarch "$(uname -m)" -R \
      build-native/native-tests --gtest_brief=1
  )
}

emulated() {
  local sanitizer
  for sanitizer in address,undefined thread; do
    bash scripts/copy-checkout.sh "build-sanitize/emulated-$sanitizer"
    (
      [ ! -d .cuda ] || ln -sfn "$PWD/.cuda" "build-sanitize/emulated-$sanitizer/.cuda"
      cd "build-sanitize/emulated-$sanitizer"
      bash scripts/quietly.sh cmake -S . -B build-native -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCUDNN_RESNET_STRICT=ON \
        -DCUDNN_RESNET_NATIVE_TESTS=ON "-DCUDNN_RESNET_SANITIZE=$sanitizer"
      cmake --build build-native --parallel "$(nproc)" --target cuda-on-host-tests
      # The threads of a kernel are fibers, with stacks that AddressSanitizer's search for uses after a return is slow with.
      ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0 \
        TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 setarch "$(uname -m)" -R \
        ctest --test-dir build-native --tests-regex cuda-on-host --output-on-failure
    )
  done
}

addon() {
  bash scripts/copy-checkout.sh build-sanitize/addon
  cd build-sanitize/addon
  # Node is not built with the sanitizer, so its runtime must be there before Node is.
  local preload
  preload=$(g++ -print-file-name=libasan.so)
  local options=log_path=$PWD/reports/report:exitcode=99:handle_abort=1:allocator_may_return_null=1:malloc_context_size=60
  # Node's own exit code is kept: what it and its libraries leave is in the reports as well, and is not ours.
  leaks() {
    LD_PRELOAD=$preload ASAN_OPTIONS=${options/exitcode=99/exitcode=0}:detect_leaks=1:fast_unwind_on_malloc=0 node "$@"
  }
  build() {
    bash scripts/quietly.sh npx cmake-js build --parallel "$(nproc)"
    rm -rf reports && mkdir reports
  }

  bash scripts/quietly.sh npx cmake-js configure --CDCUDNN_RESNET_CUDA=OFF --CDCUDNN_RESNET_SANITIZE=address,undefined
  printf 'test-sanitize: faults that are put into the addon, and must be found\n'
  cp test/support/faults.cc native/binding
  build
  local load='require("./build/Release/cudnn_resnet.node")' found fault
  leaks --eval "$load"
  WRITE_OUT_OF_BOUNDS=1 leaks --eval "$load"
  if found=$(node scripts/sanitizer-reports.mjs reports 2>&1); then
    found='' # it lets them pass
  fi
  for fault in 'Direct leak of' 'heap-buffer-overflow'; do
    grep -q "$fault" <<<"$found" || {
      printf 'test-sanitize: not found: %s\n' "$fault" >&2
      exit 1
    }
  done
  rm native/binding/faults.cc
  build
  bash scripts/build-lib.sh
  printf 'test-sanitize: the addon under vitest\n'
  # Two tests give a process little address space, of which the sanitizer needs terabytes; others bound resident memory.
  LD_PRELOAD=$preload ASAN_OPTIONS=$options:detect_leaks=0 \
    npx vitest run --testTimeout=600000 --testNamePattern '^(?!.*(where the system refuses|overload of))' \
    test/10 test/11 test/12 test/20 test/21 test/3 test/48 test/52 test/62 test/64 test/65
  printf 'test-sanitize: leaks at the end of a process\n'
  local name
  for name in return 'reading in the exit handler' 'disposing in the exit handler' 'collection between every two operations' \
    'a vm context'; do
    leaks --expose-gc test/standalone/exit.mjs "$name" cpu
  done
  for name in 'load, run and end' 'sixteen at once'; do
    leaks test/standalone/workers.mjs "$name" cpu
  done
  leaks test/standalone/leaks.mjs cpu
  node scripts/sanitizer-reports.mjs reports
}

for part in "${parts[@]}"; do
  case $part in
    native | threads | addon | emulated)
      printf '\ntest-sanitize: %s\n' "$part"
      ("$part")
      ;;
    *)
      printf 'test-sanitize: unknown part %s: native, threads, addon or emulated\n' "$part" >&2
      exit 2
      ;;
  esac
done
printf '\ntest-sanitize: nothing was found (%s)\n' "${parts[*]}"
