#!/usr/bin/env bash
# Format and lint of the native code and the scripts. Needs clang-format, clang-tidy, shellcheck and a configured build
# (npm run configure). With names of files: only those.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in clang-format clang-tidy shellcheck; do
  command -v "$tool" >/dev/null || {
    printf 'check: %s is missing: apt-get install %s\n' "$tool" "$tool" >&2
    exit 1
  }
done
[ -f build/compile_commands.json ] || {
  printf 'check: build/compile_commands.json is missing: npm run configure\n' >&2
  exit 1
}

git ls-files 'native/*.cc' 'native/*.h' 'native/*.cu' 'native/*.cuh' | xargs clang-format --dry-run -Werror
git ls-files 'scripts/*.sh' 'bench/*.sh' '.ci/run' | xargs shellcheck -x

# Only what this build compiles has the flags that clang-tidy needs.
files=$(node -p '
  JSON.parse(require("fs").readFileSync("build/compile_commands.json")).map((c) => c.file)
    .filter((f) => f.includes("/native/") && f.endsWith(".cc") && !f.includes("/native/test/")).join("\n")')
mapfile -t compiled <<<"$files"
if (($# > 0)); then
  compiled=("$@")
fi
printf '%s\n' "${compiled[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build --quiet 2> >(grep -v 'warnings generated' >&2)
printf 'check: the native code is clean (%d files)\n' "${#compiled[@]}"
