#!/usr/bin/env bash
# Builds a copy of this checkout with CUDA 12 and the oldest cuDNN and cudnn-frontend that the package takes, for every
# architecture that this CUDA knows and with warnings as errors, and has it plan ResNets. Needs no GPU.
#
# NVIDIA's wheels of CUDA 12 hold no nvcc. That of CUDACXX, or of PATH, is taken where it is of CUDA 12, else Debian 13's,
# whose packages are unpacked beside the copy and not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
cudnn=9.8.0.87
frontend=1.15.0
# For the tests: 9.8 has a driver load some of what it compiles.
newer_cudnn=$(sed -n 's/^cudnn=\([0-9.]*\).*/\1/p' scripts/setup-cuda.sh)
folder=$PWD/build-cuda-12

fail() {
  printf 'test-cuda-12: %s\n' "$1" >&2
  exit 1
}

# Debian 13's packages of those names, from the mirror that this system uses, into the folder that this is run in.
download_from_debian_13() {
  local mirror state=$PWD/apt
  # shellcheck disable=SC2016 # apt's variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  [ -n "$mirror" ] || fail "apt knows no mirror of Debian here; set CUDACXX to an nvcc of CUDA 12"
  mkdir -p "$state"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main non-free\n' "$mirror" >"$state/sources.list"
  local apt=(apt-get -qq -o "Dir::State=$state" -o "Dir::Cache=$state" -o Dir::State::status=/dev/null
    -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root)
  "${apt[@]}" update
  "${apt[@]}" download "$@"
}

# What a build needs of CUDA 12.4, as NVIDIA's installer lays it out.
unpack_toolkit() {
  local packages=$1.packages
  mkdir -p "$packages/all"
  (cd "$packages" && download_from_debian_13 nvidia-cuda-toolkit nvidia-cuda-dev libcu++-dev)
  unpack() {
    dpkg-deb --fsys-tarfile "$packages/$1"_*.deb | tar x -C "$packages/all" --no-same-owner --wildcards "${@:2}"
  }
  unpack nvidia-cuda-toolkit './usr/bin/*' './usr/lib/nvidia-cuda-toolkit/bin/*' './usr/lib/nvidia-cuda-toolkit/libdevice/*'
  unpack nvidia-cuda-dev './usr/include/*' '*/libcudart_static.a' '*/libcudadevrt.a'
  unpack libcu++-dev './usr/include/*'
  local from=$packages/all/usr
  mkdir -p "$1/nvvm/bin" "$1/lib64"
  mv "$from/bin" "$from/include" "$1/"
  mv "$from/lib/nvidia-cuda-toolkit/bin/"{nvcc,crt} "$1/bin/"
  mv "$from/lib/nvidia-cuda-toolkit/bin/cicc" "$1/nvvm/bin/"
  mv "$from/lib/nvidia-cuda-toolkit/libdevice" "$1/nvvm/"
  mv "$from"/lib/*-linux-gnu/libcuda*.a "$1/lib64/"
  cat >"$1/bin/nvcc.profile" <<'PROFILE'
TOP = $(_HERE_)/..
CICC_PATH = $(TOP)/nvvm/bin
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
PATH += $(CICC_PATH):$(_HERE_):
INCLUDES += "-I$(TOP)/include" $(_SPACE_)
LIBRARIES =+ $(_SPACE_) "-L$(TOP)/lib64"
PROFILE
  rm -rf "$packages"
}

bash scripts/copy-checkout.sh "$folder"
export CUDACXX=${CUDACXX:-nvcc}
if [[ $("$CUDACXX" --version 2>/dev/null || true) != *"release 12."* ]]; then
  CUDACXX=$folder/toolkit/bin/nvcc
  [ -x "$CUDACXX" ] || unpack_toolkit "$folder/toolkit"
fi
"$CUDACXX" --version | tail -n 2

cd "$folder"
bash scripts/setup-cuda.sh --cuda 12 --cudnn "$cudnn"
.cuda/bin/python -m pip install --quiet --no-deps --only-binary=:all: "nvidia-cudnn-frontend==$frontend"
npm run --silent configure >configure.log 2>&1 || { cat configure.log; exit 1; }
grep 'cudnn-resnet: the CUDA engine' configure.log || { cat configure.log; exit 1; }
bash scripts/quietly.sh npx cmake-js build --parallel "$(nproc)"
bash scripts/build-lib.sh
node -e "import('cudnn-resnet').then(({ diagnose }) => console.log(diagnose()))"
node dist/cli/main.js plan --model resnet18,resnet50 --dtype float32,tf32,float16,bfloat16 --gpu h200,t4

[ -d newer-cudnn ] ||
  .cuda/bin/python -m pip install --quiet --no-deps --only-binary=:all: --target newer-cudnn "nvidia-cudnn-cu12==$newer_cudnn"
CUDNN_PATH=$folder/newer-cudnn/nvidia/cudnn npx vitest run test/81
