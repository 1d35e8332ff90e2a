#!/usr/bin/env bash
# Fuzzes for about so many seconds in all (default 60): the native code that needs no engine and the readers of weights,
# coverage-guided and from the corpora in the repository; the addon's entry points and the operations, structured.
#
#   scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

programs=(native/fuzz/*.cc)
each=$((seconds / 2 / ${#programs[@]}))
bash scripts/fuzz-native.sh "$((each > 0 ? each : 1))"
npx tsx test/fuzz/main.ts --seconds "$((seconds / 8 > 0 ? seconds / 8 : 1))"
# So many inputs of each property.
FUZZ_RUNS=$((seconds * 10)) npx vitest run test/11 test/41 test/65
