"""Original single files against diffusers.

    python Parity/single_files.py                                   writes the goldens of the test suite
    python Parity/single_files.py --program PATH --count N --seed S N freshly drawn models of every family through `quickstep forward`
                                                                    and `quickstep generate`, 10 steps

A model is a list of original names and shapes; every value is drawn from a seed that its place in the list gives, here and in the test suite
alike, so that no weights have to be kept. diffusers' own conversion turns the file into its networks. Goldens are the trajectories.
"""
import argparse
import gzip
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import original_names as original
from checkpoints import noise, quiet
from pipelines import PROMPTS, STEPS, tokenizer

ROOT = Path(__file__).resolve().parent.parent / "Tests"
FOLDER = ROOT / "QuickstepPipelinesTests/Fixtures/single-file"
SHAPES = ROOT / "QuickstepModelsTests/Fixtures/single-file"
TOKENIZER = ROOT / "QuickstepPipelinesTests/Fixtures/sd/tokenizer"
FAMILIES = ["sd1", "sd2", "sdxl", "refiner"]
ENCODERS = {"sd1": {"text_encoder": "cond_stage_model.transformer."}, "sd2": {"text_encoder": "cond_stage_model.model."},
            "sdxl": {"text_encoder": "conditioner.embedders.0.transformer.", "text_encoder_2": "conditioner.embedders.1.model."},
            "refiner": {"text_encoder_2": "conditioner.embedders.0.model."}}


def value(index, name, shape):
    """The values of tensor number `index` of a file; Tests/QuickstepPipelinesTests/SingleFileTests.swift draws the same."""
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(1000 + index))
    if len(shape) > 1:
        scale = 0.5 if "embedding" in name else 1 / math.sqrt(drawn[0].numel())
        return drawn * scale
    return drawn * 0.1 + (1.0 if name.endswith("weight") else 0.0)


def text_encoder(family, part, size, layers, projection):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    wide = ENCODERS[family][part].endswith("model.")
    config = CLIPTextConfig(
        vocab_size=754, hidden_size=size, intermediate_size=2 * size, num_hidden_layers=layers, num_attention_heads=size // 64,
        max_position_embeddings=20, projection_dim=projection, eos_token_id=2, hidden_act="gelu" if wide else "quick_gelu")
    return (CLIPTextModelWithProjection if part.endswith("2") else CLIPTextModel)(config)


