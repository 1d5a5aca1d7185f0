"""Networks of published checkpoints against diffusers and transformers, on random weights.

    python Parity/checkpoints.py                                    writes the goldens of the test suite
    python Parity/checkpoints.py --program PATH --count N --seed S  N freshly drawn configurations of every architecture, through
                                                                    `quickstep forward`, which nobody has written down beforehand

A case is a component folder as the reference library saves it (config.json, weights) with golden.safetensors: `in.<name>`, `out.<name>`.
A network passes when its largest difference is within 2e-4 of the standard deviation of the reference's output.
"""
import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import drawers_clip
import drawers_codecs
import drawers_control
import drawers_transformers
import drawers_unet
import torch
from random_weights import disturb, noise
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepModelsTests/Fixtures/checkpoints"
TOLERANCE = 2e-4


# Drawing configurations: each returns (model, inputs for quickstep, outputs of the reference).


def draw_unet(rng, seed):
    from diffusers import UNet2DConditionModel

    levels = rng.choice([2, 3, 4])
    groups = rng.choice([2, 4])
    heads = [rng.choice([1, 2, 4]) for _ in range(levels)]
    channels = [rng.choice([8, 16, 24]) for _ in range(levels)]
    attends = [rng.random() < 0.6 for _ in range(levels)]
    context = rng.choice([12, 20])
    config = dict(
        sample_size=16, in_channels=rng.choice([4, 9]), out_channels=4, block_out_channels=tuple(channels), norm_num_groups=groups,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        layers_per_block=rng.choice([1, 2]), cross_attention_dim=context, attention_head_dim=tuple(heads),
        use_linear_projection=rng.random() < 0.5, transformer_layers_per_block=tuple(rng.choice([1, 2]) for _ in range(levels)),
        flip_sin_to_cos=rng.random() < 0.8, freq_shift=rng.choice([0, 1]), only_cross_attention=rng.random() < 0.2,
        mid_block_type=rng.choice(["UNetMidBlock2DCrossAttn", "UNetMidBlock2DCrossAttn", "UNetMidBlock2D"]),
        norm_eps=rng.choice([1e-5, 1e-6]))
    batch, height, width = rng.choice([1, 2]), rng.choice([16, 24]), rng.choice([16, 8])
    inputs = {
        "sample": noise(seed, "sample", batch, config["in_channels"], height, width),
        "timestep": torch.tensor([rng.choice([0.0, 1.0, 500.0, 981.0, 999.0]) for _ in range(batch)]),
        "encoder_hidden_states": noise(seed, "prompt", batch, 7, context),
    }
    call = {}
    kind = rng.choice(["plain", "text_time", "classes", "projection", "guidance", "residuals", "mask", "timestep", "text_proj"])
    if kind == "text_time":
        config |= dict(addition_embed_type="text_time", addition_time_embed_dim=6, projection_class_embeddings_input_dim=6 * 6 + 10)
        inputs |= {"text_embeds": noise(seed, "pooled", batch, 10), "time_ids": torch.tensor([[512.0, 512, 0, 0, 1024, 768]] * batch)}
        call["added_cond_kwargs"] = {key: inputs[key] for key in ("text_embeds", "time_ids")}
    elif kind == "classes":
        config |= dict(num_class_embeds=5, class_embeddings_concat=rng.random() < 0.5)
        call["class_labels"] = inputs["class_labels"] = torch.tensor([rng.randrange(5) for _ in range(batch)])
    elif kind == "timestep":
        config |= dict(class_embed_type="timestep")
        call["class_labels"] = inputs["class_labels"] = torch.tensor([20.0] * batch)
    elif kind == "projection":
        config |= dict(class_embed_type=rng.choice(["projection", "simple_projection"]), projection_class_embeddings_input_dim=9)
        call["class_labels"] = inputs["class_labels"] = noise(seed, "classes", batch, 9)
    elif kind == "guidance":
        config |= dict(time_cond_proj_dim=14)
        call["timestep_cond"] = inputs["timestep_cond"] = noise(seed, "guidance", batch, 14)
    elif kind == "mask":
        call["encoder_attention_mask"] = inputs["encoder_attention_mask"] = torch.arange(7)[None].expand(batch, 7) < 4
    elif kind == "text_proj":
        config |= dict(encoder_hid_dim_type="text_proj", encoder_hid_dim=15)
        inputs["encoder_hidden_states"] = noise(seed, "prompt", batch, 7, 15)
    model = disturb(seed, UNet2DConditionModel(**config))
    if kind == "residuals":
        h, w, shapes = height, width, [(channels[0], height, width)]
        for level, width_ in enumerate(channels):
            shapes += [(width_, h, w)] * config["layers_per_block"]
            if level < levels - 1:
                h, w = (h + 1) // 2, (w + 1) // 2
                shapes.append((width_, h, w))
        down = [noise(seed, f"residual {i}", batch, *shape) for i, shape in enumerate(shapes)]
        middle = noise(seed, "residual middle", batch, channels[-1], h, w)
        inputs |= {f"down_block_additional_residuals.{i}": value for i, value in enumerate(down)}
        inputs["mid_block_additional_residual"] = middle
        call |= dict(down_block_additional_residuals=tuple(down), mid_block_additional_residual=middle)
    with torch.inference_mode():
        sample = model(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"], **call).sample
    return model, inputs, {"sample": sample}


def draw_autoencoder(rng, seed):
    from diffusers import AutoencoderKL

    levels = rng.choice([1, 2, 3, 4])
    quant = rng.random() < 0.6
    config = dict(
        in_channels=rng.choice([1, 3]), out_channels=3, latent_channels=rng.choice([4, 16]), norm_num_groups=rng.choice([2, 4]),
        block_out_channels=tuple(rng.choice([8, 16]) for _ in range(levels)), layers_per_block=rng.choice([1, 2]),
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        scaling_factor=rng.choice([0.18215, 0.3611]), shift_factor=rng.choice([None, 0.1159]), use_quant_conv=quant,
        use_post_quant_conv=quant, mid_block_add_attention=rng.random() < 0.7)
    model = disturb(seed, AutoencoderKL(**config))
    batch = rng.choice([1, 2])
    with torch.inference_mode():
        if rng.random() < 0.5:
            z = noise(seed, "z", batch, config["latent_channels"], 6, 4)
            return model, {"z": z}, {"sample": model.decode(z).sample}
        side = 2 ** (levels - 1)
        picture = noise(seed, "sample", batch, config["in_channels"], 4 * side, 3 * side)
        moments = model.encode(picture).latent_dist
        outputs = {"sample": model.decode(moments.mode()).sample, "latent_dist.mean": moments.mean, "latent_dist.logvar": moments.logvar}
    return model, {"sample": picture}, outputs


def draw_clip(rng, seed):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    heads = rng.choice([1, 2, 4])
    end = rng.choice([2, 49])
    config = CLIPTextConfig(
        vocab_size=50, hidden_size=heads * rng.choice([8, 12]), intermediate_size=rng.choice([24, 40]),
        num_hidden_layers=rng.choice([1, 2, 3]), num_attention_heads=heads, max_position_embeddings=rng.choice([9, 77]),
        hidden_act=rng.choice(["quick_gelu", "gelu"]), projection_dim=rng.choice([8, 20]), eos_token_id=end, bos_token_id=48,
        pad_token_id=1)
    kind = rng.choice([CLIPTextModel, CLIPTextModelWithProjection])
    model = disturb(seed, kind(config))
    batch, length = rng.choice([1, 3]), rng.choice([5, 9])
    ids = torch.randint(3, 48, (batch, length), generator=torch.Generator().manual_seed(seed))
    for row in range(batch):
        ids[row, rng.randrange(1, length):] = 49
    with torch.inference_mode():
        result = model(ids, output_hidden_states=True)
    outputs = {"last_hidden_state": result.last_hidden_state}
    outputs |= {f"hidden_states.{i}": state for i, state in enumerate(result.hidden_states)}
    if kind is CLIPTextModelWithProjection:
        outputs["text_embeds"] = result.text_embeds
    else:
        outputs["pooler_output"] = result.pooler_output
    return model, {"input_ids": ids}, outputs


def draw_plain_unet(rng, seed):
    from diffusers import UNet2DModel

    levels = rng.choice([1, 2, 3])
    attends = [rng.random() < 0.5 for _ in range(levels)]
    classes = rng.choice([None, None, 5])
    config = dict(
        sample_size=16, in_channels=rng.choice([1, 3]), out_channels=rng.choice([3, 6]), norm_num_groups=rng.choice([2, 4]),
        block_out_channels=tuple(rng.choice([8, 16, 24]) for _ in range(levels)), layers_per_block=rng.choice([1, 2]),
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        attention_head_dim=rng.choice([None, 4, 8]), downsample_padding=rng.choice([0, 1]), flip_sin_to_cos=rng.random() < 0.5,
        freq_shift=rng.choice([0, 1]), norm_eps=rng.choice([1e-5, 1e-6]), add_attention=rng.random() < 0.7, num_class_embeds=classes,
        mid_block_scale_factor=rng.choice([1, 1.4142]))
    model = disturb(seed, UNet2DModel(**config))
    batch = rng.choice([1, 2])
    inputs = {"sample": noise(seed, "sample", batch, config["in_channels"], 16, 8),
              "timestep": torch.tensor([rng.choice([0.0, 400.0, 999.0]) for _ in range(batch)])}
    call = {}
    if classes:
        call["class_labels"] = inputs["class_labels"] = torch.tensor([rng.randrange(classes) for _ in range(batch)])
    with torch.inference_mode():
        return model, inputs, {"sample": model(inputs["sample"], inputs["timestep"], **call).sample}


def draw_tiny(rng, seed):
    from diffusers import AutoencoderTiny

    levels = rng.choice([1, 2, 3, 4])
    width = rng.choice([8, 16])
    config = dict(
        latent_channels=rng.choice([4, 16]), encoder_block_out_channels=(width,) * levels, decoder_block_out_channels=(width,) * levels,
        num_encoder_blocks=tuple(rng.choice([0, 1, 2]) for _ in range(levels)),
        num_decoder_blocks=tuple(rng.choice([1, 2]) for _ in range(levels)), latent_magnitude=rng.choice([3, 4]),
        scaling_factor=rng.choice([1.0, 0.8]))
    model = disturb(seed, AutoencoderTiny(**config))
    batch, side = rng.choice([1, 2]), 2 ** (levels - 1)
    with torch.inference_mode():
        if rng.random() < 0.5:
            z = noise(seed, "z", batch, config["latent_channels"], 6, 4)
            return model, {"z": z}, {"sample": model.decode(z).sample}
        picture = noise(seed, "sample", batch, 3, 4 * side, 3 * side)
        return model, {"sample": picture}, {"sample": model(picture).sample, "latents": model.encode(picture).latents}


def draw_dit(rng, seed):
    from diffusers import DiTTransformer2DModel

    heads, classes = rng.choice([1, 2, 3]), 7
    config = dict(
        num_attention_heads=heads, attention_head_dim=rng.choice([4, 8]), in_channels=rng.choice([3, 4]), num_layers=rng.choice([1, 2, 3]),
        sample_size=rng.choice([8, 12]), patch_size=rng.choice([1, 2, 4]), num_embeds_ada_norm=classes, attention_bias=rng.random() < 0.7,
        out_channels=rng.choice([None, 8]))
    model = disturb(seed, DiTTransformer2DModel(**config))
    batch, side = rng.choice([1, 2]), rng.choice([config["sample_size"], 16])
    inputs = {"hidden_states": noise(seed, "sample", batch, config["in_channels"], side, side),
              "timestep": torch.tensor([rng.choice([0.0, 400.0, 999.0]) for _ in range(batch)]),
              "class_labels": torch.tensor([rng.randrange(classes + 1) for _ in range(batch)])}
    with torch.inference_mode():
        return model, inputs, {"sample": model(**inputs).sample}


DRAWERS = {
    "dit": draw_dit, "unet": draw_unet, "plain-unet": draw_plain_unet, "autoencoder": draw_autoencoder, "tiny": draw_tiny,
    "clip": draw_clip,
} | drawers_transformers.DRAWERS | drawers_codecs.DRAWERS | drawers_control.DRAWERS | drawers_clip.DRAWERS | drawers_unet.DRAWERS
GOLDENS = 4


class Degenerate(Exception):
    """A drawn network whose output says nothing."""


def write_case(folder, drawer, seed):
    model, inputs, outputs = drawer(random.Random(seed), seed)
    if folder.exists():
        shutil.rmtree(folder)
    model.half().save_pretrained(folder, safe_serialization=True)
    for name, value in outputs.items():
        if not (value.isfinite().all() and value.std() > 0.05):
            raise Degenerate(f"{folder.name}: {name}")
    golden = {f"in.{key}": value for key, value in inputs.items()} | {f"out.{key}": value for key, value in outputs.items()}
    save_file({key: value.contiguous().clone() for key, value in golden.items()}, folder / "golden.safetensors",
              metadata={"script": "Parity/checkpoints.py"})
    return folder


def write_goldens(drawers):
    for name, drawer in drawers.items():
        for index in range(GOLDENS):
            folder = write_case(FOLDER / f"{name}-{index}", drawer, 1000 * index + zlib.crc32(name.encode()) % 1000)
            # Written by libraries whose names and versions are in the file; neither belongs to the network.
            path = folder / "config.json"
            config = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("_name_or_path", "transformers_version")}
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
            print(f"{folder.name:20}", sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def compare(drawers, program, count, seed):
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, drawer in drawers.items():
            worst = 0.0
            for index in range(count):
                case = seed + 7919 * index
                folder = Path(scratch) / f"{name}-{index}"
                # A few of many draws; the next one counts in their place.
                for _ in range(5):
                    try:
                        write_case(folder, drawer, case)
                        break
                    except Degenerate as problem:
                        print(f"{name} seed {case}: degenerate ({problem}), drawn again")
                        case += 104729
                else:
                    failed += 1
                    continue
                golden = load_file(folder / "golden.safetensors")
                save_file({k[3:]: v for k, v in golden.items() if k.startswith("in.")}, folder / "in.st")
                run = subprocess.run([program, "forward", str(folder), "--inputs", str(folder / "in.st"), "--output",
                                      str(folder / "out.st")], capture_output=True, text=True)
                if run.returncode != 0:
                    print(f"{name} seed {case}: {run.stderr.strip()}")
                    failed += 1
                    continue
                outputs = load_file(folder / "out.st")
                for key, value in golden.items():
                    if key.startswith("out."):
                        gap = ((outputs[key[4:]] - value).abs().max() / value.std()).item()
                        worst = max(worst, gap)
                        if not gap <= TOLERANCE:
                            print(f"{name} seed {case}: {key[4:]} differs by {gap:.2e} standard deviations")
                            failed += 1
            print(f"{name:12} {count} configurations, largest difference {worst:.1e} standard deviations")
    return failed


def quiet():
    """No progress bars and warnings of the libraries."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.disable_progress_bar()
        library.set_verbosity_error()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=sorted(DRAWERS), default=list(DRAWERS), help="these architectures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    quiet()
    drawers = {name: DRAWERS[name] for name in arguments.only}
    if arguments.program:
        sys.exit(1 if compare(drawers, arguments.program, arguments.count, arguments.seed) else 0)
    write_goldens(drawers)


if __name__ == "__main__":
    main()
