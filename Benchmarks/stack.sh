#!/usr/bin/env bash
# Whether a stack is as good as it is fast: emoji-small does the first steps of emoji's run by a plan of OLSS, with the unconditional branch reused or not;
# judged by likeness, retrieval, recognition and Fréchet distance beside 50 steps of DDIM. Writes Models/emoji/recipe-stitched.json and Benchmarks/tune-emoji-stack.html and
# .png. A quarter of an hour on two idle cores; needs QUICKSTEP_DATA (SqueezeNet's weights, data sets).
#
#   Benchmarks/stack.sh
#
# PROGRAM names the program, WORK the folder for recipe and report, BUDGET the time of the judgement (14m).
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-.build/release/quickstep}"
work="${WORK:-out/stack}"
mkdir -p "$work"
lookup="emoji-retrieval:groups=Smileys & Emotion/Animals & Nature/Food & Drink,styles=fluent-3d/fluent-color/fluent-flat/noto/twemoji/blob"
stitch="stitch:models=emoji-small,fraction"
rm -f "$work"/emoji.{json,html,png,trials.sqlite*}
"$program" tune --model emoji --companion emoji-small --budget "${BUDGET:-14m}" --steps 50 --solver ddim --target-quality 0.9 \
  --keep recognition:first=5 --keep recognition:first=1,margin=0.05 --net emoji-classifier --net "$lookup" --keep frechet --keep-count 200 \
  --check-count 10 --search-count 4 --fit-count 10 --trials 7 --begin "olss + steps=8 + $stitch=0.375" --begin "olss + steps=8 + $stitch=0.5" \
  --begin "olss + steps=7 + $stitch=0.43" --begin "olss + steps=9 + $stitch=0.56" --begin "olss + steps=8" --begin "olss + steps=6" \
  --begin "olss + steps=10 + $stitch=0.4 + guidance-cache:interval=2,start=0.5" --output "$work/emoji.json"
"$program" recipe show "$work/emoji.json"
cp "$work/emoji.json" Models/emoji/recipe-stitched.json
for kind in html png; do cp "$work/emoji.$kind" "Benchmarks/tune-emoji-stack.$kind"; done
