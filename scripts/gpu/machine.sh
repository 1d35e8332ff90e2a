#!/usr/bin/env bash
# A bare machine with a GPU made ready: sourced by check.sh and bench.sh, which set `archive`, what pack.sh made, `work`,
# the folder that all goes to, and `out`. Sets `tree`, a copy of the checkout with its packages, `commit`, `gpu`, `driver` and the
# environment, and defines `build`.
# shellcheck disable=SC2154,SC2034  # what those that source this set and read
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$work"
work=$(cd "$work" && pwd)
tree=$work/tree

[[ -f $archive ]] || { printf '%s is missing: run scripts/gpu/pack.sh where there is a network\n' "$archive" >&2 && exit 2; }
if [[ ! -d $tree/node_modules ]]; then  # which is there where all of the archive is
  mkdir -p "$work/pack" "$tree"
  if command -v xz >/dev/null; then
    tar -C "$work/pack" --no-same-owner -xJf "$archive"
  else
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$archive" "$work/pack"
  fi
  mv "$work/pack/node_modules" "$tree/node_modules"
fi
# The sources anew each time: what was mended since is to be checked, and is all that is built again. To be
# written to, whatever the checkout allows.
without=(node_modules build 'build-*' .cuda dist .git bench/node_modules bench/.python bench/.cache)
for folder in "$work" "$out"; do
  [[ $folder != "$repository"/* ]] || without+=("${folder#"$repository"/}")
done
find "$tree" -mindepth 1 -maxdepth 1 ! -name node_modules ! -name build -exec rm -rf {} +
tar -C "$repository" --mode=u+rwX "${without[@]/#/--exclude=./}" -cf - . | tar -C "$tree" --no-same-owner -xf -
# What is built here would be older than its sources where the clock that dated them was ahead of this one's.
find "$tree" -type f -newermt now -exec touch {} +
# With a plus where there is more than that commit, as pack.sh writes it.
if [[ -e $repository/.git ]] && commit=$(git -C "$repository" rev-parse HEAD 2>/dev/null); then
  [[ -z $(git -C "$repository" status --porcelain --untracked-files=no) ]] || commit+=+
else
  commit=$(cat "$work/pack/commit" 2>/dev/null || echo unknown)
fi

export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0}  # one is enough, and there is not the time for eight
export CUDA_DEVICE_ORDER=PCI_BUS_ID                     # nvidia-smi's
export PATH=$work/pack/node/bin:$PATH
export CUDNN_FRONTEND_PATH=$work/pack/cudnn-frontend
[[ ! -d $work/pack/onednn ]] || export ONEDNN_PATH=$work/pack/onednn
export LD_LIBRARY_PATH=$work/pack/onednn/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# Of the GPU that is used; of the first where nvidia-smi knows none of that name. It does not end where a GPU hangs.
ask=(timeout 10 nvidia-smi '--query-gpu=name,driver_version,compute_cap' '--format=csv,noheader')
said=$("${ask[@]}" "--id=${CUDA_VISIBLE_DEVICES%%,*}" 2>/dev/null) || said=$("${ask[@]}" 2>/dev/null) || said=
IFS=, read -r gpu driver capability <<<"$said"
driver=${driver# }
# Machine code for the GPU that is here, and for no other: a quarter of the time. Not `native`, which an older CMake does
# not know.
capability=${capability//[^0-9]/}
export CUDAARCHS=${CUDAARCHS:-${capability:-90}-real}
# For nvcc and compute-sanitizer. NVIDIA's wheel of the latter lacks the program that it starts others with.
export PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
# cmake-js looks for it, CMake itself for make alone, as test/82 starts it.
command -v make >/dev/null || export CMAKE_GENERATOR=Ninja

# In the tree. The addon and the native tests at once: the engine is compiled once.
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
export -f build
