#!/usr/bin/env bash
# Makes all goldens anew and compares them with the committed ones: Parity/run.sh [--write]
# See Parity/README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

case "${1:-}" in
  "" | --write) ;;
  *) echo "usage: Parity/run.sh [--write]" >&2; exit 2 ;;
esac

program="${PROGRAM:-$root/.build/release/quickstep}"
if [ ! -x "$program" ]; then
  echo "$program is not there; build it (make build), or name another in PROGRAM: half of the comparisons run it" >&2
  exit 2
fi
python=$("$here/environment.sh")

# Scripts write into the Tests folder beside the Parity folder they lie in; here both are in a scratch folder.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R "$here" "$scratch/Parity"
for fixtures in "$root"/Tests/*/Fixtures; do mkdir -p "$scratch${fixtures#"$root"}"; done

failed=()
for name in models checkpoints original_transformers tokenizers_clip tokenizers_subword pipelines prompt_weighting pipelines_image pipelines_unguided single_files lycoris_changes gguf_files schedulers schedulers_exponential schedulers_classical schedulers_grids schedulers_files schedulers_chosen statistics_formulas fixtures_formats goldens_evaluation goldens_metrics goldens_nets caches; do
  [ -f "$scratch/Parity/$name.py" ] || continue
  echo "== $name.py"
  (cd "$scratch" && "$python" "Parity/$name.py") || failed+=("$name.py")
done

echo "== comparison"
status=0
"$python" "$here/compare.py" "$scratch" "$root" "$@" || status=$?

# More texts than are committed, with larger vocabularies: 12,000 for each, and OpenAI's and GPT-2's own where the data folder has them.
echo "== tokenizers on 12,000 texts each"
data="${QUICKSTEP_DATA:-}"
merges="$data/tokenizers/clip_bpe_simple_vocab_16e6.txt.gz"
tokens="$scratch/tokens"
mkdir -p "$tokens"
if [ -n "$data" ] && [ -f "$merges" ]; then
  "$python" "$here/tokenizers_clip.py" --vocabulary "$merges" "$tokens/clip" || failed+=("big vocabulary of CLIP")
else
  "$python" "$here/tokenizers_clip.py" --big "$tokens/clip" || failed+=("big vocabulary of CLIP")
fi
"$python" "$here/tokenizers_subword.py" --big "$tokens/subword" ${data:+--data "$data"} || failed+=("big vocabularies")
made=$(find "$tokens" -name texts.json | wc -l)
QUICKSTEP_CLIP_CASES="$tokens/clip" QUICKSTEP_TOKENIZER_CASES="$tokens/subword" \
  PKG_CONFIG_PATH="$root/.libtorch:${PKG_CONFIG_PATH:-}" "${SWIFT:-swift}" test --package-path "$root" -c release \
  --filter 'CLIPTokenizerTests/numbersAreThoseOfTheReference|SubwordTokenizerTests/parity' >"$scratch/tokens.log" 2>&1 \
  || { failed+=("tokens"); tail -30 "$scratch/tokens.log"; }
grep -o '[a-z0-9-]*: [0-9]* texts, [0-9]* different' "$scratch/tokens.log" || true
equal=$({ grep -o '[0-9] texts, 0 different' "$scratch/tokens.log" || true; } | wc -l)
echo "$equal of $made vocabularies give the reference's numbers for every text"
[ "$made" -ge 11 ] && [ "$equal" -eq "$made" ] || failed+=("tokens of $((made - equal)) vocabularies")

# Networks of published checkpoints in configurations that nobody has written down before.
seed=${SEED:-$RANDOM}
echo "== freshly drawn configurations, seed $seed"
"$python" "$here/checkpoints.py" --program "$program" --count "${COUNT:-10}" --seed "$seed" || failed+=("drawn configurations")
for name in single_files adapters gguf_files; do
  "$python" "$here/$name.py" --program "$program" --count 3 --seed "$seed" || failed+=("drawn $name")
done
echo "== whole runs through the program"
"$python" "$here/trajectories.py" --program "$program" || failed+=("whole runs")
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
exit "$status"
