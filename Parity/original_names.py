"""Original names of Stable Diffusion's single files, made from diffusers' names, and back by diffusers' own conversion.

Used by single_files.py. The way back is the reference's: what is made here counts only because `diffusers.loaders.single_file_utils` turns it
into the very state dict it came from.
"""
import torch

RESIDUAL = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
            "conv_shortcut": "skip_connection"}
TOP = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "time_embedding.cond_proj": "time_embed.cond_proj",
       "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "conv_in": "input_blocks.0.0",
       "conv_norm_out": "out.0", "conv_out": "out.2"}


def unet(state, layers):
    """State dict of a UNet2DConditionModel whose levels have `layers` residual blocks each, in original names."""
    levels = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("down_blocks."))
    result = {}
    for key, value in state.items():
        scope, kind = key.rsplit(".", 1)
        parts = key.split(".")
        if scope in TOP:
            name = f"{TOP[scope]}.{kind}"
        elif parts[0] == "mid_block":
            place = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}[".".join(parts[1:3])]
            inner = f"{RESIDUAL[parts[3]]}.{kind}" if parts[1] == "resnets" else ".".join(parts[3:])
            name = f"middle_block.{place}.{inner}"
        elif parts[0] == "down_blocks":
            level, index = int(parts[1]), int(parts[3])
            first = 1 + level * (layers + 1)
            name = {"resnets": lambda: f"input_blocks.{first + index}.0.{RESIDUAL[parts[4]]}.{kind}",
                    "attentions": lambda: f"input_blocks.{first + index}.1." + ".".join(parts[4:]),
                    "downsamplers": lambda: f"input_blocks.{first + layers}.0.op.{kind}"}[parts[2]]()
        else:
            block, index = int(parts[1]), int(parts[3])
            first = block * (layers + 1)
            attends = f"up_blocks.{block}.attentions.0.proj_in.weight" in state
            name = {"resnets": lambda: f"output_blocks.{first + index}.0.{RESIDUAL[parts[4]]}.{kind}",
                    "attentions": lambda: f"output_blocks.{first + index}.1." + ".".join(parts[4:]),
                    "upsamplers": lambda: f"output_blocks.{first + layers}.{2 if attends else 1}.conv.{kind}"}[parts[2]]()
        result["model.diffusion_model." + name] = value
    assert len(result) == len(state) and levels > 0
    return result


def autoencoder(state):
    """State dict of an AutoencoderKL in original names: attention as 1x1 convolutions."""
    ups = 1 + max(int(key.split(".")[2]) for key in state if key.startswith("decoder.up_blocks."))
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}
    result = {}
    for key, value in state.items():
        parts = key.split(".")
        if len(parts) > 3 and parts[1] == "mid_block":
            if parts[2] == "attentions":
                name = f"{parts[0]}.mid.attn_1.{attention[parts[4]]}.{parts[-1]}"
                if parts[4] != "group_norm" and parts[-1] == "weight":
                    value = value[:, :, None, None]
            else:
                name = f"{parts[0]}.mid.block_{int(parts[3]) + 1}." + ".".join(parts[4:])
        elif len(parts) > 3 and parts[1] == "down_blocks":
            inner = f"block.{parts[4]}." + ".".join(parts[5:]) if parts[3] == "resnets" else "downsample.conv." + parts[-1]
            name = f"encoder.down.{parts[2]}.{inner}"
        elif len(parts) > 3 and parts[1] == "up_blocks":
            inner = f"block.{parts[4]}." + ".".join(parts[5:]) if parts[3] == "resnets" else "upsample.conv." + parts[-1]
            name = f"decoder.up.{ups - 1 - int(parts[2])}.{inner}"
        else:
            name = key.replace("conv_norm_out", "norm_out")
        result["first_stage_model." + name.replace("conv_shortcut", "nin_shortcut")] = value
    return result


def named(state):
    """Transformers 5 leaves `text_model.` out, files of this kind have it."""
    return {key if key.startswith("text_") else "text_model." + key: value for key, value in state.items()}


def clip(state, prefix):
    """State dict of a CLIPTextModel in the names of OpenAI's towers."""
    return {prefix + key: value for key, value in named(state).items()}


def open_clip(state, prefix, extra_layer):
    """State dict of a CLIPTextModel in open_clip's names. `extra_layer` adds what Stable Diffusion 2 leaves out."""
    state, result = named(state), {}
    layers = 1 + max(int(key.split(".")[3]) for key in state if ".layers." in key)
    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    top = {"text_model.embeddings.token_embedding.weight": "token_embedding.weight",
           "text_model.embeddings.position_embedding.weight": "positional_embedding",
           "text_model.final_layer_norm.weight": "ln_final.weight", "text_model.final_layer_norm.bias": "ln_final.bias"}
    for key, value in state.items():
        parts = key.split(".")
        if key in top:
            result[top[key]] = value
        elif key == "text_projection.weight":
            result["text_projection"] = value.T.contiguous()
        elif ".self_attn." in key and parts[-2] in ("q_proj", "k_proj", "v_proj"):
            if parts[-2] == "q_proj":
                others = [state[key.replace("q_proj", other)] for other in ("k_proj", "v_proj")]
                result[f"transformer.resblocks.{parts[3]}.attn.in_proj_{parts[-1]}"] = torch.cat([value, *others])
        else:
            result[f"transformer.resblocks.{parts[3]}.{inner['.'.join(parts[4:-1])]}.{parts[-1]}"] = value
    if extra_layer:
        last = f"transformer.resblocks.{layers - 1}."
        for key in [key for key in result if key.startswith(last)]:
            result[f"transformer.resblocks.{layers}." + key[len(last):]] = torch.zeros_like(result[key])
        size = result["positional_embedding"].shape[1]
        result["text_projection"] = torch.zeros(size, size, device=result["positional_embedding"].device)
    result["logit_scale"] = torch.zeros((), device=result["positional_embedding"].device)
    return {prefix + key: value for key, value in result.items()}


def restored(model, part, file, prefix=None):
    """The state dict that diffusers makes of a single file for this part."""
    import inspect

    from diffusers.loaders import single_file_utils as reference

    file = dict(file)
    if part == "unet":
        return reference.convert_ldm_unet_checkpoint(file, model.config)
    if part == "vae":
        return reference.convert_ldm_vae_checkpoint(file, model.config)
    if prefix.endswith("model."):
        class Shell:
            config = model.config
        found = reference.convert_open_clip_checkpoint(Shell, file, prefix=prefix)
        names = set(named(model.state_dict()))
        # The reference leaves the last layer of Stable Diffusion 2 out by its number, 23.
        return {key: value for key, value in found.items() if key in names}
    assert "remove_prefix" in inspect.signature(reference.convert_ldm_clip_checkpoint).parameters
    return reference.convert_ldm_clip_checkpoint(file, remove_prefix=prefix)
