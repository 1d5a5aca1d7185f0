#!/usr/bin/env bash
# Places everything Quickstep needs outside of Swift: libtorch 2.11.0 (out of PyPI's torch wheel, checked by hash) and
# the development files of libpng and SQLite. Idempotent, safe to interrupt, silent and offline once everything is in place.
#
#   Scripts/setup.sh            CPU: libtorch and the two small CUDA wheels libtorch_cpu.so is linked against
#   CUDA=1 Scripts/setup.sh     also the CUDA libraries that libtorch_cuda.so needs
#
# QUICKSTEP_CACHE   where libtorch is unpacked      (default: ${XDG_CACHE_HOME:-~/.cache}/quickstep)
# QUICKSTEP_PYTHON  the python whose pip is used     (default: python3)
set -euo pipefail
cd "$(dirname "$0")/.."

torch_version=2.11.0
python=${QUICKSTEP_PYTHON:-python3}
cache=${QUICKSTEP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quickstep}
arch=$(uname -m)
flavour=cpu; [ "${CUDA:-0}" = 1 ] && flavour=cuda
target=$cache/libtorch-$torch_version-$arch-$flavour

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- system libraries -----------------------------------------------------------------------------------------------
packages=(libpng-dev libsqlite3-dev pkg-config)
have_system() { command -v pkg-config >/dev/null && pkg-config --exists libpng sqlite3; }
if ! have_system; then
  install="apt-get install -y --no-install-recommends ${packages[*]}"
  if command -v apt-get >/dev/null; then
    as_root=""
    if [ "$(id -u)" != 0 ]; then
      command -v sudo >/dev/null && sudo -n true 2>/dev/null && as_root="sudo -n" ||
        die "the development files of libpng or SQLite are missing. Run:  sudo apt-get update && sudo $install"
    fi
    say "installing ${packages[*]}"
    $as_root apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive $as_root $install >/dev/null
  fi
  have_system || die "the development files of libpng or SQLite are missing; install them with your package manager (Debian: apt-get install ${packages[*]})"
fi
command -v swift >/dev/null || die "swift is not on the PATH; Swift 6.1 or newer is needed (swift.org/install)"

# --- libtorch -------------------------------------------------------------------------------------------------------
# Hashes of the wheels as PyPI serves them, for the interpreter tag that pip is asked for below (cp312; the shared
# libraries inside do not depend on it).
case $arch in
  x86_64)
    platforms=(manylinux_2_28_x86_64 manylinux_2_25_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64)
    wheels=(
      "torch==2.11.0 --hash=sha256:0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756"
      "nvidia-cuda-runtime==13.0.96 --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"
      "nvidia-cuda-cupti==13.0.85 --hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8") ;;
  *) die "no pinned libtorch wheel for $arch yet; x86_64 Linux is supported" ;;
esac

place_libtorch() {
  "$python" -m pip --version >/dev/null 2>&1 || die "$python -m pip does not run; install Python 3 with pip, or set QUICKSTEP_PYTHON"
  mkdir -p "$cache"
  # One unpacking at a time; whoever waited finds the work done.
  exec 9>"$cache/.lock"; flock 9
  [ -f "$target/.complete" ] && return
  free_kb=$(df -Pk "$cache" | awk 'NR==2 {print $4}')
  [ "$free_kb" -gt 4000000 ] || die "$cache needs 4 GB of free space, it has $((free_kb / 1024)) MB"
  local work=$target.partial; rm -rf "$work"; mkdir -p "$work/wheels"
  printf '%s\n' "${wheels[@]}" >"$work/requirements.txt"
  local options=(--quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp --disable-pip-version-check)
  for p in "${platforms[@]}"; do options+=(--platform "$p"); done
  say "fetching libtorch $torch_version (about 530 MB, once per machine)"
  "$python" -m pip download "${options[@]}" --require-hashes -r "$work/requirements.txt" -d "$work/wheels" ||
    die "the download failed; run this again to retry (nothing half-done is kept)"
  if [ "$flavour" = cuda ]; then
    say "fetching the CUDA libraries (about 2 GB)"
    "$python" -m pip download "${options[@]}" -d "$work/wheels" nvidia-cudnn-cu13==9.19.0.56 nvidia-cusparselt-cu13==0.8.0 \
      nvidia-nccl-cu13==2.28.9 nvidia-nvshmem-cu13==3.4.5 'nvidia-cublas==13.1.0.3' 'nvidia-cufft==12.0.0.61' 'nvidia-cufile==1.15.1.6' \
      'nvidia-curand==10.4.0.35' 'nvidia-cusolver==12.0.4.66' 'nvidia-cusparse==12.6.3.3' 'nvidia-nvjitlink==13.0.88' \
      'nvidia-cuda-nvrtc==13.0.88' 'nvidia-nvtx==13.0.85' || die "the download of the CUDA libraries failed"
  fi
  "$python" - "$work" "$flavour" <<'PY'
import glob, os, sys, zipfile
work, flavour = sys.argv[1:]
wanted = ("torch/lib/lib", "torch/include/")
skip = ("libtorch_python", "libshm", "libtorch_global_deps") + (() if flavour == "cuda" else ("libtorch_cuda", "libc10_cuda", "libcaffe2_nvrtc", "libtorch_nvshmem"))
for wheel in sorted(glob.glob(work + "/wheels/*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            name, base = member.filename, os.path.basename(member.filename)
            if name.startswith("torch/"):
                if not name.startswith(wanted) or base.startswith(skip):
                    continue
                out = name[len("torch/"):]
            elif "/lib/" in name and ".so" in base:
                out = "lib/" + base
            else:
                continue
            if member.is_dir():
                continue
            path = os.path.join(work, "tree", out)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as sink:
                while block := source.read(1 << 22):
                    sink.write(block)
PY
  rm -rf "$target"
  touch "$work/tree/.complete"
  mv "$work/tree" "$target"
  rm -rf "$work"
}

[ -f "$target/.complete" ] || place_libtorch
# `libtorch.pc` is how SwiftPM learns of the headers and libraries. Written anew when the cache has moved.
if [ "$(readlink .libtorch 2>/dev/null || true)" != "$target" ]; then
  [ -e .libtorch ] && [ ! -L .libtorch ] && die ".libtorch exists and is not a link; move it away"
  ln -sfn "$target" .libtorch
fi
pc="prefix=$target
Name: libtorch
Description: libtorch out of the torch wheel
Version: $torch_version
Cflags: -I\${prefix}/include -I\${prefix}/include/torch/csrc/api/include
Libs: -L\${prefix}/lib -ltorch_cpu -lc10"
[ "$(cat "$target/libtorch.pc" 2>/dev/null || true)" = "$pc" ] || { printf '%s\n' "$pc" >"$target/libtorch.pc.new" && mv "$target/libtorch.pc.new" "$target/libtorch.pc"; }
