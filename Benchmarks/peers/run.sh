#!/usr/bin/env bash
# Components of published sizes against OpenVINO, diffusers and torch.compile, in turns: `make bench-peers`.
#
#   ROUNDS=5 WORK=FOLDER Benchmarks/peers/run.sh [NAME …]     names: sd15-unet vae sdxl-unet pixart flux; --only CONTENDER
#
# Needs about 40 GB of disk in WORK (default: out/peers), 24 GB of memory and an idle machine. Writes out/bench-peers.md, with what earlier calls
# measured of other networks, and replaces the section of RESULTS.md by it once all are there. ROUNDS and RUNS count the rounds and the evaluations within one.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(Parity/environment.sh)
# OpenVINO lives beside the environment of parity: its requirements on numpy differ from those of others.
openvino="${QUICKSTEP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quickstep}/openvino-2026.4.1"
if [ ! -d "$openvino" ]; then
  rm -rf "$openvino.partial"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$openvino.partial" openvino==2026.4.1 openvino-telemetry==2025.2.0 >&2
  mv "$openvino.partial" "$openvino"
fi
export PYTHONPATH="$openvino${PYTHONPATH:+:$PYTHONPATH}"
work="${WORK:-out/peers}"
mkdir -p "$work" out
"$python" Benchmarks/peers/bench.py --program "${PROGRAM:-.build/release/quickstep}" --work "$work" --rounds "${ROUNDS:-5}" --runs "${RUNS:-3}" --markdown out/bench-peers.md "$@"
# What was measured by hand before stays until all networks are there.
if [ "$(grep -c '^### ' out/bench-peers.md)" -eq 5 ]; then
  python3 Benchmarks/section.py Benchmarks/RESULTS.md peers out/bench-peers.md
else
  echo "out/bench-peers.md holds some of the networks; RESULTS.md is left as it is" >&2
fi
