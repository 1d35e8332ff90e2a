#!/usr/bin/env bash
# Sets this checkout up on Debian or Ubuntu: installs the system libraries that the build needs, then the package. Needs
# Node, git and a C++ compiler, and root or sudo where a library is missing. Running it again is quick.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the build needs: oneDNN, the engine on the CPU, and CMake with make, unless they are here in another way.
packages=(libdnnl-dev)
command -v cmake >/dev/null || packages+=(cmake)
command -v make >/dev/null || packages+=(make)

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

command -v node >/dev/null || fail "Node 20.17 or newer is not installed: see https://nodejs.org/en/download"
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 17) ? 0 : 1)' ||
  fail "Node $(node --version) is too old: 20.17 or newer is needed"
command -v c++ >/dev/null || fail "there is no C++ compiler: apt-get install g++, dnf install gcc-c++, or xcode-select --install"

if command -v dpkg-query >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  if ((${#missing[@]} > 0)); then
    printf 'setup: installing %s\n' "${missing[*]}"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
      command -v sudo >/dev/null || fail "run this as root, or install sudo, or have an administrator run: apt-get install ${missing[*]}"
      as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
else
  printf 'setup: no apt here; make sure that these are installed: cmake, make, oneDNN\n'
  printf '  Fedora: dnf install cmake make onednn-devel      macOS: brew install cmake onednn libomp\n'
fi

npm install --no-fund --no-audit
printf 'setup: ready\n'
