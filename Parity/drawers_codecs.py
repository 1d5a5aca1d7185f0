"""Drawn configurations of Sana's autoencoder and of autoencoders with a codebook; see checkpoints.py."""
import torch
from random_weights import disturb, noise


def draw_dc(rng, seed):
    from diffusers import AutoencoderDC

    levels, head = rng.choice([2, 3, 4]), rng.choice([4, 8])
    latent = rng.choice([4, 8])

    def side():
        channels = [8]
        for _ in range(levels - 1):
            channels.append(channels[-1] * rng.choice([1, 1, 2]))
        blocks = [rng.choice([1, 1, 2]) for _ in range(levels)]
        blocks[0] = rng.choice([0, 1, 1])
        kinds = [rng.choice(["ResBlock", "EfficientViTBlock"]) for _ in range(levels)]
        scales = [rng.choice([(), (3,), (5,), (3, 5)]) if kind == "EfficientViTBlock" else () for kind in kinds]
        return tuple(channels), tuple(blocks), tuple(kinds), tuple(scales)

    encoder, decoder = side(), side()
    config = dict(
        in_channels=rng.choice([3, 4]), latent_channels=latent, attention_head_dim=head,
        encoder_block_out_channels=encoder[0], decoder_block_out_channels=decoder[0], encoder_layers_per_block=encoder[1],
        decoder_layers_per_block=decoder[1], encoder_block_types=encoder[2], decoder_block_types=decoder[2],
        encoder_qkv_multiscales=encoder[3], decoder_qkv_multiscales=decoder[3],
        upsample_block_type=rng.choice(["pixel_shuffle", "interpolate"]), downsample_block_type=rng.choice(["pixel_unshuffle", "conv"]),
        decoder_norm_types=rng.choice(["rms_norm", *[tuple(rng.choice(["rms_norm", "batch_norm"]) for _ in range(levels))] * 2]),
        decoder_act_fns=rng.choice(["silu", tuple(rng.choice(["silu", "relu"]) for _ in range(levels))]),
        encoder_out_shortcut=rng.random() < 0.7, decoder_in_shortcut=rng.random() < 0.7, decoder_conv_act_fn=rng.choice(["relu", "silu"]),
        scaling_factor=rng.choice([0.41407, 1.0]))
    model = disturb(seed, AutoencoderDC(**config))
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.copy_((buffer.abs() * 5 + 0.5).half().float())
    batch, factor = rng.choice([1, 2]), 2 ** (levels - 1)
    with torch.inference_mode():
        if rng.random() < 0.4:
            z = noise(seed, "z", batch, latent, rng.choice([1, 5]), rng.choice([2, 4]))
            return model, {"z": z}, {"sample": model.decode(z).sample}
        picture = noise(seed, "sample", batch, config["in_channels"], factor * rng.choice([1, 4]), factor * rng.choice([2, 3]))
        latents = model.encode(picture).latent
        return model, {"sample": picture}, {"sample": model.decode(latents).sample, "latent": latents}


def draw_vq(rng, seed):
    from diffusers import VQModel

    levels, code, latent = rng.choice([1, 2, 3]), rng.choice([3, 5]), rng.choice([3, 4])
    config = dict(
        in_channels=rng.choice([1, 3]), out_channels=3, latent_channels=latent, norm_num_groups=rng.choice([2, 4]),
        block_out_channels=tuple(rng.choice([8, 16]) for _ in range(levels)), layers_per_block=rng.choice([1, 2]),
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        num_vq_embeddings=rng.choice([7, 40]), vq_embed_dim=rng.choice([None, code]), scaling_factor=rng.choice([0.18215, 1.0]),
        mid_block_add_attention=rng.random() < 0.7, lookup_from_codebook=rng.random() < 0.5)
    kind = rng.choice(["z", "indices", "sample"])
    if kind == "indices":
        config["lookup_from_codebook"] = True
    model = disturb(seed, VQModel(**config))
    code = config["vq_embed_dim"] or latent
    batch = rng.choice([1, 2])
    with torch.inference_mode():
        if kind == "z":
            z = noise(seed, "z", batch, code, 6, 4)
            return model, {"z": z}, {"sample": model.decode(z).sample}
        if kind == "indices":
            indices = torch.randint(0, config["num_vq_embeddings"], (batch, 6, 4), generator=torch.Generator().manual_seed(seed))
            sample = model.decode(indices, force_not_quantize=True, shape=(batch, 6, 4, code)).sample
            return model, {"indices": indices}, {"sample": sample}
        side = 2 ** (levels - 1)
        picture = noise(seed, "sample", batch, config["in_channels"], 4 * side, 3 * side)
        return model, {"sample": picture}, {"sample": model(picture).sample, "latents": model.encode(picture).latents}


DRAWERS = {"dc": draw_dc, "vq": draw_vq}
