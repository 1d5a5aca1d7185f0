"""Writes Tests/QuickstepFormatsTests/Fixtures: small files made by other people's libraries, with the values expected from them.

Run from anywhere: python Parity/fixtures_formats.py
Made with: Python 3.11, torch 2.11.0, safetensors 0.8.0, Pillow 13.0.0, numpy 2.4.6 (other versions should give files that read the same).
"""

import gzip
import io
import json
import pathlib
import struct
import tarfile
import zlib

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "QuickstepFormatsTests" / "Fixtures"
RNG = np.random.default_rng(7)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(width, height, depth, colour, rows, interlaced=False, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def adam7(pixels):
    """The rows of an interlaced file, every one with filter 0."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for y, x, dy, dx in passes:
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return rows


def pictures():
    """PNG files of all kinds, and what they are as RGBA."""
    expected = {}

    def keep(name, image, **options):
        image.save(OUT / f"{name}.png", **options)
        expected[name] = np.array(Image.open(OUT / f"{name}.png").convert("RGBA"))

    grey = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
    rgb = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    rgba = RNG.integers(0, 256, (6, 9, 4), dtype=np.uint8)
    keep("grey8", Image.fromarray(grey))
    keep("grey1", Image.fromarray(grey > 128))
    keep("grey_alpha", Image.fromarray(RNG.integers(0, 256, (5, 7, 2), dtype=np.uint8), "LA"))
    keep("rgb", Image.fromarray(rgb))
    keep("rgb_transparent", Image.fromarray(np.where(rgb > 128, 255, 0).astype(np.uint8)), transparency=(255, 0, 255))
    keep("palette", Image.fromarray(rgb).quantize(5), transparency=2)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a café\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 9x6")
    texts.add_text("wide", "狐 🦊 fox")
    texts.add_text("long", "quick step " * 300, zip=True)
    texts.add_itxt("compressed", "ночь " * 200, zip=True)
    keep("rgba_texts", Image.fromarray(rgba, "RGBA"), pnginfo=texts)
    # Pillow writes neither of these.
    wide = RNG.integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    (OUT / "rgb16.png").write_bytes(png_bytes(5, 4, 16, 2, rows))
    rounded = np.round(wide.astype(np.float64) / 257).astype(np.uint8)
    expected["rgb16"] = np.concatenate([rounded, np.full((4, 5, 1), 255, np.uint8)], axis=2)
    (OUT / "interlaced.png").write_bytes(png_bytes(9, 6, 8, 6, adam7(rgba), interlaced=True))
    expected["interlaced"] = rgba
    save_file({name: torch.from_numpy(value.copy()) for name, value in expected.items()}, OUT / "png_expected.safetensors")


def weights():
    values = torch.arange(6).reshape(2, 3)
    kinds = {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32,
        "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64,
        "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "C64": torch.complex64,
    }
    tensors = {name: values.to(kind) for name, kind in kinds.items()}
    tensors["BOOL"] = values % 2 == 1
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    tensors['odd "name"\n狐'] = torch.tensor([1.0])
    save_file(tensors, OUT / "all_types.safetensors", metadata={"format": "pt", "note": "línea"})
    save_file({"a.weight": torch.ones(2), "b.weight": torch.full((3,), 2.0)}, OUT / "model-00001-of-00002.safetensors")
    save_file({"c.weight": torch.full((1, 2), 3.0)}, OUT / "model-00002-of-00002.safetensors")
    weight_map = {"a.weight": 1, "b.weight": 1, "c.weight": 2}
    index = {
        "metadata": {"total_size": 28},
        "weight_map": {name: f"model-0000{shard}-of-00002.safetensors" for name, shard in weight_map.items()},
    }
    (OUT / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def archives():
    long_name = "/".join(f"folder{i:02d}" for i in range(15)) + "/file.txt"
    very_long = "x" * 300 + ".txt"
    for name, kind, members in [
        ("ustar", tarfile.USTAR_FORMAT, ["a.txt", long_name]),
        ("pax", tarfile.PAX_FORMAT, ["a.txt", long_name, very_long, "狐.txt"]),
        ("gnu", tarfile.GNU_FORMAT, ["a.txt", long_name, very_long]),
    ]:
        with tarfile.open(OUT / f"{name}.tar", "w", format=kind) as tar:
            folder = tarfile.TarInfo("folder")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
            for index, member in enumerate(members):
                info = tarfile.TarInfo(member)
                data = f"bytes of {index}".encode() * (100 * index + 1)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def arrays():
    def idx(kind, array):
        return struct.pack(">BBBB", 0, 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

    pictures = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    (OUT / "pictures.idx3-ubyte.gz").write_bytes(gzip.compress(idx(0x08, pictures), mtime=0))
    (OUT / "floats.idx").write_bytes(idx(0x0D, np.array([[0.5, -2.0], [1e9, 3.25]], dtype=">f4")))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    pictures()
    weights()
    archives()
    arrays()
    print(f"{sum(f.stat().st_size for f in OUT.iterdir())} bytes in {OUT.name}")
