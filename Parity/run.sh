#!/usr/bin/env bash
# Makes all goldens anew and compares them with the committed ones: Parity/run.sh [--write]
# See Parity/README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
environment="${QUICKSTEP_CACHE:-$HOME/.cache/quickstep}/parity-venv"
python="${PYTHON:-python3}"

case "${1:-}" in
  "" | --write) ;;
  *) echo "usage: Parity/run.sh [--write]" >&2; exit 2 ;;
esac

# The environment is made again when the requirements change.
if ! cmp -s "$here/requirements.txt" "$environment/requirements.txt"; then
  echo "Installing Parity/requirements.txt into $environment"
  "$python" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$environment/requirements.txt"
fi
python="$environment/bin/python"

# Scripts write into the Tests folder beside the Parity folder they lie in; here both are in a scratch folder.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R "$here" "$scratch/Parity"
for fixtures in "$root"/Tests/*/Fixtures; do mkdir -p "$scratch${fixtures#"$root"}"; done

failed=()
for name in models schedulers fixtures_formats goldens_data; do
  [ -f "$scratch/Parity/$name.py" ] || continue
  echo "== $name.py"
  (cd "$scratch" && "$python" "Parity/$name.py") || failed+=("$name.py")
done

echo "== comparison"
status=0
"$python" "$here/compare.py" "$scratch" "$root" "$@" || status=$?
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
exit "$status"
