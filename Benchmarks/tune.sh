#!/usr/bin/env bash
# Finds the recipes of the built-in models: writes Models/MODEL/recipe.json, and Benchmarks/tune-MODEL.html and .png beside it. Needs two idle cores.
#
#   Benchmarks/tune.sh [MODEL…]      MODEL: emoji, emoji-unet, emoji-small, digits (standard: all)
#
# What is looked for: the fastest way whose recognition (right at once and in the first five) and Fréchet distance to real pictures cannot be told from those of 50
# steps of DDIM, on KEEP pictures (200), and whose mean SSIM to it is at least TARGET (0.9; digits 0.95) by the worse end of its interval. Of emoji two judges are
# asked: the classifier that comes with the models, and the nearest real pictures in SqueezeNet's features, which needs the data sets (QUICKSTEP_DATA).
# PROGRAM names the program, BUDGET the time for each model (15m), WORK where trials are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
work="${WORK:-out/tune}"
mkdir -p "$work"
models=("$@")
[ ${#models[@]} -gt 0 ] || models=(emoji emoji-unet emoji-small digits)
lookup="emoji-retrieval:groups=Smileys & Emotion/Animals & Nature/Food & Drink,styles=fluent-3d/fluent-color/fluent-flat/noto/twemoji/blob"
missing=()
for model in "${models[@]}"; do
  rm -f "$work/$model.json" "$work/$model.html" "$work/$model.png"
  target=0.9 judges=(--keep recognition:first=5 --keep recognition:first=1,margin=0.05 --net emoji-classifier --net "$lookup") companions=() counts=(--search-count 4 --fit-count 10)
  [ "$model" = emoji ] && companions=(--companion emoji-small)
  [ "$model" = digits ] && target=0.95 judges=(--keep recognition) counts=(--search-count 5 --fit-count 12)
  "$program" tune --model "$model" --budget "${BUDGET:-15m}" --steps 50 --solver ddim --target-quality "${TARGET:-$target}" \
    "${judges[@]}" --keep frechet --keep-count "${KEEP:-200}" \
    --check-count 10 "${counts[@]}" "${companions[@]}" --output "$work/$model.json" || missing+=("$model")
  # Where nothing reaches the target there is a report and no recipe.
  [ ! -f "$work/$model.json" ] || cp "$work/$model.json" "Models/$model/recipe.json"
  for kind in html png; do [ ! -f "$work/$model.$kind" ] || cp "$work/$model.$kind" "Benchmarks/tune-$model.$kind"; done
done
[ ${#missing[@]} -eq 0 ] || { echo "no recipe for: ${missing[*]}" >&2; exit 1; }
