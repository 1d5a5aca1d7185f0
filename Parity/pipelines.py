"""Whole pipelines against diffusers: tiny Stable Diffusion 1.x and XL folders with random weights, and what the reference makes of them.

    python Parity/pipelines.py

Writes Tests/QuickstepPipelinesTests/Fixtures/<case>: the model folder as diffusers saves it, and golden.safetensors with `latents`
(initial noise), `step_000` … (the state after each step), `final`, `picture` (−1…1) and the prompts in its metadata. Where steps add noise
(`lcm`), every picture draws it from PyTorch's generator of a seed of its own, 0, 1, …, as we do.
"""
import functools
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from checkpoints import disturb, noise, quiet

ROOT = Path(__file__).resolve().parent.parent / "Tests"
FOLDER = ROOT / "QuickstepPipelinesTests/Fixtures"
TOKENIZER = ROOT / "QuickstepTokenizersTests/Fixtures/clip"
PROMPTS = ["a photo of the astronaut riding a horse", "portrait of mars, 8k"]
STEPS = 10


def tokenizer(pad):
    from transformers import CLIPTokenizer

    vocabulary = json.loads((TOKENIZER / "vocab.json").read_text(encoding="utf8"))
    merges = [tuple(line.split(" ")) for line in (TOKENIZER / "merges.txt").read_text(encoding="utf8").strip().split("\n")[1:]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=20, pad_token=pad)


def text_encoder(seed, size, projected):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(vocab_size=754, hidden_size=size, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                            max_position_embeddings=20, projection_dim=10, eos_token_id=753, bos_token_id=752, pad_token_id=753)
    return disturb(seed, (CLIPTextModelWithProjection if projected else CLIPTextModel)(config))


def autoencoder(seed, scale):
    from diffusers import AutoencoderKL

    return disturb(seed, AutoencoderKL(
        block_out_channels=(8, 8), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 2, sample_size=16, scaling_factor=scale,
        up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1))


def unet(seed, **more):
    from diffusers import UNet2DConditionModel

    return disturb(seed, UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1, attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **more))


def scheduler(**more):
    from diffusers import DDIMScheduler

    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", set_alpha_to_one=False, steps_offset=1,
                         clip_sample=False, **more)


def stable_diffusion():
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=autoencoder(1, 0.18215), text_encoder=text_encoder(2, 12, False), tokenizer=tokenizer("<|endoftext|>"),
        unet=unet(3, cross_attention_dim=12), scheduler=scheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False), dict(guidance_scale=7.5, negative_prompt=["trending"] * 2)


def stable_diffusion_xl():
    from diffusers import StableDiffusionXLPipeline

    network = unet(4, cross_attention_dim=20, use_linear_projection=True, transformer_layers_per_block=(1, 2), addition_embed_type="text_time",
                   addition_time_embed_dim=4, projection_class_embeddings_input_dim=6 * 4 + 10)
    return StableDiffusionXLPipeline(
        vae=autoencoder(5, 0.13025), text_encoder=text_encoder(6, 12, False), text_encoder_2=text_encoder(7, 8, True),
        tokenizer=tokenizer("<|endoftext|>"), tokenizer_2=tokenizer("!"), unet=network, scheduler=scheduler(prediction_type="v_prediction"),
        add_watermarker=False), dict(guidance_scale=5.0)


def latent_consistency():
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    # Settings of the published checkpoints' file.
    distilled = LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", set_alpha_to_one=True, steps_offset=0,
                             clip_sample=False, original_inference_steps=50, timestep_spacing="leading", timestep_scaling=10.0)
    return LatentConsistencyModelPipeline(
        vae=autoencoder(8, 0.18215), text_encoder=text_encoder(9, 12, False), tokenizer=tokenizer("<|endoftext|>"),
        unet=unet(10, cross_attention_dim=12, time_cond_proj_dim=14), scheduler=distilled, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False), dict(guidance_scale=8.5, num_inference_steps=4)


def recorded(pipeline, call, unpacked=lambda state: state, steps=STEPS):
    """What `call` makes, and the state behind every step of the scheduler."""
    states = {}
    step = pipeline.scheduler.step

    # Pipelines look at what the scheduler's step takes before they give it their generator.
    @functools.wraps(step)
    def keep(*arguments, **named):
        result = step(*arguments, **named)
        state = result[0] if isinstance(result, tuple) else result.prev_sample
        states[f"step_{len(states):03d}"] = unpacked(state).clone()
        return result

    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler.step = keep
    with torch.inference_mode():
        result = call()
    del pipeline.scheduler.step
    assert len(states) == steps
    return result, states


def write(name, pipeline, arguments):
    latents = noise(name, "latents", 2, 4, 8, 8)
    call = {"num_inference_steps": STEPS} | arguments
    seeded = [torch.Generator().manual_seed(index) for index in range(len(PROMPTS))]
    picture, states = recorded(pipeline, lambda: pipeline(
        prompt=PROMPTS, latents=latents, generator=seeded, output_type="pt", **call).images, steps=call["num_inference_steps"])
    save(FOLDER / name, pipeline, latents, states, picture, arguments)


def save(folder, pipeline, latents, states, picture, arguments, prompts=PROMPTS, **more):
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    golden = {"latents": latents, **states, "final": states[max(states)], "picture": picture * 2 - 1, **more}
    save_file({key: value.contiguous().clone() for key, value in golden.items()}, folder / "golden.safetensors", metadata={
        "script": "Parity/pipelines.py", "prompts": json.dumps(prompts), "arguments": json.dumps(arguments)})
    print(folder.name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), "bytes")


def main():
    torch.set_num_threads(1)
    quiet()
    write("sd", *stable_diffusion())
    write("sdxl", *stable_diffusion_xl())
    write("lcm", *latent_consistency())
    from pipelines_transformers import write_all

    write_all()


if __name__ == "__main__":
    sys.exit(main())
