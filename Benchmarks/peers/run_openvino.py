"""One evaluation after another by OpenVINO; a JSON line with the seconds of each and the process's peak memory.

    python run_openvino.py FOLDER/NAME RUNS THREADS
"""
import json
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov
from safetensors.numpy import load_file, save_file

from memory import peak_bytes


def main():
    folder, runs, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    inputs = load_file(folder / "inputs.safetensors")
    core = ov.Core()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    model = core.compile_model(str(folder / "openvino.xml"), "CPU", settings)
    request = model.create_infer_request()
    arguments = [ov.Tensor(np.ascontiguousarray(inputs[name])) for name in sorted(inputs)]
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        result = request.infer(arguments)
        seconds.append(time.perf_counter() - start)
    save_file({"sample": next(iter(result.values()))}, folder / "openvino.safetensors")
    print(json.dumps({"peer": "openvino", "seconds": seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
