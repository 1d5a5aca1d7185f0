#!/usr/bin/env bash
# The main job in one go: pictures from prompts with each built-in model. usage: demo.sh PROGRAM FOLDER
set -euo pipefail
program=$1 out=$2
mkdir -p "$out"

# sheet MODEL NAME PROMPT… [options]: one sheet of pictures, if the model is there.
sheet() {
  [ -f "Models/$1/model_index.json" ] || return 0
  "$program" generate "${@:3}" --model "$1" --seed 1 --batch 6 --output "$out/$1" --sheet "$out/$2.png"
}

for model in emoji emoji-unet emoji-small; do
  for style in fluent-3d noto; do
    sheet "$model" "$model-$style" "red apple" "fox" "hamburger" "owl" "pizza" "sunflower" --style "$style"
  done
done
sheet digits digits 0 1 2 3 4 5 6 7 8 9
echo
echo "Pictures are in $out. Try:"
echo "  $program generate 'tropical fish' --style blob --preview"