def draw(family, rng):
    """Networks of a tiny model of this family, with random structure; weights come later."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    large = family in ("sdxl", "refiner")
    levels = rng.choice([2, 3])
    channels = [rng.choice([32, 64]) if family == "sd1" else rng.choice([64, 128]) for _ in range(levels)]
    attends = [rng.random() < 0.6 for _ in range(levels)]
    depths = [rng.choice([1, 2]) for _ in range(levels)] if large else [1] * levels
    sizes = {part: rng.choice([64, 128]) for part in ENCODERS[family]}
    projection = rng.choice([20, 32])
    layers = rng.choice([1, 2])
    more = {}
    if large:
        ids = 5 if family == "refiner" else 6
        more = dict(addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=ids * 8 + projection,
                    transformer_layers_per_block=tuple(depths))
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=tuple(channels), layers_per_block=layers,
        cross_attention_dim=sum(sizes.values()), use_linear_projection=family != "sd1",
        attention_head_dim=8 if family == "sd1" else tuple(c // 64 for c in channels),
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)), **more)
    vae_levels = rng.choice([1, 2])
    vae = AutoencoderKL(
        block_out_channels=tuple(rng.choice([32, 64]) for _ in range(vae_levels)), layers_per_block=rng.choice([1, 2]),
        down_block_types=("DownEncoderBlock2D",) * vae_levels, up_block_types=("UpDecoderBlock2D",) * vae_levels,
        scaling_factor=0.13025 if large else 0.18215)
    parts = {"unet": unet, "vae": vae}
    for part, size in sizes.items():
        parts[part] = text_encoder(family, part, size, rng.choice([2, 3]), projection)
    return parts, layers


def original_file(family, parts, layers):
    """All parts in one state dict of original names, with the buffers that training leaves."""
    file = original.unet(parts["unet"].state_dict(), layers) | original.autoencoder(parts["vae"].state_dict())
    for part, prefix in ENCODERS[family].items():
        state = parts[part].state_dict()
        if prefix.endswith("model."):
            file |= original.open_clip(state, prefix, extra_layer=family == "sd2")
        else:
            file |= original.clip(state, prefix) | {prefix + "text_model.embeddings.position_ids": torch.zeros(1, 20)}
    left = {"alphas_cumprod": 1000, "betas": 1000, "model_ema.decay": 1, "model_ema.diffusion_modelout2bias": 4, "denoiser.sigmas": 1000}
    return file | {name: torch.zeros(size) for name, size in left.items()}


def filled(family, parts, layers):
    """The single file with drawn values, and the parts holding what diffusers makes of it."""
    shapes = [[name, list(tensor.shape)] for name, tensor in sorted(original_file(family, parts, layers).items())]
    file = {name: value(index, name, shape) for index, (name, shape) in enumerate(shapes)}
    for part, model in parts.items():
        found = original.restored(model, part, file, ENCODERS[family].get(part))
        state = model.state_dict()
        if part.startswith("text"):
            found = {key if key in state else key.removeprefix("text_model."): tensor for key, tensor in found.items()}
        found = {key: tensor for key, tensor in found.items() if not key.endswith("position_ids")}
        assert found.keys() == state.keys(), (part, sorted(found.keys() ^ state.keys())[:5])
        model.load_state_dict(found)
        model.eval()
    return shapes, file


def pipeline(family, parts, prediction):
    from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", set_alpha_to_one=False, steps_offset=1,
                              clip_sample=False, prediction_type=prediction)
    common = dict(vae=parts["vae"], unet=parts["unet"], scheduler=scheduler)
    if family in ("sd1", "sd2"):
        return StableDiffusionPipeline(
            **common, text_encoder=parts["text_encoder"], tokenizer=tokenizer("!" if family == "sd2" else "<|endoftext|>"),
            safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    return StableDiffusionXLPipeline(
        **common, text_encoder=parts["text_encoder"], tokenizer=tokenizer("<|endoftext|>"), text_encoder_2=parts["text_encoder_2"],
        tokenizer_2=tokenizer("!"), force_zeros_for_empty_prompt=True)


def trajectory(family, parts, prediction, seed):
    pipe = pipeline(family, parts, prediction)
    pipe.set_progress_bar_config(disable=True)
    states = {}

    def record(_, step, __, values):
        states[f"step_{step:03d}"] = values["latents"].clone()
        return values

    side = 8
    latents = noise(seed, "latents", len(PROMPTS), 4, side, side)
    factor = 2 ** (len(parts["vae"].config.block_out_channels) - 1)
    with torch.inference_mode():
        picture = pipe(PROMPTS, latents=latents.clone(), num_inference_steps=STEPS, guidance_scale=5.0, output_type="pt",
                       height=side * factor, width=side * factor, callback_on_step_end=record).images
    return {"latents": latents, "picture": picture * 2 - 1, **states, "final": states[f"step_{STEPS - 1:03d}"]}


def unet_case(parts, seed):
    unet = parts["unet"]
    inputs = {"sample": noise(seed, "sample", 1, 4, 12, 8), "timestep": torch.tensor([621.0]),
              "encoder_hidden_states": noise(seed, "prompt", 1, 7, unet.config.cross_attention_dim)}
    call = {}
    if unet.config.addition_embed_type:
        total, features = unet.config.projection_class_embeddings_input_dim, unet.config.addition_time_embed_dim
        ids = 5 if (total - parts["text_encoder_2"].config.projection_dim) // features == 5 else 6
        inputs |= {"text_embeds": noise(seed, "pooled", 1, total - ids * features), "time_ids": torch.tensor([[512.0, 512, 0, 0, 6, 768][:ids]])}
        call["added_cond_kwargs"] = {key: inputs[key] for key in ("text_embeds", "time_ids")}
    with torch.inference_mode():
        return inputs, unet(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"], **call).sample


def prediction_of(family, rng):
    return rng.choice(["epsilon", "v_prediction"]) if family == "sd2" else "epsilon"


def write_goldens():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for index, family in enumerate(FAMILIES):
        rng = random.Random(40 + index)
        parts, layers = draw(family, rng)
        shapes, _ = filled(family, parts, layers)
        notes = {"tensors": json.dumps(shapes), "prompts": json.dumps(PROMPTS), "prediction": prediction_of(family, rng)}
        inputs, sample = unet_case(parts, index)
        golden = {f"in.{key}": tensor for key, tensor in inputs.items()} | {"out.sample": sample}
        if family != "refiner":
            golden |= trajectory(family, parts, notes["prediction"], index)
        assert all(tensor.isfinite().all() for tensor in golden.values())
        save_file({key: tensor.contiguous().clone() for key, tensor in golden.items()}, FOLDER / f"{family}.safetensors", metadata=notes)
        print(f"{family:8}", (FOLDER / f"{family}.safetensors").stat().st_size, "bytes")
    write_published()


PUBLISHED = {
    "sd1": dict(block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8),
    "sd2": dict(block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20),
                use_linear_projection=True),
    "sdxl": dict(block_out_channels=(320, 640, 1280), cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
                 transformer_layers_per_block=(1, 2, 10), addition_embed_type="text_time", addition_time_embed_dim=256,
                 projection_class_embeddings_input_dim=2816, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                 up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")),
    "refiner": dict(block_out_channels=(384, 768, 1536, 1536), cross_attention_dim=1280, attention_head_dim=(6, 12, 24, 24),
                    use_linear_projection=True, transformer_layers_per_block=4, addition_embed_type="text_time", addition_time_embed_dim=256,
                    projection_class_embeddings_input_dim=2560,
                    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")),
}
TOWERS = {"large": dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12),
          "huge": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu"),
          "giant": dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu",
                        projection_dim=1280)}


def write_published():
    """Names and shapes of the published sizes, in original names and in ours, and what the published configurations say."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    SHAPES.mkdir(parents=True, exist_ok=True)
    result = {}
    for family in FAMILIES:
        with torch.device("meta"):
            parts = {"unet": UNet2DConditionModel(sample_size=64, **PUBLISHED[family]), "vae": AutoencoderKL(
                block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=0.13025 if family in ("sdxl", "refiner") else 0.18215)}
            for part, prefix in ENCODERS[family].items():
                tower = TOWERS["giant" if part.endswith("2") else "huge" if family == "sd2" else "large"]
                kind = CLIPTextModelWithProjection if part.endswith("2") else CLIPTextModel
                parts[part] = kind(CLIPTextConfig(**tower))
            file = original_file(family, parts, 2)
        entry = {"original": [[name, list(tensor.shape)] for name, tensor in sorted(file.items())], "parts": {}}
        for part, model in parts.items():
            state = model.state_dict()
            found = original.restored(model, part, file, ENCODERS[family].get(part))
            found = {key: tensor for key, tensor in found.items() if not key.endswith("position_ids")}
            expected = named = original.named(state) if part.startswith("text") else state
            assert found.keys() == named.keys() and all(found[key].shape == expected[key].shape for key in found), (family, part)
            config = {key: item for key, item in dict(model.config if part in ("unet", "vae") else model.config.to_dict()).items()}
            kept = ["block_out_channels", "cross_attention_dim", "attention_head_dim", "use_linear_projection", "transformer_layers_per_block",
                    "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim", "down_block_types",
                    "up_block_types", "layers_per_block", "in_channels", "out_channels", "latent_channels", "scaling_factor", "hidden_size",
                    "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "vocab_size", "max_position_embeddings"]
            entry["parts"][part] = {"tensors": [[name, list(tensor.shape)] for name, tensor in sorted(expected.items())],
                                    "configuration": {key: config[key] for key in kept if config.get(key) is not None}}
        result[family] = entry
    text = json.dumps(result, separators=(",", ":"))
    (SHAPES / "published.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    print("published", (SHAPES / "published.json.gz").stat().st_size, "bytes")


def gap(actual, expected):
    return ((actual - expected).abs().max() / expected.std()).item()


def compare(program, count, seed):
    failed = 0
    for family in FAMILIES:
        worst = {"forward": 0.0, "trajectory": 0.0}
        for index in range(count):
            case = seed + 7919 * index
            rng = random.Random(f"{family}{case}")
            parts, layers = draw(family, rng)
            prediction = prediction_of(family, rng)
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                _, file = filled(family, parts, layers)
                save_file(file, folder / "model.safetensors")
                inputs, sample = unet_case(parts, case)
                save_file(inputs, folder / "in.safetensors")
                run = [program, "forward", str(folder / "model.safetensors"), "--component", "unet", "--inputs", str(folder / "in.safetensors"),
                       "--output", str(folder / "out.safetensors")]
                done = subprocess.run(run, capture_output=True, text=True)
                if done.returncode:
                    print(f"{family} seed {case}: {done.stderr.strip()}")
                    failed += 1
                    continue
                worst["forward"] = max(worst["forward"], gap(load_file(folder / "out.safetensors")["sample"], sample))
                if family == "refiner":
                    continue
                golden = trajectory(family, parts, prediction, case)
                save_file({"latents": golden["latents"]}, folder / "latents.safetensors")
                done = subprocess.run(
                    [program, "generate", *PROMPTS, "--model", str(folder / "model.safetensors"), "--tokenizer", str(TOKENIZER), "--latents",
                     str(folder / "latents.safetensors"), "--trajectory", str(folder / "t.safetensors"), "--steps", str(STEPS), "--guidance", "5",
                     "--batch", "2", "--solver", "ddim", "--grid", "leading:offset=1,final=smallest", "--prediction", prediction,
                     "--size", f"{golden['picture'].shape[3]}x{golden['picture'].shape[2]}", "--output", str(folder / "out"), "--quiet"],
                    capture_output=True, text=True)
                if done.returncode:
                    print(f"{family} seed {case}: {done.stderr.strip()}")
                    failed += 1
                    continue
                states = load_file(folder / "t.safetensors")
                worst["trajectory"] = max([worst["trajectory"]] + [gap(states[key], golden[key]) for key in golden if key in states])
        failed += worst["forward"] > 2e-4 or worst["trajectory"] > 1e-3
        print(f"{family:8} {count} models, one evaluation {worst['forward']:.1e}, ten steps {worst['trajectory']:.1e} standard deviations")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    quiet()
    if arguments.program:
        sys.exit(1 if compare(arguments.program, arguments.count, arguments.seed) else 0)
    write_goldens()


if __name__ == "__main__":
    main()
