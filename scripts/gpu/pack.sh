#!/usr/bin/env bash
# Packs what a bare GPU machine without a network lacks for scripts/gpu/check.sh: Node and the packages of the project,
# cudnn-frontend's headers, GoogleTest and oneDNN. Needs `npm install` and `npm run setup:cuda` to have run here.
#
#   scripts/gpu/pack.sh [-o ARCHIVE]        default: build/gpu-pack.tar.xz
#
# The machine must have the processor architecture of this one and a C library at least as new.
set -euo pipefail
cd "$(dirname "$0")/../.."

archive=build/gpu-pack.tar.xz
while getopts 'o:' option; do
  case $option in
    o) archive=$OPTARG ;;
    *) exit 2 ;;
  esac
done

fail() {
  printf 'pack: %s\n' "$1" >&2
  exit 1
}
left_out() { printf 'pack: %s is not installed here and is left out\n' "$1" >&2; }

[[ -x node_modules/.bin/cmake-js && -x node_modules/.bin/vitest ]] || fail 'node_modules is not complete: npm install'
site=$(find .cuda/lib -maxdepth 2 -name site-packages -print -quit 2>/dev/null || true)
[[ -f $site/include/cudnn_frontend.h ]] || fail "cudnn-frontend's headers are missing: npm run setup:cuda"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
# With a plus where there is more than that commit.
if commit=$(git rev-parse HEAD 2>/dev/null); then
  printf '%s%s\n' "$commit" "$([[ -z $(git status --porcelain) ]] || echo +)" >"$stage/commit"
fi

mkdir -p "$stage/node/bin" "$stage/cudnn-frontend/include"
cp -L "$(node -p process.execPath)" "$stage/node/bin/node"
! command -v strip >/dev/null || strip "$stage/node/bin/node"
cp -r "$site/include/cudnn_frontend" "$site"/include/cudnn_frontend*.h "$site/include/cudnn_backend_base.h" \
  "$stage/cudnn-frontend/include/"

# Everything but what only formats, documents, draws, styles or serves editors.
mkdir "$stage/node_modules"
tar -C node_modules --exclude=./@biomejs --exclude=./typedoc --exclude=./@shikijs --exclude=./@gerrit0 \
  --exclude=./lunr --exclude=./markdown-it --exclude='./lightningcss*' --exclude='./typescript/lib/*tsserver*' \
  --exclude='./typescript/lib/*/diagnosticMessages*' --exclude='./.cache' --exclude='./.vite*' --exclude='*.map' -cf - . |
  tar -C "$stage/node_modules" -xf -

# oneDNN and GoogleTest as Debian installs them; without them the checks that need them say so.
pick() { # pick LIBRARY-PATTERN HEADER-FOLDER TARGET
  local library
  library=$(find /usr/lib /usr/lib64 -maxdepth 2 -name "$1" -print -quit 2>/dev/null || true)
  if [[ -z $library || ! -d $2 ]]; then
    left_out "$1"
    return
  fi
  mkdir -p "$stage/$3/lib" "$stage/$3/include"
  cp -P "${library%%.*}".* "$stage/$3/lib/"
  cp -r "$2" "$stage/$3/include/"
}
pick libdnnl.so /usr/include/oneapi onednn
# And what Debian's is linked with that a bare machine may lack.
if [[ -d $stage/onednn/lib ]]; then
  ldd "$stage/onednn/lib/libdnnl.so" | awk '/lib(OpenCL|gomp|tbb)\.so/ && $3 ~ /^\// { print $3 }' |
    xargs -I{} cp -L {} "$stage/onednn/lib/"
fi
pick libgtest.a /usr/include/gtest gtest
pick libgtest_main.a /usr/include/gtest gtest

mkdir -p "$(dirname "$archive")"
tar -C "$stage" -cf - . | xz -9 >"$archive"
bytes=$(stat -c %s "$archive")
printf 'pack: %s, %d MB\n' "$archive" $((bytes / 1000000))
((bytes < 60000000)) || fail 'the archive is larger than 60 MB'
