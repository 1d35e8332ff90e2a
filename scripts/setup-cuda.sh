#!/usr/bin/env bash
# Makes .cuda/ in the project: CUDA's compiler and libraries and cuDNN, from NVIDIA's wheels on the Python registry.
# For machines without a CUDA installation, or without the rights to make one. cmake/FindCUDNN.cmake finds it by itself.
#
#   scripts/setup-cuda.sh [FOLDER]
#
# To compile, nothing else is needed. To run, a GPU and its driver, 580 or newer for CUDA 13.
set -euo pipefail

folder=${1:-$(cd "$(dirname "$0")/.." && pwd)/.cuda}
python=${PYTHON:-python3}

# One release of CUDA throughout: nvcc, the headers it includes and NVRTC must be of the same minor version.
wheels=(
  nvidia-cuda-nvcc==13.0.88
  nvidia-cuda-crt==13.0.88
  nvidia-nvvm==13.0.88
  nvidia-cuda-runtime==13.0.96
  nvidia-cuda-cccl==13.0.85
  nvidia-cuda-nvrtc==13.0.88
  nvidia-cublas==13.0.2.14
  nvidia-cudnn-cu13==9.24.0.43
  nvidia-cudnn-frontend==1.23.0
)

fail() {
  printf 'setup-cuda: %s\n' "$1" >&2
  exit 1
}

[[ $(uname -s) == Linux ]] || fail "NVIDIA publishes CUDA 13 wheels for Linux (and WSL) only; this is $(uname -s)"
case $(uname -m) in
  x86_64 | aarch64) ;;
  *) fail "NVIDIA publishes no wheels for $(uname -m)" ;;
esac
command -v "$python" >/dev/null || fail "no $python on the PATH; set PYTHON to a Python 3.9 or newer"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "$python cannot make environments (Debian and Ubuntu: apt-get install python3-venv)"

# A record of what is installed makes a second run free, and a run that was cut off start again.
record="$folder/installed-wheels"
wanted=$(printf '%s\n' "${wheels[@]}")
if [[ -f $record && $(<"$record") == "$wanted" ]]; then
  echo "setup-cuda: $folder is up to date"
  exit 0
fi

[[ ! -e $folder || -f $folder/pyvenv.cfg ]] || fail "$folder exists and is no environment of this script's"
echo "setup-cuda: about 1 GB of wheels go to $folder"
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --no-cache-dir --no-deps --only-binary=:all: "${wheels[@]}"

site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
[[ -x $site/nvidia/cu13/bin/nvcc ]] || fail "the wheels hold no nvidia/cu13/bin/nvcc"
# nvcc looks for its libraries in lib64, where the toolkit's installer puts them.
[[ -e $site/nvidia/cu13/lib64 ]] || ln -s lib "$site/nvidia/cu13/lib64"

printf '%s\n' "$wanted" >"$record"
echo "setup-cuda: done; npm run configure && npm run build compiles with it"
