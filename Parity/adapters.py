"""LoRA files against diffusers and PEFT: tiny Stable Diffusion folders, a LoRA in every format, one evaluation of each changed network.

    python Parity/adapters.py --program PATH --count N --seed S

Every case draws a LoRA (ranks, layers, alphas, scales; convolutions too), gives it to diffusers by `load_lora_weights` (or to PEFT by
`PeftModel`), writes it in one of the formats, and runs `quickstep forward --lora FILE:scale` fused and live. Needs `pip install peft`.

Three faults of the reference are gone round, and all are told here because the files in question are common: with transformers 5, diffusers 0.37
finds no layer of a CLIPTextModel under `text_model.`, so it is given those without that scope and with the alphas in the factors; and in kohya's
files it ignores alphas that differ from layer to layer of the U-Net, so there it is given one alpha, and the case `several` checks mixed ones
against factors that have the alphas in them. Of convolutions under original names (`lora_unet_input_blocks_1_0_in_layers_2`) it loses some; where
there are any it is given those under its own names.
"""
import argparse
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import original_names as original
from checkpoints import noise, quiet
from pipelines import stable_diffusion, stable_diffusion_xl
from single_files import gap

FORMATS = ["peft", "diffusers", "diffusers-old", "kohya", "kohya-original", "several", "dora", "loha", "lokr"]


def layers_of(model, part, rng, convolutions):
    """Some of the layers that LoRAs are trained for."""
    found = []
    for name, module in model.named_modules():
        kind = type(module).__name__
        if part == "unet" and ".transformer_blocks." in name and kind == "Linear":
            found.append((name, module))
        elif part == "unet" and convolutions and kind == "Conv2d" and ("resnets" in name or "proj_" in name or "samplers" in name):
            found.append((name, module))
        elif part != "unet" and kind == "Linear" and ("self_attn" in name or "mlp" in name):
            found.append((name, module))
    return [item for item in found if rng.random() < 0.7] or found[:1]


def draw(pipe, rng, seed, convolutions, parts):
    """{(part, layer): (down, up, alpha)}"""
    modules = {}
    # One rank for a part: without alphas, diffusers takes the first layer's rank as the alpha of all.
    for part in parts:
        rank = rng.choice([1, 2, 4])
        for name, module in layers_of(getattr(pipe, part), part, rng, convolutions):
            weight = module.weight
            down = noise(seed, f"{part}.{name}.down", rank, *weight.shape[1:]) / weight[0].numel() ** 0.5
            up = 0.5 * noise(seed, f"{part}.{name}.up", weight.shape[0], rank, *[1] * (weight.dim() - 2))
            modules[part, name] = (down, up, rng.choice([0.5, 1.0, 3.0]))
    return modules


def dotted(modules, down=".lora_A.weight", up=".lora_B.weight", alpha=False):
    state = {}
    for (part, name), (a, b, scale) in modules.items():
        if part != "unet" and not name.startswith("text_model."):
            name = "text_model." + name
        state[f"{part}.{name}{down}"], state[f"{part}.{name}{up}"] = a, b
        if alpha:
            state[f"{part}.{name}.alpha"] = torch.tensor(scale)
    return state


def kohya(modules, two_encoders, rename):
    prefix = {"unet": "lora_unet_", "text_encoder": "lora_te1_" if two_encoders else "lora_te_", "text_encoder_2": "lora_te2_"}
    state = {}
    for (part, name), (a, b, alpha) in modules.items():
        if part != "unet" and not name.startswith("text_model."):
            name = "text_model." + name
        key = prefix[part] + rename.get((part, name), name).replace(".", "_")
        state |= {f"{key}.lora_down.weight": a, f"{key}.lora_up.weight": b, f"{key}.alpha": torch.tensor(alpha)}
    return state


def old_names(modules):
    """What diffusers wrote before it used PEFT."""
    state = {}
    for (part, name), (a, b, _) in modules.items():
        if part == "unet":
            *scope, last = name.removesuffix(".0").split(".")
            key = f"unet.{'.'.join(scope)}.processor.{last}_lora"
            state |= {f"{key}.down.weight": a, f"{key}.up.weight": b}
        else:
            key = f"{part}.{name if name.startswith('text_model.') else 'text_model.' + name}.lora_linear_layer"
            state |= {f"{key}.down.weight": a, f"{key}.up.weight": b}
    return state


def original_scopes(unet):
    """Original scope of every layer of a U-Net."""
    state = unet.state_dict()
    marks = {name: torch.tensor(index) for index, name in enumerate(state)}
    named = original.unet({name: marks[name] for name in state}, unet.config.layers_per_block)
    back = {int(mark): key for key, mark in named.items()}
    return {("unet", name.removesuffix(".weight")): back[int(marks[name])].removeprefix("model.diffusion_model.").removesuffix(".weight")
            for name in state if name.endswith(".weight")}


