"""GGUF files against the `gguf` package, which the makers of the format publish.

    python Parity/gguf_files.py                                     writes the goldens of the test suite
    python Parity/gguf_files.py --program PATH --count N --seed S   N freshly drawn models of every family as GGUF, their U-Net against
                                                                    diffusers with the weights that `gguf` unpacks

Needs `pip install gguf`.
"""
import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file, save_file

import original_names as original
from checkpoints import quiet
from single_files import FAMILIES, draw, filled, gap, unet_case

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepFormatsTests/Fixtures/gguf"
# Where a block keeps its half-precision numbers, which random bytes would make infinite now and then.
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2],
          Type.Q6_K: [208]}


def blocks(rng, kind, rows, per_row):
    """Random blocks of a type, as bytes `[rows, per_row · size]`: every combination of bits may occur."""
    size = gguf.GGML_QUANT_SIZES[kind][1]
    data = rng.integers(0, 256, (rows * per_row, size), dtype=np.uint8)
    for offset in HALVES[kind]:
        data[:, offset:offset + 2] = rng.normal(0, 0.1, (rows * per_row, 1)).astype(np.float16).view(np.uint8)
    return data.reshape(rows, per_row * size)


def write_goldens():
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    path = FOLDER / "types.gguf"
    writer = gguf.GGUFWriter(path, "sd1")
    writer.add_name("every type")
    writer.add_uint32("test.uint32", 4_000_000_000)
    writer.add_uint64("test.uint64", 2**64 - 1)
    writer.add_int8("test.int8", -5)
    writer.add_float32("test.float32", 0.25)
    writer.add_bool("test.bool", True)
    writer.add_array("test.texts", ["a", "ä"])
    writer.add_array("comfy.gguf.orig_shape.flat.weight", [4, 16, 2, 2])
    expected = {}
    for kind in HALVES:
        per_row = 2 if gguf.GGML_QUANT_SIZES[kind][0] == 32 else 1
        data = blocks(rng, kind, 3, per_row)
        name = kind.name.lower() + ".weight"
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = torch.from_numpy(gguf.quants.dequantize(data, kind))
    flat = blocks(rng, Type.Q8_0, 1, 8)
    writer.add_tensor("flat.weight", flat, raw_dtype=Type.Q8_0)
    expected["flat.weight"] = torch.from_numpy(gguf.quants.dequantize(flat, Type.Q8_0)).reshape(4, 16, 2, 2)
    plain = rng.normal(0, 1, (2, 3, 5)).astype(np.float32)
    for name, values in {"f32": plain, "f16": plain.astype(np.float16), "f64": plain.astype(np.float64), "i32": (plain * 9).astype(np.int32)}.items():
        writer.add_tensor(name, values)
        expected[name] = torch.from_numpy(values)
    half = torch.from_numpy(plain).bfloat16()
    writer.add_tensor("bf16", half.view(torch.uint8).numpy().reshape(2, 3, 10), raw_dtype=Type.BF16)
    expected["bf16"] = half
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file({key: value.contiguous().clone() for key, value in expected.items()}, FOLDER / "types.safetensors",
              metadata={"script": "Parity/gguf_files.py"})
    print(path.name, path.stat().st_size, "bytes")


def packed(rng, file, path):
    """Writes a single file as GGUF with weights of random types; returns what they are afterwards."""
    writer = gguf.GGUFWriter(path, "sd1")
    after = {}
    for name, tensor in file.items():
        values = tensor.numpy()
        kind = rng.choice([Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q5_0, Type.Q8_0, Type.Q4_1, Type.Q5_1])
        if values.ndim < 2 or kind == Type.F32:
            writer.add_tensor(name, values)
            after[name] = tensor
            continue
        block = gguf.GGML_QUANT_SIZES[kind][0]
        stored = values
        if values.shape[-1] % block:
            if values.size % block or rng.random() < 0.5:
                kind = Type.F16
            else:
                stored = values.reshape(1, -1)
                writer.add_array(f"comfy.gguf.orig_shape.{name}", [int(size) for size in values.shape])
        if kind == Type.F16:
            data = stored.astype(np.float16)
            writer.add_tensor(name, data)
            after[name] = torch.from_numpy(data.astype(np.float32)).reshape(tensor.shape)
        else:
            data = gguf.quants.quantize(stored, kind)
            writer.add_tensor(name, data, raw_dtype=kind)
            after[name] = torch.from_numpy(gguf.quants.dequantize(data, kind)).reshape(tensor.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return after


def compare(program, count, seed):
    failed = 0
    for family in FAMILIES:
        worst = 0.0
        for index in range(count):
            case = seed + 7919 * index
            rng = random.Random(f"gguf{family}{case}")
            parts, layers = draw(family, rng)
            _, file = filled(family, parts, layers)
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                after = packed(rng, file, folder / "model.gguf")
                parts["unet"].load_state_dict(original.restored(parts["unet"], "unet", after))
                inputs, sample = unet_case(parts, case)
                save_file(inputs, folder / "in.safetensors")
                done = subprocess.run(
                    [program, "forward", str(folder / "model.gguf"), "--component", "unet", "--inputs", str(folder / "in.safetensors"),
                     "--output", str(folder / "out.safetensors")], capture_output=True, text=True)
                if done.returncode:
                    print(f"{family} seed {case}: {done.stderr.strip()}")
                    failed += 1
                    continue
                worst = max(worst, gap(load_file(folder / "out.safetensors")["sample"], sample))
        failed += worst > 2e-4
        print(f"{family:8} {count} GGUF models of mixed types, one evaluation {worst:.1e} standard deviations")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    quiet()
    if arguments.program:
        sys.exit(1 if compare(arguments.program, arguments.count, arguments.seed) else 0)
    write_goldens()


if __name__ == "__main__":
    main()
