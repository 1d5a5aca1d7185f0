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
common=start-steps=10,warm-up=0,burn-in=10
vast=karras:sigma-max=100
if [ "${PICK:-plain}" = plain ]; then
  for steps in 5 10; do measure --solver dpm++-2m --steps $steps; done
  measure --solver heun:frame=flow --steps 5
  for solver in heun ddim dpm++-2m; do measure --solver $solver --grid $vast --steps $([ $solver = heun ] && echo 5 || echo 10); done
  for steps in 5 10; do measure --solver ddim --steps $steps; done
  measure --solver heun --grid $vast --steps 10
  measure --solver dpm++-2m --steps 20
fi
if [ "${PICK:-chains}" = chains ]; then
  measure --solver heun --steps 3 --start "dlg:skip=3,eta=3.2,per-chain=10,$common"
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=3.2,per-chain=10,$common"
  measure --solver heun --steps 5 --start "dlg:skip=10,eta=3.2,per-chain=10,$common"
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=3.2,per-chain=10,sigma=residual,$common"
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=5,eta=12,per-chain=10,$common"
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=3.2,per-chain=10,sigma=sample,$common"
  measure --solver dpm++-2m --steps 5 --start "dlg:skip=3,eta=3.2,per-chain=10,rule=exponential,$common"
  measure --solver ddim --steps 5 --start "dlg:skip=5,eta=3.2,per-chain=10,$common"
fi
