"""Compares freshly made goldens with the committed ones and prints a table of differences.

    python Parity/compare.py FRESH COMMITTED [--write]

Both are roots that hold Tests/. Numbers may differ by TOLERANCE times the spread of their array (other processors round otherwise);
names, shapes, types, integers and text must be equal. With --write what differs by more is copied to COMMITTED. The exit status is 1 when
something is out of tolerance and was not written, or when a committed file beside the goldens is made by no script. Those that need the authors'
programs at hand are named and left alone.
"""
import argparse
import gzip
import json
import math
import shutil
import sys
from pathlib import Path

TOLERANCE = 1e-5
VERSIONS = {"torch", "versions"}
# Scripts that run.sh does not call: they take the folders of fetched programs.
AUTHORS = sorted([*Path(__file__).parent.glob("*_authors.py"), Path(__file__).parent / "chains.py"])


class Different(Exception):
    """The two can not be compared number by number, and why."""


def arrays(path):
    """The arrays of a safetensors file, with its metadata less the versions."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        notes = {key: value for key, value in (file.metadata() or {}).items() if key not in VERSIONS}
    return tensors, notes


def compare_safetensors(fresh, committed):
    (a, a_notes), (b, b_notes) = arrays(fresh), arrays(committed)
    if a.keys() != b.keys():
        raise Different(f"names: {', '.join(sorted(a.keys() ^ b.keys())[:3])}")
    if a_notes != b_notes:
        raise Different("metadata")
    worst = 0.0
    for name, x in a.items():
        y = b[name]
        if x.dtype != y.dtype or x.shape != y.shape:
            raise Different(f"{name}: {x.dtype} {list(x.shape)}, was {y.dtype} {list(y.shape)}")
        if x.equal(y):
            continue
        if not x.dtype.is_floating_point:
            raise Different(f"{name}: integers differ")
        x, y = x.double(), y.double()
        same = (x == y) | (x.isnan() & y.isnan())
        spread = max(y.std(correction=0).item(), 1e-6) if y.numel() > 1 else max(abs(y.item()), 1e-6)
        gap = (x - y).abs().masked_fill(same, 0).max().item() / spread
        worst = max(worst, gap if math.isfinite(gap) else math.inf)
    return worst


def compare_json(fresh, committed):
    return compare_values(json.loads(fresh.read_text()), json.loads(committed.read_text()), "")


def compare_values(a, b, path):
    number = (int, float)
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            raise Different(f"{path or 'top'}: keys {', '.join(sorted(a.keys() ^ b.keys())[:3])}")
        return max((compare_values(a[key], b[key], f"{path}.{key}") for key in a if key not in VERSIONS), default=0.0)
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            raise Different(f"{path}: {len(a)} entries, was {len(b)}")
        return max((compare_values(x, y, f"{path}[{index}]") for index, (x, y) in enumerate(zip(a, b))), default=0.0)
    if isinstance(a, number) and isinstance(b, number) and (isinstance(a, float) or isinstance(b, float)):
        return 0.0 if a == b or (a != a and b != b) else abs(a - b) / max(1.0, abs(b))
    if a != b or type(a) is not type(b):
        raise Different(f"{path}: {a!r}, was {b!r}"[:100])
    return 0.0


def compare_png(fresh, committed):
    from PIL import Image

    a, b = Image.open(fresh), Image.open(committed)
    if a.mode != b.mode or a.size != b.size or a.info != b.info or a.tobytes() != b.tobytes() or a.getpalette() != b.getpalette():
        raise Different("the picture or its notes differ")
    return 0.0


def compare_gzip(fresh, committed):
    if gzip.decompress(fresh.read_bytes()) != gzip.decompress(committed.read_bytes()):
        raise Different("the contents differ")
    return 0.0


KINDS = {".safetensors": compare_safetensors, ".json": compare_json, ".png": compare_png, ".gz": compare_gzip}


def compare(fresh, committed):
    """Difference relative to the spread; `Different` when there is no such number."""
    if fresh.read_bytes() == committed.read_bytes():
        return 0.0
    kind = KINDS.get(fresh.suffix)
    if kind is None:
        raise Different("the bytes differ")
    try:
        return kind(fresh, committed)
    except Different:
        raise
    except Exception as error:  # A file that can not even be read is made to be broken, or is broken: bytes decide.
        raise Different(f"the bytes differ ({type(error).__name__})") from error


def maker(path):
    """The script that makes a golden with the authors' program, or None."""
    return next((script.name for script in AUTHORS if f'"{path.name}"' in script.read_text() or f"/{path.name}" in script.read_text()), None)


def files(root):
    return {path.relative_to(root) for path in (root / "Tests").rglob("*") if path.is_file()} if (root / "Tests").exists() else set()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fresh", type=Path)
    parser.add_argument("committed", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    made = files(arguments.fresh)
    if not made:
        sys.exit("no goldens were made")
    folders = {path.parent for path in made}
    rows, wrong = [], 0
    for path in sorted(made | {path for path in files(arguments.committed) if path.parent in folders}):
        fresh, committed = arguments.fresh / path, arguments.committed / path
        try:
            if path not in made and (script := maker(path)):
                rows.append((str(path), f"not made: {script} needs the authors' program", "left"))
                continue
            if path not in made:
                raise Different("committed, but no script makes it")
            if not committed.exists():
                raise Different("new")
            gap = compare(fresh, committed)
            text, bad = f"{gap:.1e}" if gap else "same", gap > TOLERANCE
        except Different as difference:
            text, bad = str(difference), True
        written = arguments.write and bad and path in made
        if written:
            committed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh, committed)
        wrong += bad and not written
        if text != "same":
            rows.append((str(path), text, "written" if written else "DIFFERENT" if bad else "ok"))
    for path, text, verdict in rows:
        print(f"{verdict:10s} {text:40s} {path}")
    print(f"{len(made)} goldens, tolerance {TOLERANCE:.0e}: {wrong} different, {sum(row[2] == 'written' for row in rows)} written")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
