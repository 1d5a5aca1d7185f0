#!/usr/bin/env bash
# Makes (once) the private Python environment of parity and benchmarks, and prints its interpreter. See Parity/README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
environment="${QUICKSTEP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quickstep}/parity-venv"
# The environment is made again when the requirements change.
if ! cmp -s "$here/requirements.txt" "$environment/requirements.txt"; then
  echo "Installing Parity/requirements.txt into $environment (several GB)" >&2
  "${QUICKSTEP_PYTHON:-python3}" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  cp "$here/requirements.txt" "$environment/requirements.txt"
fi
if ! cmp -s "$here/requirements-alone.txt" "$environment/requirements-alone.txt"; then
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$here/requirements-alone.txt" >&2
  cp "$here/requirements-alone.txt" "$environment/requirements-alone.txt"
fi
echo "$environment/bin/python"
