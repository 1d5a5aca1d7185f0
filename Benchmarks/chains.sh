#!/usr/bin/env bash
# Chains against plain runs of the built-in digit model: Fréchet distance to the test digits and accuracy, one JSON line each.
#
#   Benchmarks/chains.sh OUTPUT.jsonl [PROGRAM] [COUNT]     needs QUICKSTEP_DATA (MNIST)
#
# PICK=plain or PICK=chains runs one half. Runs that OUTPUT holds already are passed over.
set -euo pipefail
cd "$(dirname "$0")/.."
output="$1" program="${2:-.build/release/quickstep}" count="${3:-200}"
touch "$output"
measure() {
  local label="$*"
  grep -qF "\"label\": \"$label\"" "$output" && return
  local answer
  answer=$("$program" evaluate digits --kernels plain --threads 1 --batch 20 --count "$count" --json "$@" 2> /dev/null)
  printf '{"label": "%s", "count": %s, "answer": %s}\n' "$label" "$count" "$(tr -d '\n' <<< "$answer")" >> "$output"
}
common=per-chain=10,start-steps=10,warm-up=0,burn-in=10
if [ "${PICK:-plain}" = plain ]; then
  for steps in 5 10 20; do measure --solver dpm++-2m --steps $steps; done
  for steps in 5 10 20; do measure --solver ddim --steps $steps; done
  for steps in 3 5 10; do measure --solver heun:frame=flow --steps $steps; done
fi
if [ "${PICK:-chains}" = chains ]; then
  for eta in 3.2 1; do
    measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=$eta,$common"
    measure --solver heun:frame=flow --steps 3 --start "dlg:skip=3,eta=$eta,$common"
    measure --solver ddim --steps 5 --start "dlg:skip=5,eta=$eta,$common"
    measure --solver heun:frame=flow --steps 5 --start "dlg:skip=10,eta=$eta,$common"
  done
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=3.2,sigma=sample,$common"
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=3.2,rule=exponential,$common"
fi
