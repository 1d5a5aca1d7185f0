#!/usr/bin/env bash
# Ways to sample, compared at equal evaluations: writes the tables of Benchmarks/solvers-MODEL.md, without the times of a machine that may do other
# work meanwhile. On two cores digits take about half an hour, the emoji models an hour each. A run that was stopped goes on where it was.
#
#   Benchmarks/solvers.sh [MODEL…]      MODEL: digits (standard), emoji, emoji-unet; needs QUICKSTEP_DATA (SqueezeNet's weights, data sets)
#   Benchmarks/solvers.sh fits          how many runs a plan of OLSS has to be fitted to, on digits
#   Benchmarks/solvers.sh grids         every grid under DPM-Solver++ 2M and Euler, on digits
#
# PROGRAM names the program, WORK the folder for what is kept, THREADS the threads.
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
threads=()
[ -z "${THREADS:-}" ] || threads=(--threads "$THREADS")

# measure MODEL OPTIONS… -- CONTENDERS…: pictures of seeds 1000…; what is fitted comes from seeds 0….
measure() {
  local model=$1 options=() contenders=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  for contender in "$@"; do contenders+=(--contender "$contender"); done
  "$program" evaluate solvers --model "$model" --seed 1000 --cache "$work/reference.safetensors" --resume "$work/verdicts.json" \
    --markdown "$work/table.md" "${threads[@]}" "${options[@]}" "${contenders[@]}"
  # The last column is the time.
  sed -i -E '/^\|/s/[^|]*\|$//' "$work/table.md"
  python3 Benchmarks/section.py "Benchmarks/solvers-$model.md" "${table:-table}" "$work/table.md"
}
budgets=(--data --evaluations 5 --evaluations 10 --evaluations 20 --evaluations 50)

# Flow frames are what Heun, DPM2 and PNDM need on schedules that begin at next to no signal; see the article "Tableaux".
flow=("heun:frame=flow" "dpm2:frame=flow" "pndm:averages=velocity")
# Ways that need nothing fitted.
plain=(
  ddim heun lms pndm dpm2 "${flow[@]}" dpm++-2m dpm++-3m dpm++-2s dpm++-3s dpm-multistep dpm-singlestep:order=2 unipc unic:base=ddim deis
  dualfast:base=ddim dualfast dualfast:base=unipc dpm-v3 "dpm++-2m + karras" euler-ancestral sde-dpm++ lcm tcd euler:s-churn=10
  "heun + karras:sigma-max=40" ddpm dpm++-sde "dpm2-ancestral + karras:sigma-max=40" dpm-singlestep:order=3 unipc:order=3 unipc:variant=bh1
)

digits() {
  for n in 5 10 20 50; do
    [ -f "$work/plan-$n.json" ] || "$program" calibrate olss --model digits --steps "$n" --samples 40 -q -o "$work/plan-$n.json"
  done
  [ -f "$work/moments.safetensors" ] || "$program" calibrate gaussian --model digits --per-class --samples 640 --steps 12 -q -o "$work/moments.safetensors"
  [ -f "$work/statistics.safetensors" ] ||
    "$program" calibrate statistics --model digits --samples 64 --batch 16 -q -o "$work/statistics.safetensors"
  measure digits "${budgets[@]}" --count 40 --batch 20 -- "${plain[@]}" "dpm-v3:statistics=$work/statistics.safetensors" \
    "olss:plan=$work/plan-{n}.json" "ddim + teleport:data=$work/moments.safetensors,skip=1"
}

# The check of the paper's description: a teacher of 100 steps, few evaluations, plans fitted to 4, 16 and 64 of its runs, rows after the teacher
# (the paper's) and in order.
fits() {
  local contenders=(ddim dpm++-2m) kind
  for runs in 4 16 64; do
    for n in 5 8 10; do
      [ -f "$work/paper-$runs-$n.json" ] ||
        "$program" calibrate olss --model digits --steps "$n" --samples "$runs" --rounds 0 -q -o "$work/paper-$runs-$n.json"
      [ -f "$work/order-$runs-$n.json" ] || "$program" calibrate olss --model digits --steps "$n" --samples "$runs" -q -o "$work/order-$runs-$n.json"
    done
    for kind in paper order; do contenders+=("olss:plan=$work/$kind-$runs-{n}.json"); done
  done
  table=fits measure digits --evaluations 5 --evaluations 8 --evaluations 10 --count 40 --batch 20 --reference ddim --reference-steps 100 \
    -- "${contenders[@]}"
}

# Every grid; ten steps of `explicit` are evenly spaced timesteps, which begin below the noise that others begin at.
grids() {
  local contenders=() grid
  for grid in ays beta exponential karras kl-optimal lcm leading linear-quadratic linspace log-snr quadratic simple trailing; do
    contenders+=("dpm++-2m + $grid")
  done
  contenders+=("euler + trailing" "euler + karras" "euler + beta")
  table=grids measure digits --evaluations 10 --evaluations 20 --count 40 --batch 20 -- "${contenders[@]}" \
    "dpm++-2m + explicit:timesteps=950,850,750,650,550,450,350,250,150,50"
}

# Things of every group the models know, in their own style; twelve pictures are what two cores can do.
things=(
  "red apple" fox owl pizza "smiling face with sunglasses" "hot beverage" "cat face" panda strawberry "maple leaf" hamburger "crying face"
)
emojis() {
  local prompts=()
  for thing in "${things[@]}"; do prompts+=(--prompt "$thing"); done
  for n in 5 10 20 50; do
    [ -f "$work/plan-$n.json" ] || "$program" calibrate olss lion koala whale lemon crab tulip cookie "rabbit face" --model "$1" --steps "$n" \
      --samples 16 -q -o "$work/plan-$n.json"
  done
  [ -f "$work/moments.safetensors" ] || "$program" calibrate gaussian "${things[@]}" --model "$1" --samples 128 --steps 10 -q -o "$work/moments.safetensors"
  measure "$1" "${budgets[@]}" --count 12 --batch 4 "${prompts[@]}" -- "${plain[@]}" "olss:plan=$work/plan-{n}.json" \
    "ddim + teleport:data=$work/moments.safetensors,skip=1"
}

for model in "${@:-digits}"; do
  work="${WORK:-out/solvers}/$model"
  mkdir -p "$work"
  case "$model" in
    digits) digits ;;
    fits) fits ;;
    grids) grids ;;
    emoji | emoji-unet) emojis "$model" ;;
    *) echo "unknown model '$model'; known: digits, emoji, emoji-unet, fits, grids" >&2; exit 2 ;;
  esac
done
