#!/usr/bin/env bash
# Copies the working tree to a folder, where it can be built in another way than here. What is copied again keeps the times of
# its files, so that only what changed is built again.
#
#   scripts/copy-checkout.sh FOLDER
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# What the checkout no longer has would be built all the same.
rm -rf "${folder:?}"/{cmake,lib,native,scripts,test}
# What git knows and was deleted since is left out.
comm -z -23 <(git ls-files -z --cached --others --exclude-standard | sort -z) <(git ls-files -z --deleted | sort -z) |
  xargs -0 cp --parents --update --preserve=timestamps --no-dereference --target-directory="$folder"
ln -sfn "$PWD/node_modules" "$folder/node_modules"
