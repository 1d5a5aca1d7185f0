"""Components of published sizes with random weights, as the reference library saves them, and inputs for them.

    python models.py NAME FOLDER      writes FOLDER/NAME/{config.json, …safetensors, inputs.safetensors}

Weights of that size cannot be had without the network; speed and memory do not depend on their values.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def sd15_unet():
    """U-Net of Stable Diffusion 1.5, 512 px."""
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(
        sample_size=64, in_channels=4, out_channels=4, cross_attention_dim=768, attention_head_dim=8,
        block_out_channels=(320, 640, 1280, 1280), layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)
    return model, {"sample": noise(1, 4, 64, 64), "timestep": torch.tensor([500.0]), "encoder_hidden_states": noise(1, 77, 768, seed=1)}


def sdxl_unet():
    """U-Net of SDXL, 512 px."""
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(
        sample_size=64, in_channels=4, out_channels=4, cross_attention_dim=2048, attention_head_dim=(5, 10, 20),
        block_out_channels=(320, 640, 1280), layers_per_block=2, transformer_layers_per_block=(1, 2, 10), use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
    return model, {
        "sample": noise(1, 4, 64, 64), "timestep": torch.tensor([500.0]), "encoder_hidden_states": noise(1, 77, 2048, seed=1),
        "text_embeds": noise(1, 1280, seed=2), "time_ids": torch.tensor([[512.0, 512, 0, 0, 512, 512]])}


def vae():
    """Autoencoder of Stable Diffusion, decoding to 512 px."""
    from diffusers import AutoencoderKL

    model = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(128, 256, 512, 512), layers_per_block=2, norm_num_groups=32,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, sample_size=512, scaling_factor=0.18215)
    return model, {"z": noise(1, 4, 64, 64)}


def pixart():
    """Transformer of PixArt-Σ, 512 px."""
    from diffusers import PixArtTransformer2DModel

    model = PixArtTransformer2DModel(
        num_attention_heads=16, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=28, cross_attention_dim=1152,
        attention_bias=True, sample_size=64, patch_size=2, activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_single",
        norm_elementwise_affine=False, norm_eps=1e-6, caption_channels=4096, interpolation_scale=1, use_additional_conditions=False)
    return model, {
        "hidden_states": noise(1, 4, 64, 64), "timestep": torch.tensor([500.0]), "encoder_hidden_states": noise(1, 300, 4096, seed=1),
        "encoder_attention_mask": (torch.arange(300) < 40)[None]}


def flux():
    """Transformer with the widths of FLUX, 512 px, 2 double and 4 single blocks of 19 and 38."""
    from diffusers import FluxTransformer2DModel

    model = FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=2, num_single_layers=4, attention_head_dim=128, num_attention_heads=24,
        joint_attention_dim=4096, pooled_projection_dim=768, guidance_embeds=True, axes_dims_rope=(16, 56, 56))
    ids = torch.zeros(32, 32, 3)
    ids[..., 1] = torch.arange(32)[:, None]
    ids[..., 2] = torch.arange(32)[None]
    return model, {
        "hidden_states": noise(1, 1024, 64), "timestep": torch.tensor([0.5]), "encoder_hidden_states": noise(1, 512, 4096, seed=1),
        "pooled_projections": noise(1, 768, seed=2), "guidance": torch.tensor([3.5]), "img_ids": ids.reshape(-1, 3),
        "txt_ids": torch.zeros(512, 3)}


MODELS = {"sd15-unet": sd15_unet, "sdxl-unet": sdxl_unet, "vae": vae, "pixart": pixart, "flux": flux}


def main():
    name, folder = sys.argv[1], Path(sys.argv[2]) / sys.argv[1]
    if (folder / "inputs.safetensors").exists():
        return
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model.save_pretrained(folder, max_shard_size="100GB")
    save_file(inputs, folder / "inputs.safetensors")


if __name__ == "__main__":
    main()
