"""Drawn configurations of T5, Gemma 2 and of the transformers of text-to-image models; see checkpoints.py."""
import torch
from random_weights import disturb, noise


def mask_of(rng, batch, length):
    """At least one token counts, in every row."""
    mask = torch.zeros(batch, length)
    for row in range(batch):
        mask[row, : rng.randrange(1, length + 1)] = 1
    return mask


def times(rng, batch, values):
    return torch.tensor([rng.choice(values) for _ in range(batch)])


def draw_t5(rng, seed):
    from transformers import T5Config, T5EncoderModel

    buckets = rng.choice([8, 32])
    config = T5Config(
        vocab_size=50, d_model=rng.choice([12, 24]), d_kv=rng.choice([4, 8]), d_ff=rng.choice([20, 36]), num_layers=rng.choice([1, 2, 3]),
        num_heads=rng.choice([1, 2, 3]), relative_attention_num_buckets=buckets,
        relative_attention_max_distance=rng.choice([buckets, 16, 64, 128]), feed_forward_proj=rng.choice(["relu", "gated-gelu"]),
        tie_word_embeddings=rng.random() < 0.5, layer_norm_epsilon=rng.choice([1e-6, 1e-5]))
    model = disturb(seed, T5EncoderModel(config))
    batch, length = rng.choice([1, 2, 3]), rng.choice([7, 40, 150])
    inputs = {"input_ids": torch.randint(0, 50, (batch, length), generator=torch.Generator().manual_seed(seed))}
    if rng.random() < 0.6:
        inputs["attention_mask"] = mask_of(rng, batch, length).long()
    with torch.inference_mode():
        return model, inputs, {"last_hidden_state": model(**inputs).last_hidden_state}


def draw_gemma(rng, seed):
    from transformers import Gemma2Config, Gemma2ForCausalLM, Gemma2Model

    layers, key_heads = rng.choice([1, 2, 3, 4]), rng.choice([1, 2, 3])
    heads = key_heads * rng.choice([1, 2, 4])
    kinds = ["sliding_attention", "full_attention"]
    config = Gemma2Config(
        # Not below 12 channels: with three, one draw in thirty differed by 1e-3, probably where normalising a vector near zero multiplies
        # rounding errors (not confirmed in higher precision); the same draw with twelve differs by 3e-5.
        vocab_size=50, hidden_size=heads * rng.choice([3, 5]) * (4 if heads < 4 else 1), intermediate_size=rng.choice([20, 36]),
        num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=key_heads, head_dim=rng.choice([4, 6, 10]),
        hidden_activation=rng.choice(["gelu_pytorch_tanh", "gelu_pytorch_tanh", "gelu"]), rms_norm_eps=rng.choice([1e-6, 1e-5]),
        rope_parameters={"rope_type": "default", "rope_theta": rng.choice([10000.0, 10000.0, 500.0])},
        attention_bias=rng.random() < 0.3, query_pre_attn_scalar=rng.choice([4, 6, 256]), sliding_window=rng.choice([1, 3, 20, 4096]),
        layer_types=rng.choice([None, None, [rng.choice(kinds) for _ in range(layers)]]),
        # Scores of random weights are small; with the published 50 their cap would not show.
        attn_logit_softcapping=rng.choice([0.5, 2.0, 50.0, None]), pad_token_id=0)
    model = disturb(seed, rng.choice([Gemma2Model, Gemma2ForCausalLM])(config))
    assert model.config._attn_implementation == "eager"
    batch, length = rng.choice([1, 2, 3]), rng.choice([7, 40, 300])
    inputs = {"input_ids": torch.randint(0, 50, (batch, length), generator=torch.Generator().manual_seed(seed))}
    if rng.random() < 0.6:
        inputs["attention_mask"] = mask_of(rng, batch, length).long()
        if rng.random() < 0.3:
            # Filled in front: there are rows that see nothing at all.
            inputs["attention_mask"] = inputs["attention_mask"].flip(1)
    with torch.inference_mode():
        encoder = getattr(model, "model", model)
        return model, inputs, {"last_hidden_state": encoder(**inputs).last_hidden_state}


