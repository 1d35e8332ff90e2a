#!/usr/bin/env bash
# Makes .cuda/ in the project: CUDA's compiler and libraries and cuDNN, from NVIDIA's wheels on the Python registry.
# For machines without a CUDA installation, or without the rights to make one. The build finds it there by itself, in
# another FOLDER by that one's bin/ on the PATH.
#
#   scripts/setup-cuda.sh [--cuda 12|13] [--cudnn VERSION] [FOLDER]      default: those below, .cuda in the project
#
# For CUDA 12 NVIDIA's wheels hold no nvcc: an nvcc of CUDA 12 must be there (CUDACXX, PATH, /usr/local/cuda; Debian 13:
# nvidia-cuda-toolkit, in non-free), and the wheels give cuDNN and what it opens. To compile, nothing else is needed. To run,
# a GPU and its driver, 580 or newer for CUDA 13, 525 or newer for CUDA 12.
set -euo pipefail

fail() {
  printf 'setup-cuda: %s\n' "$1" >&2
  exit 1
}

cuda=13
cudnn=9.24.0.43 # test-cuda-12.sh reads this line
folder=$(cd "$(dirname "$0")/.." && pwd)/.cuda
while (($# > 0)); do
  case $1 in
    --cuda | --cudnn)
      (($# > 1)) || fail "$1 wants a value"
      printf -v "${1#--}" %s "$2" && shift 2
      ;;
    -*) fail "unknown option $1; known are --cuda 12|13 and --cudnn VERSION" ;;
    *) folder=$1 && shift ;;
  esac
done
python=${PYTHON:-python3}

case $cuda in
  # One release of CUDA throughout: nvcc, the headers it includes and NVRTC must be of the same minor version.
  13) wheels=(nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96
    nvidia-cuda-cccl==13.0.85 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.0.2.14) ;;
  12) wheels=(nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cublas-cu12==12.9.1.4) ;;
  *) fail "--cuda is 12 or 13, got $cuda" ;;
esac
wheels+=("nvidia-cudnn-cu$cuda==$cudnn" nvidia-cudnn-frontend==1.23.0)

[[ $(uname -s) == Linux ]] || fail "NVIDIA publishes CUDA $cuda wheels for Linux (and WSL) only; this is $(uname -s)"
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

if [[ $cuda == 13 ]]; then
  toolkit=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13
  [[ -x $toolkit/bin/nvcc ]] || fail "the wheels hold no nvidia/cu13/bin/nvcc"
  # nvcc looks for its libraries in lib64, where the toolkit's installer puts them.
  [[ -e $toolkit/lib64 ]] || ln -s lib "$toolkit/lib64"
fi

printf '%s\n' "$wanted" >"$record"
if [[ $cuda == 12 ]]; then
  nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
  [[ $("$nvcc" --version 2>/dev/null || true) == *"release 12."* ]] ||
    echo "setup-cuda: $nvcc is no nvcc of CUDA 12; without one the build leaves the CUDA engine out" >&2
fi
echo "setup-cuda: done; npm run configure && npm run build compiles with it"
