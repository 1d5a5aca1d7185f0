"""Writes OpenVINO's form of a component that models.py has made, float32.

    python convert.py FOLDER/NAME
"""
import sys
from pathlib import Path

import openvino as ov
import torch
from safetensors.torch import load_file

from reference import load, positional


def main():
    folder = Path(sys.argv[1])
    if (folder / "openvino.xml").exists():
        return
    inputs = load_file(folder / "inputs.safetensors")
    call = positional(load(folder), inputs)
    with torch.inference_mode():
        model = ov.convert_model(call, example_input=tuple(inputs[name] for name in sorted(inputs)))
    # Fixed sizes: OpenVINO chooses its kernels for them.
    model.reshape({port: list(inputs[name].shape) for port, name in zip(model.inputs, sorted(inputs))})
    ov.save_model(model, folder / "openvino.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main()
