#!/usr/bin/env bash
# Whether recipes keep what the exact run shows, by judges that no search has asked: retrieval by SqueezeNet's features among real emoji, with the paired
# difference, and for digits accuracy and Fréchet distance to real digits. Needs the data sets (QUICKSTEP_DATA).
#
#   Benchmarks/kept.sh [MODEL…]      MODEL: emoji, emoji-unet, emoji-small, digits (standard: all)
#
# COUNT is the number of pictures (200 pairs of each kind; 1,000 digits). PROGRAM names the program, THREADS the threads.
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
threads=()
[ -z "${THREADS:-}" ] || threads=(--threads "$THREADS")
models=("$@")
[ ${#models[@]} -gt 0 ] || models=(emoji emoji-unet emoji-small digits)
for model in "${models[@]}"; do
  recipe="Models/$model/recipe.json"
  echo "$model"
  if [ "$model" = digits ]; then
    "$program" evaluate digits --model digits --recipe "$recipe" --count "${COUNT:-1000}" "${threads[@]}"
    "$program" evaluate digits --model digits --solver ddim --steps 50 --count "${COUNT:-1000}" "${threads[@]}"
  else
    "$program" evaluate retrieval --model "$model" --recipe "$recipe" --beside "ddim + steps=50" --count "${COUNT:-200}" "${threads[@]}"
  fi
done