def write_case(pipe, large, form, rng, seed, folder):
    """Gives the LoRA to the reference; returns the options for quickstep."""
    encoders = ["text_encoder", "text_encoder_2"] if large else ["text_encoder"]
    scale = rng.choice([0.3, 1.0, -0.7, 1.5])
    file = str(folder / "lora.safetensors")
    # The reference reads LoRAs of convolutions in these formats, but takes no other than attention layers from the former one.
    convolutions = form in ("diffusers", "kohya", "several") or (form == "kohya-original" and rng.random() < 0.5)
    if form == "peft":
        from peft import LoraConfig, PeftModel, get_peft_model

        part = rng.choice(["unet"] + encoders)
        modules = {key: item for key, item in draw(pipe, rng, seed, part == "unet", [part]).items()}
        rank = next(iter(modules.values()))[0].shape[0]
        config = LoraConfig(r=rank, lora_alpha=rng.choice([1, 2, 8]), target_modules=[name for _, name in modules],
                            use_rslora=rng.random() < 0.5)
        model = get_peft_model(getattr(pipe, part), config)
        for (_, name), (a, b, _) in modules.items():
            layer = model.base_model.model.get_submodule(name)
            layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data = a, b
            layer.scaling["default"] *= scale
        saved = PeftModel.save_pretrained
        saved(model, str(folder / "peft"))
        setattr(pipe, part, model.merge_and_unload())
        return [f"{folder / 'peft'}:{scale}"], False
    if form in ("loha", "lokr"):
        from peft import LoHaConfig, LoKrConfig, get_peft_model

        convolutions = rng.random() < 0.7
        names = [name for name, _ in layers_of(pipe.unet, "unet", rng, convolutions)]
        more = {"decompose_both": rng.random() < 0.5} if form == "lokr" else {}
        config = (LoHaConfig if form == "loha" else LoKrConfig)(
            r=rng.choice([1, 2, 4]), alpha=rng.choice([1, 2, 8]), target_modules=names, use_effective_conv2d=rng.random() < 0.5, **more)
        model = get_peft_model(pipe.unet, config)
        for name, parameter in model.named_parameters():
            if "hada_" in name or "lokr_" in name:
                parameter.data = 0.25 * noise(seed, name, *parameter.shape)
        for module in model.modules():
            if hasattr(module, "hada_w1_a") or hasattr(module, "lokr_w1"):
                module.scaling["default"] *= scale
        model.save_pretrained(str(folder / "peft"))
        pipe.unet = model.merge_and_unload()
        return [f"{folder / 'peft'}:{scale}"], True
    if form == "dora":
        modules = {key: item for key, item in draw(pipe, rng, seed, False, ["unet"]).items()}
        state = dotted(modules)
        for (part, name), (a, b, _) in modules.items():
            weight = getattr(pipe, part).get_submodule(name).weight
            state[f"{part}.{name}.lora_magnitude_vector"] = weight.norm(dim=1) * (1 + 0.2 * noise(seed, name, weight.shape[0])).abs()
        save_file(state, file)
        pipe.load_lora_weights(file)
        pipe.fuse_lora()
        return [file], True
    modules = draw(pipe, rng, seed, convolutions, ["unet"] + [e for e in encoders if rng.random() < 0.7])
    if form == "diffusers-old":
        modules = {key: item for key, item in modules.items() if ".attn" in key[1] or ".self_attn" in key[1]}
        state, reference = old_names(modules), only_unet(old_names(modules))
    elif form.startswith("kohya"):
        modules = {key: (a, b, 3.0) for key, (a, b, _) in modules.items()}
        rename = original_scopes(pipe.unet) if form == "kohya-original" else {}
        state = kohya(modules, large, rename)
        reference = only_unet(folded(modules) if form == "kohya-original" and convolutions else state)
    else:
        state, reference = dotted(modules), only_unet(dotted(modules))
    save_file(state, file)
    names = load(pipe, "first", reference, modules, form.startswith("kohya"))
    scales, options = [scale] * len(names), [f"{file}:{scale}"]
    if form == "several":
        second = str(folder / "second.safetensors")
        modules = draw(pipe.plain, rng, seed + 1, False, ["unet"] + encoders)
        save_file(kohya(modules, large, {}), second)
        more = load(pipe, "second", only_unet(folded(modules)), modules, True)
        names, scales, options = names + more, scales + [0.8] * len(more), options + [f"{second}:0.8"]
    pipe.set_adapters(names, scales)
    return options, False


