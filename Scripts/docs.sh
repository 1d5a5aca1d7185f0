#!/usr/bin/env bash
# Builds the DocC catalogues of the libraries. usage: docs.sh FOLDER
set -euo pipefail
out=$1
mkdir -p "$out"
command -v docc >/dev/null || PATH="$(dirname "$(readlink -f "$(command -v swift)")"):$PATH"
for catalogue in Sources/*/Documentation.docc; do
  target=$(basename "$(dirname "$catalogue")")
  graphs=$(mktemp -d)
  swift build -c release --target "$target" -Xswiftc -emit-symbol-graph -Xswiftc -emit-symbol-graph-dir -Xswiftc "$graphs" >/dev/null
  find "$graphs" -name '*.symbols.json' ! -name "$target*.symbols.json" -delete
  docc convert "$catalogue" --fallback-display-name "$target" --fallback-bundle-identifier "quickstep.$target" --fallback-bundle-version 0.1.0 \
    --additional-symbol-graph-dir "$graphs" --output-path "$out/$target.doccarchive"
  rm -rf "$graphs"
done
echo "documentation in $out"
