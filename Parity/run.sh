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

python=$("$here/environment.sh")

# Scripts write into the Tests folder beside the Parity folder they lie in; here both are in a scratch folder.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R "$here" "$scratch/Parity"
for fixtures in "$root"/Tests/*/Fixtures; do mkdir -p "$scratch${fixtures#"$root"}"; done

failed=()
for name in models checkpoints original_transformers tokenizers_clip tokenizers_subword pipelines prompt_weighting pipelines_image single_files lycoris_changes gguf_files schedulers schedulers_exponential schedulers_classical schedulers_grids schedulers_files schedulers_chosen statistics_formulas fixtures_formats goldens_evaluation goldens_metrics goldens_nets caches; do
  [ -f "$scratch/Parity/$name.py" ] || continue
  echo "== $name.py"
  (cd "$scratch" && "$python" "Parity/$name.py") || failed+=("$name.py")
done

echo "== comparison"
status=0
"$python" "$here/compare.py" "$scratch" "$root" "$@" || status=$?
# Networks of published checkpoints in configurations that nobody has written down before.
program="${PROGRAM:-$root/.build/release/quickstep}"
if [ -x "$program" ]; then
  seed=${SEED:-$RANDOM}
  echo "== freshly drawn configurations, seed $seed"
  "$python" "$here/checkpoints.py" --program "$program" --count "${COUNT:-10}" --seed "$seed" || failed+=("drawn configurations")
  for name in single_files adapters gguf_files; do
    "$python" "$here/$name.py" --program "$program" --count 3 --seed "$seed" || failed+=("drawn $name")
  done
fi
if [ -x "$program" ]; then
  echo "== whole runs through the program"
  "$python" "$here/trajectories.py" --program "$program" || failed+=("whole runs")
fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
exit "$status"
