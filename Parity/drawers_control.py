"""Drawn configurations of what steers Stable Diffusion's U-Net, and of its rarer kinds of attention. See checkpoints.py."""
import torch


def draw_controlnet(rng, seed):
    from checkpoints import disturb, noise
    from diffusers import ControlNetModel

    levels = rng.choice([1, 2, 3])
    attends = [rng.random() < 0.6 for _ in range(levels)]
    context, side = rng.choice([12, 20]), rng.choice([1, 2, 3])
    config = dict(
        in_channels=rng.choice([4, 9]), conditioning_channels=rng.choice([1, 3]), norm_num_groups=rng.choice([2, 4]),
        block_out_channels=tuple(rng.choice([8, 16, 24]) for _ in range(levels)),
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        layers_per_block=rng.choice([1, 2]), cross_attention_dim=context, attention_head_dim=tuple(rng.choice([1, 2, 4]) for _ in range(levels)),
        use_linear_projection=rng.random() < 0.5, transformer_layers_per_block=tuple(rng.choice([1, 2]) for _ in range(levels)),
        flip_sin_to_cos=rng.random() < 0.8, freq_shift=rng.choice([0, 1]), only_cross_attention=rng.random() < 0.2,
        mid_block_type=rng.choice(["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"]), mid_block_scale_factor=rng.choice([1, 1.4]),
        conditioning_embedding_out_channels=tuple(rng.choice([4, 6, 8]) for _ in range(side)),
        controlnet_conditioning_channel_order=rng.choice(["rgb", "bgr"]), global_pool_conditions=rng.random() < 0.25)
    batch, height, width = rng.choice([1, 2]), rng.choice([8, 12]), rng.choice([8, 4])
    factor = 2 ** (side - 1)
    inputs = {
        "sample": noise(seed, "sample", batch, config["in_channels"], height, width),
        "timestep": torch.tensor([rng.choice([0.0, 500.0, 999.0]) for _ in range(batch)]),
        "encoder_hidden_states": noise(seed, "prompt", batch, 7, context),
        "controlnet_cond": noise(seed, "picture", batch, config["conditioning_channels"], height * factor, width * factor).sigmoid(),
    }
    call = {}
    kind = rng.choice(["plain", "text_time", "classes", "timestep", "projection", "identity"])
    if kind == "text_time":
        config |= dict(addition_embed_type="text_time", addition_time_embed_dim=6, projection_class_embeddings_input_dim=6 * 6 + 10)
        inputs |= {"text_embeds": noise(seed, "pooled", batch, 10), "time_ids": torch.tensor([[512.0, 512, 0, 0, 1024, 768]] * batch)}
        call["added_cond_kwargs"] = {key: inputs[key] for key in ("text_embeds", "time_ids")}
    elif kind == "classes":
        config |= dict(num_class_embeds=5)
        call["class_labels"] = inputs["class_labels"] = torch.tensor([rng.randrange(5) for _ in range(batch)])
    elif kind == "timestep":
        config |= dict(class_embed_type="timestep")
        call["class_labels"] = inputs["class_labels"] = torch.tensor([20.0] * batch)
    elif kind == "projection":
        config |= dict(class_embed_type="projection", projection_class_embeddings_input_dim=9)
        call["class_labels"] = inputs["class_labels"] = noise(seed, "classes", batch, 9)
    elif kind == "identity":
        config |= dict(class_embed_type="identity")
        call["class_labels"] = inputs["class_labels"] = noise(seed, "classes", batch, 4 * config["block_out_channels"][0])
    if rng.random() < 0.5:
        call["conditioning_scale"] = 0.7
        inputs["conditioning_scale"] = torch.tensor(0.7)
    if rng.random() < 0.4:
        call["guess_mode"] = True
        inputs["guess_mode"] = torch.tensor(True)
    model = disturb(seed, ControlNetModel(**config))
    with torch.inference_mode():
        result = model(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"], inputs["controlnet_cond"], **call)
    outputs = {f"down_block_res_samples.{i}": value for i, value in enumerate(result.down_block_res_samples)}
    return model, inputs, outputs | {"mid_block_res_sample": result.mid_block_res_sample}


def accept_masks():
    """The blocks of diffusers 0.37 hand the pairs of transformers a mask that these do not know, which ends every call. None is given here."""
    from diffusers.models.transformers.dual_transformer_2d import DualTransformer2DModel

    forward = DualTransformer2DModel.forward
    if forward.__name__ != "without_mask":
        def without_mask(self, *values, encoder_attention_mask=None, **named):
            assert encoder_attention_mask is None
            return forward(self, *values, **named)

        DualTransformer2DModel.forward = without_mask


def draw_unet_attention(rng, seed):
    """Two-part conditions, and levels that attend to their own pixels only."""
    from checkpoints import disturb, noise
    from diffusers import UNet2DConditionModel

    accept_masks()
    dual = rng.random() < 0.5
    levels = rng.choice([2, 3])
    groups = rng.choice([2, 4])
    context = rng.choice([4, 6])
    down = [rng.choice(["CrossAttnDownBlock2D", "DownBlock2D"] + ([] if dual else ["AttnDownBlock2D"])) for _ in range(levels)]
    up = [rng.choice(["CrossAttnUpBlock2D", "UpBlock2D"] + ([] if dual else ["AttnUpBlock2D"])) for _ in range(levels)]
    config = dict(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=tuple(rng.choice([8, 16]) for _ in range(levels)),
        norm_num_groups=groups, down_block_types=tuple(down), up_block_types=tuple(up), layers_per_block=1, cross_attention_dim=context,
        attention_head_dim=tuple(rng.choice([2, 4]) for _ in range(levels)), use_linear_projection=rng.random() < 0.5,
        dual_cross_attention=dual, conv_in_kernel=rng.choice([1, 3, 5]), conv_out_kernel=rng.choice([1, 3]),
        only_cross_attention=rng.random() < 0.3)
    batch = rng.choice([1, 2])
    inputs = {
        "sample": noise(seed, "sample", batch, 4, 8, 12),
        "timestep": torch.tensor([rng.choice([0.0, 981.0]) for _ in range(batch)]),
        "encoder_hidden_states": noise(seed, "prompt", batch, 77 + 257 if dual else 5, context),
    }
    model = disturb(seed, UNet2DConditionModel(**config))
    with torch.inference_mode():
        sample = model(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"]).sample
    return model, inputs, {"sample": sample}


DRAWERS = {"controlnet": draw_controlnet, "unet-attention": draw_unet_attention}
