"""Goldens of the authors' program for T-Stitch: guided runs that tiny networks with random weights share, and which of them did which step.

    python Parity/stitch_authors.py FOLDER

FOLDER holds a copy of github.com/NVlabs/T-Stitch at 264b60b68d013031c24f51ea3baeffd8641a87de, of which `dit` and `tstitch_sd_utils.py` are used. It
is no part of this repository, and its licence allows no commercial use. Its DiT networks, stitching and sampling run as they are, but for

- three channels in place of four, since the program guides the first three alone;
- sines of time with diffusers' frequencies, since that is what folders of DiT are made for;
- what it takes from timm, which is written anew below;
- `cuda`, which its pipelines name, and which stands for the CPU here.

Writes to Tests/QuickstepPipelinesTests/Fixtures/stitch: `large`, a DiT folder; the networks of `medium` and `small`; `sd-small`, a U-Net beside
that of Fixtures/sd; dit-authors.safetensors, sd-authors.safetensors; rules-authors.json, numbers of small steps by number of steps and share.
"""
import ast
import importlib
import importlib.util
import json
import shutil
import sys
import types
import typing
from pathlib import Path

import diffusers
import torch
from checkpoints import quiet
from pipelines import PROMPTS, stable_diffusion
from random_weights import disturb, noise
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepPipelinesTests/Fixtures/stitch"
CHANNELS, SIDE, CLASSES, SCALE = 3, 8, 10, 1.5
SIZES = {"small": dict(depth=1, hidden_size=8, num_heads=2), "medium": dict(depth=2, hidden_size=12, num_heads=3),
         "large": dict(depth=3, hidden_size=16, num_heads=2)}
LABELS = [7, 2]
# Shares of which some are no whole number of steps.
PAIRS = [(10, ratio) for ratio in (0, 0.05, 0.12, 0.25, 0.3, 0.5, 0.8, 1)] + [(7, 0.5), (7, 0.4), (25, 0.3)]
TRIPLES = [(10, (0.2, 0.3, 0.5)), (10, (0, 0.4, 0.6)), (10, (0.25, 0.1, 0.65)), (9, (0.5, 0.5, 0))]
SD_PAIRS = [(10, ratio) for ratio in (0, 0.05, 0.25, 0.3, 0.7, 0.99, 1)] + [(7, 0.5)]
VERSIONS = json.dumps(dict(torch=torch.__version__, diffusers=diffusers.__version__))


