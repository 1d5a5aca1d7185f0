#!/usr/bin/env bash
# Makes the figures of Benchmarks/RESULTS.md: ours against the same networks in PyTorch eager, in turns, on this machine.
#
#   ROUNDS=15 Benchmarks/run.sh      writes out/bench.md and replaces the section "Measured" of RESULTS.md
#
# The peer needs PyTorch 2.11.0, which is set up in the private environment that `make parity` uses as well.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p out
python=$(Parity/environment.sh)
.build/release/quickstep bench --rounds "${ROUNDS:-15}" --peer "$python Benchmarks/peer_eager.py" --markdown out/bench.md
python3 Benchmarks/section.py Benchmarks/RESULTS.md measured out/bench.md
echo "Benchmarks/RESULTS.md brought up to date"
