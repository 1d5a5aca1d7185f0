#!/usr/bin/env bash
# House rules that a machine can check.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0
complain() { echo "lint: $*"; status=1; }
swift format lint --recursive --strict Sources Tests Package.swift 2>&1 | grep -v Generated || true
[ "${PIPESTATUS[0]}" = 0 ] || status=1
while read -r lines file; do
  [ "$file" = total ] && continue
  [ "$lines" -le 300 ] || complain "$file has $lines lines; split it by topic"
done < <(git ls-files 'Sources/*.swift' 'Sources/*.cpp' 'Sources/*.c' 'Sources/*.h' 'Tests/*.swift' | grep -v Generated | xargs wc -l)
found=$(git grep -nE 'fatalError\(|try!|as! ' -- 'Sources/*.swift') && complain "ends the process on bad input:
$found"
found=$(git grep -nE 'TODO|FIXME' -- Sources Tests) && complain "unfinished:
$found"
exit $status