class PatchEmbed(nn.Module):
    """What the authors take from timm: patches as tokens."""

    def __init__(self, img_size, patch_size, in_chans, embed_dim, bias):
        super().__init__()
        self.patch_size, self.num_patches = (patch_size, patch_size), (img_size // patch_size) ** 2
        self.proj = nn.Conv2d(in_chans, embed_dim, patch_size, stride=patch_size, bias=bias)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Mlp(nn.Module):
    """What the authors take from timm: two layers."""

    def __init__(self, in_features, hidden_features, act_layer, drop):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(in_features, hidden_features), act_layer(), nn.Linear(hidden_features, in_features)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Attention(nn.Module):
    """What the authors take from timm: self-attention."""

    def __init__(self, dim, num_heads, qkv_bias):
        super().__init__()
        self.num_heads, self.qkv, self.proj = num_heads, nn.Linear(dim, 3 * dim, bias=qkv_bias), nn.Linear(dim, dim)

    def forward(self, x):
        query, key, value = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        return self.proj(nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


def authors_dit(folder):
    """The module of their networks, and of their diffusion."""
    timm = types.ModuleType("timm.models.vision_transformer")
    timm.PatchEmbed, timm.Mlp, timm.Attention = PatchEmbed, Mlp, Attention
    sys.modules |= {"timm": types.ModuleType("timm"), "timm.models": types.ModuleType("timm.models"), timm.__name__: timm}
    # There is another models.py here.
    spec = importlib.util.spec_from_file_location("stitch_networks", folder / "dit/models.py")
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    sys.path.append(str(folder / "dit"))
    from diffusers.models.embeddings import get_timestep_embedding

    networks.TimestepEmbedder.timestep_embedding = staticmethod(
        lambda t, dim: get_timestep_embedding(t, dim, flip_sin_to_cos=True, downscale_freq_shift=1))
    return networks, importlib.import_module("diffusion").create_diffusion


def drawn(networks, name):
    """One of their networks, with random weights in all but the table of positions."""
    network = networks.DiT(input_size=SIDE, patch_size=2, in_channels=CHANNELS, num_classes=CLASSES, **SIZES[name])
    positions = network.pos_embed.detach().clone()
    disturb(f"stitch {name}", network)
    network.pos_embed.data.copy_(positions)
    return network


def published(network, name):
    """The same network as diffusers' class, which must give the same."""
    size = SIZES[name]
    own = diffusers.DiTTransformer2DModel(
        num_attention_heads=size["num_heads"], attention_head_dim=size["hidden_size"] // size["num_heads"], in_channels=CHANNELS,
        out_channels=2 * CHANNELS, num_layers=size["depth"], sample_size=SIDE, patch_size=2, num_embeds_ada_norm=CLASSES, norm_eps=1e-6)
    state = own.state_dict()

    def put(target, source):
        for part in ("weight", "bias"):
            if f"{target}.{part}" in state:
                assert state[f"{target}.{part}"].shape == getattr(source, part).shape, target
                state[f"{target}.{part}"] = getattr(source, part).detach()

    put("pos_embed.proj", network.x_embedder.proj)
    put("proj_out_1", network.final_layer.adaLN_modulation[1])
    put("proj_out_2", network.final_layer.linear)
    for index, block in enumerate(network.blocks):
        prefix = f"transformer_blocks.{index}"
        put(f"{prefix}.norm1.emb.timestep_embedder.linear_1", network.t_embedder.mlp[0])
        put(f"{prefix}.norm1.emb.timestep_embedder.linear_2", network.t_embedder.mlp[2])
        put(f"{prefix}.norm1.emb.class_embedder.embedding_table", network.y_embedder.embedding_table)
        put(f"{prefix}.norm1.linear", block.adaLN_modulation[1])
        for letter, weight, bias in zip("qkv", block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3)):
            put(f"{prefix}.attn1.to_{letter}", types.SimpleNamespace(weight=weight, bias=bias))
        put(f"{prefix}.attn1.to_out.0", block.attn.proj)
        put(f"{prefix}.ff.net.0.proj", block.mlp.fc1)
        put(f"{prefix}.ff.net.2", block.mlp.fc2)
    own.load_state_dict(state)
    sample, times, labels = noise("stitch", "check", 2, CHANNELS, SIDE, SIDE), torch.tensor([987, 12]), torch.tensor([3, CLASSES])
    with torch.inference_mode():
        gap = (own.eval()(sample, times, labels).sample - network(sample, times, labels)).abs().max()
    assert gap < 1e-5, gap
    return own


def save_networks(own):
    """A whole folder for the large one, networks alone for the others."""
    from diffusers import DDIMScheduler

    vae = diffusers.AutoencoderKL(
        block_out_channels=(4,), norm_num_groups=2, down_block_types=("DownEncoderBlock2D",), up_block_types=("UpDecoderBlock2D",),
        layers_per_block=1, latent_channels=CHANNELS, sample_size=SIDE, scaling_factor=0.18215)
    scheduler = DDIMScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear", clip_sample=False, timestep_spacing="linspace")
    pipeline = diffusers.DiTPipeline(own["large"], disturb("stitch codec", vae), scheduler)
    pipeline.to(torch.float16).save_pretrained(FOLDER / "large", safe_serialization=True)
    for name in ("small", "medium"):
        own[name].half().save_pretrained(FOLDER / name, safe_serialization=True)


def watched(denoisers, log):
    """Writes down who is asked."""
    for name, network in denoisers.items():
        plain = network.forward_with_cfg

        def forward(*arguments, plain=plain, name=name, **named):
            log.append(name)
            return plain(*arguments, **named)

        network.forward_with_cfg = forward
    return denoisers


def run_dit(networks, create_diffusion):
    denoisers = {name: drawn(networks, name) for name in SIZES}
    own = {name: published(network, name) for name, network in denoisers.items()}
    save_networks(own)
    log = []
    watched(denoisers, log)
    two = networks.TStitch([denoisers["small"], denoisers["large"]]).eval()
    three = networks.MultiTStitch(list(denoisers.values())).eval()
    latents = noise("stitch", "latents", len(LABELS), CHANNELS, SIDE, SIDE)
    labels = torch.tensor(LABELS + [CLASSES] * len(LABELS))
    golden, cases = {"in.latents": latents}, []

    def case(name, model, steps, shares):
        log.clear()
        diffusion = create_diffusion(str(steps))
        start = torch.cat([latents, latents])
        with torch.no_grad():
            final = diffusion.ddim_sample_loop(
                model.forward_with_cfg, start.shape, start, clip_denoised=False, model_kwargs=dict(y=labels, cfg_scale=SCALE), device="cpu")
        assert len(log) == steps and final.isfinite().all()
        golden[f"out.{name}"] = final[: len(LABELS)].clone()
        cases.append(dict(name=name, steps=steps, shares=shares, models=list(log), timesteps=[int(t) for t in reversed(diffusion.timestep_map)]))

    for steps, two.ratio in PAIRS:
        case(f"two-{steps}-{two.ratio}", two, steps, [two.ratio])
    for steps, fractions in TRIPLES:
        three.set_fractions(list(fractions))
        case(f"three-{steps}-{'-'.join(map(str, fractions))}", three, steps, list(fractions[:2]))
    write("dit-authors.safetensors", golden, cases, scale=SCALE, labels=LABELS)


def write(name, golden, cases, **more):
    # Another order of the same models must show in the end.
    for first in cases:
        for other in cases:
            if len(first["models"]) == len(other["models"]) and first["models"] != other["models"]:
                a, b = (golden[f"out.{case['name']}"] for case in (first, other))
                assert (a - b).abs().max() > 1e-3 * a.std(), (first["name"], other["name"])
    save_file({key: value.contiguous() for key, value in golden.items()}, FOLDER / name, metadata={
        "script": "Parity/stitch_authors.py", "versions": VERSIONS, "cases": json.dumps(cases),
        **{key: json.dumps(value) for key, value in more.items()}})
    for case in cases:
        print(case["name"], "".join(model[0] for model in case["models"]), round(float(golden[f"out.{case['name']}"].std()), 3))


def rules(networks, create_diffusion):
    """Small steps by their rule for DiT, for shares whose threshold is no trained time: there rounding of floats decides in their program."""
    stub = types.SimpleNamespace(in_channels=CHANNELS, forward_with_cfg=lambda *_: True)
    other = types.SimpleNamespace(in_channels=CHANNELS, forward_with_cfg=lambda *_: False)
    rows = []
    for steps in (2, 5, 10, 20, 25, 30, 50, 100, 250):
        times = create_diffusion(str(steps)).timestep_map
        for percent in range(0, 101):
            ratio = percent / 100
            if 0 < percent < 100 and 1000 - 10 * percent in times:
                continue
            stitch = types.SimpleNamespace(denoisers=[stub, other], ratio=ratio, diffusion_steps=1000)
            small = sum(networks.TStitch.forward_with_cfg(stitch, None, torch.tensor([t]), None, None) for t in times)
            rows.append(dict(steps=steps, ratio=ratio, small=small))
    (FOLDER / "rules-authors.json").write_text(json.dumps(rows) + "\n")
    print(len(rows), "rules;", sum(row["small"] != int(row["steps"] * row["ratio"] + 0.5) for row in rows), "other than the nearest")


class OnCPU:
    """PyTorch as their pipelines see it, with a CPU for their GPU."""

    def __getattr__(self, name):
        return (lambda *_: torch.device("cpu")) if name == "device" else getattr(torch, name)


def run_sd(folder):
    tree = ast.parse((folder / "tstitch_sd_utils.py").read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) == "TStitchSD"]
    from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput

    space = dict(
        torch=OnCPU(), StableDiffusionPipeline=diffusers.StableDiffusionPipeline, UNet2DConditionModel=diffusers.UNet2DConditionModel,
        StableDiffusionPipelineOutput=StableDiffusionPipelineOutput, replace_example_docstring=lambda _: lambda function: function,
        EXAMPLE_DOC_STRING="", **{name: getattr(typing, name) for name in ("Any", "Callable", "Dict", "List", "Optional", "Union")})
    exec(compile(tree, "tstitch_sd_utils.py", "exec"), space)
    base, arguments = stable_diffusion()
    small = disturb("stitch sd-small", diffusers.UNet2DConditionModel(
        sample_size=8, block_out_channels=(4, 8), norm_num_groups=2, layers_per_block=1, attention_head_dim=2, cross_attention_dim=12,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")))
    small.half().save_pretrained(FOLDER / "sd-small", safe_serialization=True)
    small.float()
    log = []
    for name, network in (("small", small), ("large", base.unet)):
        network.register_forward_pre_hook(lambda *_, name=name: log.append(name))
    pipeline = space["TStitchSD"](**{**base.components, "requires_safety_checker": False})
    pipeline.set_progress_bar_config(disable=True)
    # As their get_tstitch_pipepline does.
    pipeline.unet = nn.ModuleList([small, pipeline.unet])
    pipeline.unet.dtype = small.dtype
    latents = noise("stitch", "sd latents", 2, 4, 8, 8)
    golden, cases = {"in.latents": latents}, []
    for steps, ratio in SD_PAIRS:
        log.clear()
        with torch.no_grad():
            final = pipeline(
                PROMPTS, height=16, width=16, num_inference_steps=steps, latents=latents.clone(), output_type="latent", unet_s_ratio=ratio,
                **arguments).images
        assert len(log) == steps and final.isfinite().all()
        name = f"sd-{steps}-{ratio}"
        golden[f"out.{name}"] = final.clone()
        cases.append(dict(name=name, steps=steps, shares=[ratio], models=list(log), timesteps=[int(t) for t in pipeline.scheduler.timesteps]))
    write("sd-authors.safetensors", golden, cases, prompts=PROMPTS, scale=arguments["guidance_scale"], negative=arguments["negative_prompt"][0])


def main(folder):
    torch.set_num_threads(1)
    quiet()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    authors = authors_dit(folder)
    run_dit(*authors)
    rules(*authors)
    run_sd(folder)
    for file in FOLDER.rglob("*.safetensors"):
        file.chmod(0o644)
    print(sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()), "bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
