#!/usr/bin/env bash
# Finds the recipes of the built-in models: writes Models/MODEL/recipe.json, and Benchmarks/tune-MODEL.html and .png beside it. Needs two idle cores.
#
#   Benchmarks/tune.sh [MODEL…]      MODEL: emoji, emoji-unet, emoji-small, digits (standard: all)
#
# What is looked for: the fastest way whose recognition and Fréchet distance to real pictures cannot be told from those of 50 steps of DDIM, on KEEP pictures
# (150), and whose mean SSIM to it is at least TARGET (0.9; digits 0.95) by the worse end of its interval: few plain steps keep the two figures as well, but not the
# pictures. PROGRAM names the program, BUDGET the time for each model (15m), WORK where trials are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
work="${WORK:-out/tune}"
mkdir -p "$work"
models=("$@")
[ ${#models[@]} -gt 0 ] || models=(emoji emoji-unet emoji-small digits)
for model in "${models[@]}"; do
  companions=() first=5 target=0.9
  [ "$model" = emoji ] && companions=(--companion emoji-small)
  [ "$model" = digits ] && first=1 target=0.95
  "$program" tune --model "$model" --budget "${BUDGET:-15m}" --steps 50 --solver ddim --target-quality "${TARGET:-$target}" \
    --keep recognition:first="$first" --keep frechet --keep-count "${KEEP:-150}" \
    --search-count 4 --check-count 10 --fit-count 10 "${companions[@]}" --output "$work/$model.json"
  cp "$work/$model.json" "Models/$model/recipe.json"
  cp "$work/$model.html" "Benchmarks/tune-$model.html"
  cp "$work/$model.png" "Benchmarks/tune-$model.png"
done
