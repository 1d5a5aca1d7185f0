"""Drawn configurations of the U-Nets' rarer settings: what stands in the middle, lists with a number for each level, sizes and scales of its
own, two conditions at once. See checkpoints.py."""
import torch
from random_weights import disturb, noise


def draw_rare_unet(rng, seed):
    from diffusers import UNet2DConditionModel

    levels = rng.choice([2, 3])
    attends = [rng.random() < 0.6 for _ in range(levels)]
    middle = rng.choice([None, None, "UNetMidBlock2DCrossAttn", "UNetMidBlock2D"])
    # Every level is given the same prompt: the lists may differ only where no attention reads it.
    context = rng.choice([6, 10])
    reads = [attend or (level == levels - 1 and middle == "UNetMidBlock2DCrossAttn") for level, attend in enumerate(attends)]
    channels, layers = ([rng.choice(choice) for _ in range(levels)] for choice in ([8, 16], [1, 2]))
    config = dict(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=tuple(channels), norm_num_groups=rng.choice([2, 4]),
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)), layers_per_block=layers,
        cross_attention_dim=[context if read else rng.choice([3, 7]) for read in reads],
        attention_head_dim=tuple(rng.choice([1, 2, 4]) for _ in range(levels)), mid_block_type=middle,
        transformer_layers_per_block=[rng.choice([1, 2]) for _ in range(levels)],
        reverse_transformer_layers_per_block=[rng.choice([1, 2, 3]) for _ in range(levels)],
        use_linear_projection=rng.random() < 0.5, center_input_sample=rng.random() < 0.5, time_embedding_dim=rng.choice([None, 20, 28]),
        mid_block_scale_factor=rng.choice([1, 1.4]), resnet_out_scale_factor=rng.choice([1.0, 1.3]))
    batch, height, width = rng.choice([1, 2]), rng.choice([8, 12]), 8
    time = config["time_embedding_dim"] or 4 * channels[0]
    inputs = {
        "sample": noise(seed, "sample", batch, 4, height, width),
        "timestep": torch.tensor([rng.choice([0.0, 500.0, 999.0]) for _ in range(batch)]),
        "encoder_hidden_states": noise(seed, "prompt", batch, 7, context),
    }
    call = {}
    kinds = rng.sample(["text_time", "classes", "guidance", "mask", "residuals"], 2)
    if "text_time" in kinds:
        config |= dict(addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=6 * 4 + 10)
        inputs |= {"text_embeds": noise(seed, "pooled", batch, 10), "time_ids": torch.tensor([[512.0, 512, 0, 0, 1024, 768]] * batch)}
        call["added_cond_kwargs"] = {key: inputs[key] for key in ("text_embeds", "time_ids")}
    if "classes" in kinds:
        kind = rng.choice(["identity", "identity", "table", "timestep", "projection", "simple_projection"])
        # The reference cannot add to what is twice as long.
        config |= dict(class_embeddings_concat="text_time" not in kinds and rng.random() < 0.5)
        config |= dict(num_class_embeds=5) if kind == "table" else dict(class_embed_type=kind)
        if "projection" in kind:
            config |= dict(projection_class_embeddings_input_dim=34)
        labels = {"identity": noise(seed, "classes", batch, time), "table": torch.tensor([rng.randrange(5) for _ in range(batch)]),
                  "timestep": torch.tensor([rng.choice([20.0, 300.0]) for _ in range(batch)])}
        call["class_labels"] = inputs["class_labels"] = labels.get(kind, noise(seed, "classes", batch, 34))
    if "guidance" in kinds:
        config |= dict(time_cond_proj_dim=14)
        call["timestep_cond"] = inputs["timestep_cond"] = noise(seed, "guidance", batch, 14)
    if "mask" in kinds:
        call["encoder_attention_mask"] = inputs["encoder_attention_mask"] = torch.arange(7)[None].expand(batch, 7) < 4
    if "residuals" in kinds:
        residuals, side = residuals_of(channels, layers, height, width, batch, seed), 2 ** (levels - 1)
        last = noise(seed, "residual middle", batch, channels[-1], height // side, width // side)
        inputs |= {f"down_block_additional_residuals.{i}": value for i, value in enumerate(residuals)} | {"mid_block_additional_residual": last}
        call |= dict(down_block_additional_residuals=tuple(residuals), mid_block_additional_residual=last)
    model = disturb(seed, UNet2DConditionModel(**config))
    with torch.inference_mode():
        sample = model(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"], **call).sample
    return model, inputs, {"sample": sample}


def residuals_of(channels, layers, height, width, batch, seed):
    """What a ControlNet would add on the way down, for sides that every level halves."""
    shapes = [(channels[0], height, width)]
    for level, (size, count) in enumerate(zip(channels, layers)):
        sides = height // 2**level, width // 2**level
        shapes += [(size, *sides)] * count
        if level < len(channels) - 1:
            shapes.append((size, sides[0] // 2, sides[1] // 2))
    return [noise(seed, f"residual {i}", batch, *shape) for i, shape in enumerate(shapes)]


def draw_rare_plain_unet(rng, seed):
    from diffusers import UNet2DModel

    levels = rng.choice([1, 2])
    attends = [rng.random() < 0.5 for _ in range(levels)]
    channels = tuple(rng.choice([8, 16]) for _ in range(levels))
    classes = rng.choice([None, 5])
    config = dict(
        sample_size=8, in_channels=3, out_channels=3, norm_num_groups=rng.choice([2, 4]), block_out_channels=channels, layers_per_block=1,
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)), attention_head_dim=rng.choice([None, 4]),
        center_input_sample=rng.random() < 0.7, time_embedding_dim=rng.choice([None, 12, 20]), num_class_embeds=classes,
        mid_block_scale_factor=rng.choice([1, 1.4142]))
    batch = rng.choice([1, 2])
    inputs = {"sample": noise(seed, "sample", batch, 3, 8, 12),
              "timestep": torch.tensor([rng.choice([0.0, 400.0, 999.0]) for _ in range(batch)])}
    if classes:
        inputs["class_labels"] = torch.tensor([rng.randrange(classes) for _ in range(batch)])
    model = disturb(seed, UNet2DModel(**config))
    with torch.inference_mode():
        return model, inputs, {"sample": model(**inputs).sample}


DRAWERS = {"unet-odd": draw_rare_unet, "plain-unet-odd": draw_rare_plain_unet}
