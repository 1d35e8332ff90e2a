#!/usr/bin/env bash
# Makes dist/ of lib/: the types of each module, and both entry points with what they share, bundled. Without --keep-names a
# class that names itself, as Tensor does, would be called _Tensor.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf dist
node_modules/.bin/tsc -p tsconfig.build.json
node_modules/.bin/esbuild lib/index.ts lib/cli/main.ts --bundle --splitting --format=esm --platform=node \
  --target=node20.17 --packages=external --keep-names --outdir=dist --log-level=warning
