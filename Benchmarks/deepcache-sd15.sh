#!/usr/bin/env bash
# What DeepCache gains on a U-Net of Stable Diffusion 1.5's size with random weights, at N = 3 and 5, beside what the work it leaves out predicts.
#
#   ROUNDS=5 WORK=FOLDER Benchmarks/deepcache-sd15.sh
#
# WORK (default: out/peers) holds sd15-unet as Benchmarks/peers/run.sh makes it: run that with the name sd15-unet first. Needs an idle machine.
set -euo pipefail
cd "$(dirname "$0")/.."
work="${WORK:-out/peers}/sd15-unet"
if [ ! -f "$work/inputs.safetensors" ]; then
  echo "there is no $work/inputs.safetensors; Benchmarks/peers/run.sh sd15-unet makes it" >&2
  exit 2
fi
mkdir -p out
"${PROGRAM:-.build/release/quickstep}" bench deepcache "$work" --inputs "$work/inputs.safetensors" --rounds "${ROUNDS:-5}" \
  --interval 3 --interval 5 --branch "${BRANCH:-0}" --markdown out/deepcache-sd15.md
