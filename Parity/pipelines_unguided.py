"""Guidance scale 0, as SD-Turbo and SDXL-Turbo are run: published pipelines compare branches above 1 only and make the prompt's picture.

    python Parity/pipelines_unguided.py

Uses the tiny folders and initial noise of pipelines.py. Writes Tests/QuickstepPipelinesTests/Fixtures/unguided.safetensors with `<case>`, the
state behind the last step.
"""
import json
import sys

import torch
from diffusers import DiffusionPipeline, __version__
from safetensors import safe_open
from safetensors.torch import save_file

from checkpoints import quiet
from pipelines import FOLDER, PROMPTS, STEPS
from pipelines_transformers import given_noise, t5_tokenizer


def final(name, scale):
    """The last state at a scale, and what pipelines.py kept of its own run."""
    with safe_open(FOLDER / name / "golden.safetensors", "pt") as file:
        latents, expected = file.get_tensor("latents"), file.get_tensor("final")
        arguments = json.loads(file.metadata()["arguments"])
    tokenizers = {"sd3": "tokenizer_3", "pixart-sigma": "tokenizer"}
    parts = {tokenizers[name]: t5_tokenizer()} if name in tokenizers else {}
    pipeline = DiffusionPipeline.from_pretrained(FOLDER / name, torch_dtype=torch.float32, **parts)
    pipeline.set_progress_bar_config(disable=True)
    call = dict(arguments, num_inference_steps=STEPS)
    if scale is not None:
        call["guidance_scale"] = scale
    if name == "dit":
        states, step = [], pipeline.scheduler.step

        def keep(*given, **named):
            result = step(*given, **named)
            states.append(result.prev_sample[:2].clone())
            return result

        pipeline.scheduler.step = keep
        given_noise("diffusers.pipelines.dit.pipeline_dit", latents)
        pipeline(class_labels=[207, 5], **call)
        return states[-1], expected
    if name == "pixart-sigma":
        call |= dict(height=16, width=16, use_resolution_binning=False, clean_caption=False)
    if name == "sd3":
        call |= dict(height=16, width=16)
    return pipeline(prompt=PROMPTS, latents=latents, output_type="latent", **call).images, expected


def main():
    torch.set_num_threads(1)
    quiet()
    golden = {}
    with torch.inference_mode():
        for name in ("dit", "pixart-sigma", "sd", "sd3", "sdxl"):
            # The folder as it was saved makes the guided run anew.
            again, expected = final(name, None)
            assert (again - expected).abs().max() < 1e-3 * expected.std(), name
            golden[name] = final(name, 0.0)[0].contiguous().clone()
            assert (golden[name] - expected).abs().max() > 1e-2 * expected.std(), name
    save_file(golden, FOLDER / "unguided.safetensors", metadata={
        "script": "Parity/pipelines_unguided.py", "versions": f"diffusers {__version__}, torch {torch.__version__}"})


if __name__ == "__main__":
    sys.exit(main())
