#!/usr/bin/env bash
# Finds the recipes of the built-in models: writes Models/MODEL/recipe.json, and Benchmarks/tune-MODEL.html and .png beside it. Needs two idle cores.
#
#   Benchmarks/tune.sh [MODEL…]      MODEL: emoji, emoji-unet, digits (standard: all)
#
# PROGRAM names the program, BUDGET the time for each model (15m), TARGET the worst mean SSIM to 50 steps of DDIM (0.95), WORK where trials are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
work="${WORK:-out/tune}"
mkdir -p "$work"
models=("$@")
[ ${#models[@]} -gt 0 ] || models=(emoji emoji-unet digits)
for model in "${models[@]}"; do
  companions=()
  [ "$model" = emoji ] && companions=(--companion emoji-small)
  "$program" tune --model "$model" --budget "${BUDGET:-15m}" --target-quality "${TARGET:-0.95}" --steps 50 --solver ddim \
    "${companions[@]}" --output "$work/$model.json"
  cp "$work/$model.json" "Models/$model/recipe.json"
  cp "$work/$model.html" "Benchmarks/tune-$model.html"
  cp "$work/$model.png" "Benchmarks/tune-$model.png"
done