def draw_flux(rng, seed):
    from diffusers import FluxTransformer2DModel

    axes = rng.choice([(2, 4, 6), (4, 4, 4), (2, 8, 6)])
    config = dict(
        in_channels=rng.choice([8, 16]), out_channels=rng.choice([None, None, 8]), num_layers=rng.choice([1, 2]),
        num_single_layers=rng.choice([1, 2, 3]), attention_head_dim=sum(axes), num_attention_heads=rng.choice([1, 2]),
        joint_attention_dim=rng.choice([10, 14]), pooled_projection_dim=rng.choice([6, 9]), guidance_embeds=rng.random() < 0.5,
        axes_dims_rope=axes)
    model = disturb(seed, FluxTransformer2DModel(**config))
    batch, rows, columns, length = rng.choice([1, 2]), rng.choice([2, 5]), rng.choice([3, 4]), rng.choice([4, 7])
    places = torch.zeros(rows, columns, 3)
    places[..., 1] += torch.arange(rows)[:, None]
    places[..., 2] += torch.arange(columns)[None]
    inputs = {
        "hidden_states": noise(seed, "sample", batch, rows * columns, config["in_channels"]),
        "encoder_hidden_states": noise(seed, "prompt", batch, length, config["joint_attention_dim"]),
        "pooled_projections": noise(seed, "pooled", batch, config["pooled_projection_dim"]),
        "timestep": times(rng, batch, [0.001, 0.4, 0.97, 1.0]),
        "img_ids": places.reshape(1, -1, 3).expand(batch, -1, -1),
        "txt_ids": torch.zeros(batch, length, 3),
    }
    if batch == 1:
        inputs |= {name: inputs[name][0] for name in ("img_ids", "txt_ids")}
    if config["guidance_embeds"]:
        inputs["guidance"] = times(rng, batch, [1.0, 3.5, 7.0])
    with torch.inference_mode():
        return model, inputs, {"sample": model(**inputs).sample}


def draw_sd3(rng, seed):
    from diffusers import SD3Transformer2DModel

    heads, size, layers = rng.choice([1, 2]), rng.choice([8, 12]), rng.choice([1, 2, 3])
    patch = rng.choice([1, 2, 2])
    config = dict(
        sample_size=rng.choice([4, 8]), patch_size=patch, in_channels=rng.choice([4, 6]), num_layers=layers, attention_head_dim=size,
        num_attention_heads=heads, joint_attention_dim=rng.choice([10, 14]), caption_projection_dim=heads * size,
        pooled_projection_dim=rng.choice([6, 9]), out_channels=rng.choice([4, 8]), pos_embed_max_size=rng.choice([8, 11]),
        dual_attention_layers=tuple(i for i in range(layers) if rng.random() < 0.4), qk_norm=rng.choice([None, "rms_norm"]))
    model = SD3Transformer2DModel(**config)
    if rng.random() < 0.4:
        # Then the table of positions is neither drawn nor saved, and has to be computed.
        model.pos_embed._non_persistent_buffers_set.add("pos_embed")
    model = disturb(seed, model)
    batch, length = rng.choice([1, 2]), rng.choice([4, 7])
    inputs = {
        "hidden_states": noise(seed, "sample", batch, config["in_channels"], patch * rng.choice([2, 5, 8]), patch * rng.choice([3, 4])),
        "encoder_hidden_states": noise(seed, "prompt", batch, length, config["joint_attention_dim"]),
        "pooled_projections": noise(seed, "pooled", batch, config["pooled_projection_dim"]),
        "timestep": times(rng, batch, [1.0, 400.0, 970.5, 1000.0]),
    }
    with torch.inference_mode():
        return model, inputs, {"sample": model(**inputs).sample}