def only_unet(state):
    return {key: value for key, value in state.items() if "unet" in key}


def folded(modules):
    """PEFT's names and no alphas: they are in the factors."""
    return dotted({key: (a, b * (alpha / a.shape[0]), alpha) for key, (a, b, alpha) in modules.items()})


def load(pipe, name, unet, modules, has_alphas):
    """Gives the reference a LoRA in two parts; returns the names it has there."""
    pipe.load_lora_weights(dict(unet), adapter_name=name)
    encoders = {key: item for key, item in modules.items() if key[0] != "unet"}
    if not encoders:
        return [name]
    state = folded(encoders) if has_alphas else dotted(encoders)
    pipe.load_lora_weights({key.replace("text_encoder.text_model.", "text_encoder."): value for key, value in state.items()}, adapter_name=name + "_text")
    return [name, name + "_text"]


class Base:
    """A pipeline's networks with the names they had before PEFT wrapped their layers."""

    def __init__(self, parts):
        self.__dict__.update(parts)


def run(program, folder, part, inputs, options, mode):
    save_file(inputs, folder / "in.safetensors")
    command = [program, "forward", str(folder / "model"), "--component", part, "--inputs", str(folder / "in.safetensors"), "--output",
               str(folder / "out.safetensors")]
    for option in options:
        command += ["--lora", option]
    done = subprocess.run(command + (["--lora-mode", mode] if options else []), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return load_file(folder / "out.safetensors")


def compare(program, count, seed):
    failed = 0
    for large in (False, True):
        for form in FORMATS:
            worst, effect = 0.0, float("inf")
            for index in range(count):
                case = seed + 7919 * index
                rng = random.Random(f"{form}{large}{case}")
                if form == "kohya-original" and not large:
                    continue
                with tempfile.TemporaryDirectory() as scratch:
                    folder = Path(scratch)
                    pipe, _ = (stable_diffusion_xl if large else stable_diffusion)()
                    pipe.save_pretrained(folder / "model")
                    fresh, _ = (stable_diffusion_xl if large else stable_diffusion)()
                    pipe.plain = Base({name: getattr(fresh, name) for name in ("unet", "text_encoder") + (("text_encoder_2",) if large else ())})
                    unet_in = {"sample": noise(case, "sample", 1, 4, 8, 8), "timestep": torch.tensor([321.0]),
                               "encoder_hidden_states": noise(case, "prompt", 1, 7, pipe.unet.config.cross_attention_dim)}
                    call = {}
                    if large:
                        unet_in |= {"text_embeds": noise(case, "pooled", 1, 10), "time_ids": torch.tensor([[16.0, 16, 0, 0, 16, 16]])}
                        call["added_cond_kwargs"] = {key: unet_in[key] for key in ("text_embeds", "time_ids")}
                    ids = torch.tensor([[752, 3, 9, 40, 753]])

                    def evaluate(pipe):
                        with torch.inference_mode():
                            sample = pipe.unet(unet_in["sample"], unet_in["timestep"], unet_in["encoder_hidden_states"], **call).sample
                            hidden = {name: getattr(pipe, name)(ids).last_hidden_state
                                      for name in ("text_encoder", "text_encoder_2") if getattr(pipe, name, None) is not None}
                        return sample, hidden

                    plain, _ = evaluate(fresh)
                    try:
                        options, only_fused = write_case(pipe, large, form, rng, case, folder)
                        sample, hidden = evaluate(pipe)
                        for mode in ["fused"] if only_fused else ["fused", "live"]:
                            worst = max(worst, gap(run(program, folder, "unet", unet_in, options, mode)["sample"], sample))
                            for part, expected in hidden.items():
                                got = run(program, folder, part, {"input_ids": ids}, options, mode)["last_hidden_state"]
                                worst = max(worst, gap(got, expected))
                        effect = min(effect, max(gap(plain, sample), max(gap(evaluate(fresh)[1][k], hidden[k]) for k in hidden)))
                    except Exception as error:
                        print(f"{form} {'XL' if large else 'SD 1'} seed {case}: {type(error).__name__}: {error}"[:1500])
                        failed += 1
            failed += worst > 2e-4
            if effect < float("inf"):
                print(f"{'XL' if large else 'SD 1':5} {form:15} {count} LoRAs, fused and live, {worst:.1e} standard deviations (effect ≥ {effect:.1e})")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    quiet()
    import diffusers.utils.logging

    import transformers.utils.logging

    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    sys.exit(1 if compare(arguments.program, arguments.count, arguments.seed) else 0)


if __name__ == "__main__":
    main()
