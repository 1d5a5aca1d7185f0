#!/usr/bin/env bash
# Ways to sample, compared at equal evaluations: writes Benchmarks/solvers-digits.md. Takes about a quarter of an hour on two cores.
#
#   Benchmarks/solvers.sh [PROGRAM]      needs QUICKSTEP_DATA (SqueezeNet's weights)
set -euo pipefail
cd "$(dirname "$0")/.."
program="${1:-.build/release/quickstep}"
work="${WORK:-out/solvers}"
mkdir -p "$work"
# What is fitted comes from seeds 0…, what is compared from seeds 1000….
for n in 5 10 20 50; do
  [ -f "$work/plan-$n.json" ] || "$program" calibrate olss --model digits --steps "$n" --samples 40 -q -o "$work/plan-$n.json"
done
[ -f "$work/moments.safetensors" ] || "$program" calibrate gaussian --model digits --per-class --samples 640 --steps 12 -q -o "$work/moments.safetensors"
[ -f "$work/statistics.safetensors" ] ||
  "$program" calibrate statistics --model digits --samples 64 --batch 16 -q -o "$work/statistics.safetensors"
contenders=(
  ddim heun lms pndm dpm2 dpm++-2m dpm++-3m dpm++-2s dpm++-3s dpm-multistep dpm-singlestep:order=2 unipc unic:base=ddim deis dualfast:base=ddim
  dualfast dpm-v3 "dpm-v3:statistics=$work/statistics.safetensors" "olss:plan=$work/plan-{n}.json"
  "ddim + teleport:data=$work/moments.safetensors,skip=1" "dpm++-2m + karras" euler-ancestral sde-dpm++ lcm tcd
)
options=()
for contender in "${contenders[@]}"; do options+=(--contender "$contender"); done
"$program" evaluate solvers --model digits --count 40 --batch 20 --seed 1000 --cache "$work/reference.safetensors" \
  --evaluations 5 --evaluations 10 --evaluations 20 --evaluations 50 --markdown Benchmarks/solvers-digits.md "${options[@]}"
