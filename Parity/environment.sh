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
  # Of k-diffusion only the file of samplers is read, of LyCORIS only the formulas, which needs none of what the package asks for.
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps k-diffusion==0.1.1.post1 >&2
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps lycoris-lora==4.1.3 einops==0.8.2 toml==0.10.2 >&2
  cp "$here/requirements.txt" "$environment/requirements.txt"
fi
echo "$environment/bin/python"
