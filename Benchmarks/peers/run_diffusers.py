"""One evaluation after another by diffusers; a JSON line with the seconds of each and the process's peak memory.

    python run_diffusers.py FOLDER/NAME RUNS THREADS eager|channels-last|compiled
"""
import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from memory import peak_bytes
from reference import load, positional


def main():
    folder, runs, threads, mode = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    inputs = load_file(folder / "inputs.safetensors")
    model = load(folder)
    if mode != "eager":
        model = model.to(memory_format=torch.channels_last)
    call = positional(model, inputs)
    if mode == "compiled":
        import torch._inductor.config as inductor

        # Weights as constants, reordered for their kernels when compiled.
        inductor.freezing = True
        call = torch.compile(call)
    arguments = [inputs[name] for name in sorted(inputs)]
    seconds = []
    with torch.inference_mode() if mode != "compiled" else torch.no_grad():
        for _ in range(runs):
            start = time.perf_counter()
            result = call(*arguments)
            seconds.append(time.perf_counter() - start)
    save_file({"sample": result.contiguous()}, folder / "diffusers.safetensors")
    print(json.dumps({"peer": f"diffusers {mode}", "seconds": seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
