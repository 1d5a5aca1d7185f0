"""Whole runs through the program against the goldens of pipelines.py: `quickstep generate --latents … --trajectory …` on every folder.

    python Parity/trajectories.py --program PATH [FOLDER …]

A run passes when every state differs by at most 1e-3 of the standard deviation of the reference's.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepPipelinesTests/Fixtures"
TOLERANCE = 1e-3
GIVEN = ("latents", "prompt_embeds", "negative_prompt_embeds", "prompt_attention_mask", "negative_prompt_attention_mask")


def run(program, folder, scratch):
    with safe_open(folder / "golden.safetensors", "pt") as file:
        metadata = file.metadata()
        golden = {name: file.get_tensor(name) for name in file.keys()}
    arguments = json.loads(metadata["arguments"])
    prompts = json.loads(metadata["prompts"])
    save_file({name: golden[name] for name in GIVEN if name in golden}, scratch / "given.st")
    height, width = golden["latents"].shape[2:]
    command = [program, "generate", *prompts, "--model", str(folder), "--latents", str(scratch / "given.st"), "--trajectory",
               str(scratch / "states.st"), "--steps", str(arguments.get("num_inference_steps", 10)), "--seed", "0",
               "--batch", str(len(prompts)), "--size", f"{width * 2}x{height * 2}", "--output", str(scratch / "pictures"), "--quiet"]
    if "guidance_scale" in arguments:
        command += ["--guidance", str(arguments["guidance_scale"])]
    negative = arguments.get("negative_prompt")
    if negative:
        command += ["--negative", negative if isinstance(negative, str) else negative[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    with safe_open(scratch / "states.st", "pt") as file:
        states = {name: file.get_tensor(name) for name in file.keys()}
    names = [name for name in golden if name.startswith("step_")] + ["final"]
    return max(((states[name] - golden[name]).abs().max() / golden[name].std()).item() for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("folders", nargs="*", type=Path)
    arguments = parser.parse_args()
    failed = 0
    for folder in arguments.folders or sorted(path.parent for path in FOLDER.glob("*/golden.safetensors")):
        with tempfile.TemporaryDirectory() as scratch:
            result = run(arguments.program, folder, Path(scratch))
        passes = isinstance(result, float) and result <= TOLERANCE
        failed += not passes
        print(f"{folder.name:16} {result if isinstance(result, str) else f'{result:.1e}'}{'' if passes else '  FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
