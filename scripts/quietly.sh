#!/usr/bin/env bash
# Runs a command, and shows what it printed only where it failed.
#
#   scripts/quietly.sh COMMAND [ARGUMENT...]
set -euo pipefail
log=$(mktemp)
trap 'rm "$log"' EXIT
"$@" >"$log" 2>&1 || {
  status=$?
  cat "$log"
  exit "$status"
}
