#!/usr/bin/env bash
# Builds the DocC catalogues of the libraries, one archive each, and fails on any warning. usage: docs.sh FOLDER
#
#   CONFIGURATION   release or debug                  (default: release, so that what `make build` made is used)
#   SCRATCH_PATH    where SwiftPM builds              (default: .build)
#   SKIP_BUILD=1    document what is built already
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
out=${1:?usage: docs.sh FOLDER}
configuration=${CONFIGURATION:-release}
scratch=${SCRATCH_PATH:-.build}
export PKG_CONFIG_PATH=$root/.libtorch${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
mkdir -p "$out"

# docc and the extractor lie beside swift, which may be a link from elsewhere.
PATH=$PATH:$(dirname "$(readlink -f "$(command -v swift)")")
command -v docc >/dev/null || { echo "docs: there is no docc beside swift ($(command -v swift))" >&2; exit 1; }

build=(swift build -c "$configuration" --scratch-path "$scratch")
if [ "${SKIP_BUILD:-0}" != 1 ]; then
  "${build[@]}" --product quickstep
  "${build[@]}" --target QuickstepTesting # the only library that the program does not contain
fi
products=$("${build[@]}" --show-bin-path)

# Symbols are read from the built modules: no second build with other flags. Modules in C are found through their maps.
flags=(-target "$(uname -m)-unknown-linux-gnu" -I "$products/Modules" -I Sources/CLibTorch -I Sources/CLibPNG)
for module in CTorch CKernels CPNG; do
  for map in "$products/$module.build/module.modulemap" "Sources/$module/include/module.modulemap"; do
    [ -f "$map" ] && { flags+=(-Xcc "-fmodule-map-file=$map"); break; }
  done
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()
for catalogue in Sources/*/Documentation.docc; do
  target=$(basename "$(dirname "$catalogue")")
  graphs=$work/$target
  mkdir "$graphs"
  swift-symbolgraph-extract -module-name "$target" "${flags[@]}" -minimum-access-level public -skip-synthesized-members \
    -output-dir "$graphs"
  # Extensions of the standard library's types would become pages of their own.
  find "$graphs" -name '*@*.symbols.json' -delete
  # The house style documents the parameters that need words; docc would ask for all or none.
  docc convert "$catalogue" --fallback-display-name "$target" --fallback-bundle-identifier "quickstep.$target" \
    --additional-symbol-graph-dir "$graphs" --output-path "$out/$target.doccarchive" --warnings-as-errors \
    --disable-parameters-and-returns-validation || failed+=("$target")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "docs: warnings or errors in ${failed[*]}" >&2
  exit 1
fi
echo "documentation in $out: serve an archive with any static file server"
