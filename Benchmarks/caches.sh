#!/usr/bin/env bash
# What caches and other accelerations gain and cost on the built-in models, beside fewer steps at equal time: writes Benchmarks/caches-MODEL.md and
# Benchmarks/caches-MODEL.png. A few minutes per model on two idle cores.
#
#   Benchmarks/caches.sh [MODEL…]      MODEL: emoji, emoji-unet (standard: both); SqueezeNet's figures need QUICKSTEP_DATA
#
# PROGRAM names the program, COUNT the pictures per prompt, WORK the folder for CacheQuant's calibrations (made from prompts of their own).
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
work="${WORK:-out/caches}"
mkdir -p "$work"
prompts=("red apple" fox owl pizza "hot beverage" panda strawberry hamburger)

blocks=(
  fora:interval=3 taylorseer:interval=4 taylorseer:interval=5 taylorseer:interval=6 taylorseer:interval=7
  taylorseer:interval=5,level=module,order=2 first-block-cache:threshold=0.1 cg-taylor:threshold=0.05 cg-taylor:threshold=0.1
  cg-taylor:threshold=0.15 dbcache speca teacache:threshold=0.15 pab easycache guidance-cache:interval=2
  "stitch:models=emoji-small,fraction=0.3" "taylorseer:interval=5 + guidance-cache:interval=2" "dpm++-2m + steps=20 + taylorseer:interval=3"
  "unipc + steps=10" "unipc + steps=10 + guidance-cache:interval=2,start=0.3"
  "unipc + steps=10 + stitch:models=emoji-small,fraction=0.3 + guidance-cache:interval=2,start=0.3"
)
nets=(
  deepcache:interval=2 deepcache:interval=3 deepcache:interval=5 deepcache:interval=3,branch=2 deepcache:interval=5,order=1
  deepcache:interval=5,schedule=centred faster-diffusion step-rehash fora:interval=3 guidance-cache:interval=2
  "deepcache:interval=3 + guidance-cache:interval=2" "unipc + steps=10" "unipc + steps=12 + deepcache:interval=2"
)

for model in "${@:-emoji emoji-unet}"; do
  for name in $model; do
    case "$name" in
      emoji) contenders=("${blocks[@]}") ;;
      emoji-unet) contenders=("${nets[@]}") ;;
      *) echo "unknown model '$name'; known: emoji, emoji-unet" >&2; exit 2 ;;
    esac
    for interval in 3 5 7; do
      calibration="$work/$name-$interval.safetensors"
      [ -f "$calibration" ] || "$program" calibrate cache lion koala whale lemon -m "$name" --samples 8 --solver ddim --steps 50 \
        --interval "$interval" -q -o "$calibration"
      contenders+=("cachequant:file=$calibration" "cachequant:file=$calibration,order=1")
    done
    # What the correction adds to the schedule.
    contenders+=("cachequant:file=$work/$name-3.safetensors,correct=false")
    # The paper's schedule.
    [ -f "$work/$name-paper.safetensors" ] || "$program" calibrate cache lion koala whale lemon -m "$name" --samples 8 --solver ddim --steps 50 \
      --interval 3 --weighting none -q -o "$work/$name-paper.safetensors"
    contenders+=("cachequant:file=$work/$name-paper.safetensors" "cachequant:file=$work/$name-paper.safetensors,correct=false")
    options=()
    for contender in "${contenders[@]}"; do options+=(--accelerate "$contender"); done
    "$program" compare "${prompts[@]}" -m "$name" --solver ddim --steps 50 --seed 1000 --count "${COUNT:-1}" "${options[@]}" \
      --markdown "Benchmarks/caches-$name.md" --plot "Benchmarks/caches-$name.png"
  done
done
