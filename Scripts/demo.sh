#!/usr/bin/env bash
# The main job in one go: pictures from prompts with each built-in model. usage: demo.sh PROGRAM FOLDER
set -euo pipefail
program=$1 out=$2
mkdir -p "$out"
make_sheet() { "$program" generate "${@:3}" --model "$1" --seed 1 --batch 6 --output "$out/$1" --sheet "$out/$2.png"; }

if [ -f Models/emoji/model_index.json ]; then
  make_sheet emoji emoji-prompts "red apple" "fox" "hamburger" "owl" "pizza" "sunflower" --style fluent-3d
  for style in fluent-flat noto twemoji blob; do
    "$program" generate "fox" "strawberry" --model emoji --style "$style" --seed 1 --batch 2 --output "$out/styles" --quiet
  done
fi
[ -f Models/emoji-unet/model_index.json ] && make_sheet emoji-unet emoji-unet-prompts "red apple" "fox" "hamburger" "owl" "pizza" "sunflower" --style noto
[ -f Models/digits/model_index.json ] && make_sheet digits digits 0 1 2 3 4 5 6 7 8 9
echo
echo "Pictures are in $out. Try:"
echo "  $program generate \"strawberry\" --style twemoji --preview"