def draw_pixart(rng, seed):
    from diffusers import PixArtTransformer2DModel

    heads, size, patch = rng.choice([1, 2, 3]), rng.choice([12, 24]), rng.choice([1, 2])
    has_captions, has_sizes = rng.random() < 0.7, rng.random() < 0.5
    channels = rng.choice([3, 4])
    config = dict(
        num_attention_heads=heads, attention_head_dim=size, in_channels=channels, out_channels=rng.choice([None, 8]),
        num_layers=rng.choice([1, 2, 3]), cross_attention_dim=heads * size if has_captions else 20, attention_bias=rng.random() < 0.7,
        sample_size=rng.choice([4, 8, 128, 192]), patch_size=patch, norm_eps=rng.choice([1e-6, 1e-5]),
        interpolation_scale=rng.choice([None, 1, 2]), use_additional_conditions=has_sizes, caption_channels=10 if has_captions else None)
    model = disturb(seed, PixArtTransformer2DModel(**config))
    batch, length = rng.choice([1, 2]), rng.choice([4, 7])
    inputs = {
        "hidden_states": noise(seed, "sample", batch, channels, patch * rng.choice([4, 6]), patch * rng.choice([3, 4])),
        "encoder_hidden_states": noise(seed, "prompt", batch, length, 10 if has_captions else 20),
        "timestep": times(rng, batch, [0.0, 400.0, 999.0]),
    }
    call = {}
    if rng.random() < 0.6:
        call["encoder_attention_mask"] = inputs["encoder_attention_mask"] = mask_of(rng, batch, length)
    if has_sizes:
        sizes = {"resolution": torch.tensor([[1024.0, 768.0]] * batch), "aspect_ratio": torch.tensor([[1.33]] * batch)}
        inputs |= sizes
        call["added_cond_kwargs"] = sizes
    with torch.inference_mode():
        sample = model(inputs["hidden_states"], inputs["encoder_hidden_states"], inputs["timestep"], **call).sample
    return model, inputs, {"sample": sample}


def draw_sana(rng, seed):
    from diffusers import SanaTransformer2DModel

    heads, size, patch = rng.choice([2, 3]), rng.choice([4, 8]), rng.choice([1, 1, 2])
    guides = rng.random() < 0.6
    config = dict(
        in_channels=rng.choice([4, 6]), out_channels=rng.choice([None, 4]), num_attention_heads=heads, attention_head_dim=size,
        num_layers=rng.choice([1, 2, 3]), num_cross_attention_heads=rng.choice([1, 2]), cross_attention_head_dim=rng.choice([6, 8]),
        cross_attention_dim=heads * size, caption_channels=10, mlp_ratio=rng.choice([2.5, 2.0, 3.3]), attention_bias=rng.random() < 0.3,
        sample_size=rng.choice([4, 8]), patch_size=patch, norm_eps=rng.choice([1e-6, 1e-5]), interpolation_scale=rng.choice([None, 1, 2]),
        guidance_embeds=guides, qk_norm=rng.choice([None, "rms_norm_across_heads"]), timestep_scale=rng.choice([1.0, 1000.0]))
    model = disturb(seed, SanaTransformer2DModel(**config))
    batch, length = rng.choice([1, 2]), rng.choice([4, 7])
    inputs = {
        "hidden_states": noise(seed, "sample", batch, config["in_channels"], patch * rng.choice([4, 6]), patch * rng.choice([3, 4])),
        "encoder_hidden_states": noise(seed, "prompt", batch, length, 10),
        "timestep": times(rng, batch, [1.0, 400.0, 999.0]),
    }
    if rng.random() < 0.6:
        inputs["encoder_attention_mask"] = mask_of(rng, batch, length)
    if guides:
        inputs["guidance"] = times(rng, batch, [0.45, 0.1])
    with torch.inference_mode():
        return model, inputs, {"sample": model(**inputs).sample}


DRAWERS = {
    "t5": draw_t5, "gemma": draw_gemma, "flux": draw_flux, "sd3": draw_sd3, "pixart": draw_pixart, "sana": draw_sana,
}
