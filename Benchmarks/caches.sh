#!/usr/bin/env bash
# What caches and other accelerations gain and cost on the built-in models, beside fewer steps at equal time: writes the table of
# Benchmarks/caches-MODEL.md, and Benchmarks/caches-MODEL.png. Ten minutes per model and picture of each prompt, on two idle cores.
#
#   Benchmarks/caches.sh [MODEL…]      MODEL: emoji, emoji-unet (standard: both); SqueezeNet's figures need QUICKSTEP_DATA
#
# PROGRAM names the program, COUNT the pictures per prompt, WORK the folder for calibrations (made from prompts of their own).
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
work="${WORK:-out/caches}"
mkdir -p "$work"
prompts=("red apple" fox owl pizza "hot beverage" panda strawberry hamburger)

blocks=(
  fora:interval=3 taylorseer:interval=4 taylorseer:interval=5 taylorseer:interval=6 taylorseer:interval=7
  taylorseer:interval=5,level=module,order=2 first-block-cache:threshold=0.1 cg-taylor:threshold=0.05 cg-taylor:threshold=0.1
  cg-taylor:threshold=0.2 cg-taylor:threshold=0.1,warmup=1 cg-taylor:threshold=0.3,continuous=6
  cg-taylor:threshold=0.3,continuous=8,warmup=1 dbcache dbcache:threshold=0.15,estimate=taylor speca teacache:threshold=0.15 pab
  pab:interval=4 easycache easycache:threshold=0.01 fastercache toca toca:interval=3,fresh=0.2 layer-skip:layers=blocks.3 guidance-cache:interval=2
  "stitch:models=emoji-small,fraction=0.3" "taylorseer:interval=5 + guidance-cache:interval=2" "dpm++-2m + steps=20 + taylorseer:interval=3"
  "unipc + steps=10" "unipc + steps=10 + guidance-cache:interval=2,start=0.3"
  "unipc + steps=10 + stitch:models=emoji-small,fraction=0.3 + guidance-cache:interval=2,start=0.3"
  "dpm++-2m + steps=10" "dpm++-2m + steps=10 + ilf:module=Models/emoji-feedback/feedback"
)
# Made from runs of the model.
fitted() {
  local kind
  for kind in magcache smoothcache teacache; do
    [ -f "$work/emoji-$kind.json" ] || "$program" calibrate "$kind" "${others[@]}" -m emoji --samples 8 --solver ddim --steps 50 -q \
      -o "$work/emoji-$kind.json"
  done
  contenders+=(
    "magcache:file=$work/emoji-magcache.json" "smoothcache:file=$work/emoji-smoothcache.json"
    "teacache:file=$work/emoji-teacache.json,threshold=0.02" plan:file=Models/emoji-router/plan.json
  )
}
others=(lion koala whale lemon)

nets=(
  deepcache:interval=2 deepcache:interval=3 deepcache:interval=5 deepcache:interval=3,branch=2 deepcache:interval=5,order=1
  deepcache:interval=5,schedule=centred faster-diffusion faster-diffusion:noise=0 faster-diffusion:schedule=uniform,interval=2,noise=0
  step-rehash fora:interval=3 pab easycache fastercache
  layer-skip:layers=mid_block guidance-cache:interval=2
  "deepcache:interval=3 + guidance-cache:interval=2" "unipc + steps=10" "unipc + steps=12 + deepcache:interval=2"
)

for model in "${@:-emoji emoji-unet}"; do
  for name in $model; do
    case "$name" in
      emoji) contenders=("${blocks[@]}"); fitted ;;
      emoji-unet) contenders=("${nets[@]}") ;;
      *) echo "unknown model '$name'; known: emoji, emoji-unet" >&2; exit 2 ;;
    esac
    for interval in 3 5 7; do
      calibration="$work/$name-$interval.safetensors"
      [ -f "$calibration" ] || "$program" calibrate cache "${others[@]}" -m "$name" --samples 8 --solver ddim --steps 50 \
        --interval "$interval" -q -o "$calibration"
      contenders+=("cachequant:file=$calibration" "cachequant:file=$calibration,order=1")
    done
    # What the correction adds to the schedule.
    contenders+=("cachequant:file=$work/$name-3.safetensors,correct=false")
    # The paper's schedule.
    [ -f "$work/$name-paper.safetensors" ] || "$program" calibrate cache "${others[@]}" -m "$name" --samples 8 --solver ddim --steps 50 \
      --interval 3 --weighting none -q -o "$work/$name-paper.safetensors"
    contenders+=("cachequant:file=$work/$name-paper.safetensors" "cachequant:file=$work/$name-paper.safetensors,correct=false")
    options=()
    for contender in "${contenders[@]}"; do options+=(--accelerate "$contender"); done
    "$program" compare "${prompts[@]}" -m "$name" --solver ddim --steps 50 --seed 1000 --count "${COUNT:-1}" "${options[@]}" \
      --markdown "$work/$name.md" --plot "Benchmarks/caches-$name.png"
    python3 Benchmarks/section.py "Benchmarks/caches-$name.md" table "$work/$name.md"
  done
done
