"""Whole pipelines on transformers against diffusers: tiny DiT, PixArt, Stable Diffusion 3, FLUX and Sana folders with random weights.

    python Parity/pipelines_transformers.py [CASE …]

Part of pipelines.py, which says what is written. `prompts` in the metadata are numbers of classes for DiT.
"""
import importlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from checkpoints import disturb, noise, quiet
from pipelines import FOLDER, PROMPTS, ROOT, STEPS, autoencoder, recorded, save, text_encoder, tokenizer

PIECES = ROOT / "QuickstepTokenizersTests/Fixtures/t5-pieces"


def t5(seed, size):
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=320, d_model=size, d_kv=4, d_ff=20, num_layers=2, num_heads=2, relative_attention_num_buckets=8,
                      relative_attention_max_distance=20, feed_forward_proj="gated-gelu", is_encoder_decoder=False)
    return disturb(seed, T5EncoderModel(config))


def t5_tokenizer():
    """What transformers makes of the small SentencePiece file of the tokenizer tests."""
    from transformers import T5Tokenizer

    from tokenizers_subword import proto

    message = proto((PIECES / "spiece.model").read_bytes())
    vocabulary = [(piece.piece, piece.score) for piece in message.pieces] + [(f"<extra_id_{i}>", 0.0) for i in range(99, -1, -1)]
    assert len(vocabulary) <= 320
    return T5Tokenizer(vocab=vocabulary, _spm_precompiled_charsmap=message.normalizer_spec.precompiled_charsmap, model_max_length=512)


def codec(seed, channels, shift=None):
    from diffusers import AutoencoderKL

    return disturb(seed, AutoencoderKL(
        block_out_channels=(8, 8), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 2, sample_size=16, scaling_factor=0.5,
        shift_factor=shift, latent_channels=channels, up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1,
        use_quant_conv=shift is None, use_post_quant_conv=shift is None))


def multistep(**more):
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear", **more)


def euler(**more):
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(**more)


def given_noise(module, latents):
    """The pipelines that draw their noise themselves are handed ours."""
    importlib.import_module(module).randn_tensor = lambda *_, **__: latents.clone()


def dit(name):
    from diffusers import DiTPipeline, DiTTransformer2DModel

    network = disturb(21, DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=8, patch_size=2,
        num_embeds_ada_norm=1000))
    labels = {0: "tench, Tinca tinca", 207: "golden retriever"}
    pipeline = DiTPipeline(network, autoencoder(22, 0.18215), multistep(), id2label=labels)
    latents = noise(name, "latents", 2, 4, 8, 8)
    given_noise("diffusers.pipelines.dit.pipeline_dit", latents)
    arguments = dict(guidance_scale=4.0)
    picture, states = recorded(pipeline, lambda: pipeline(
        class_labels=[207, 5], num_inference_steps=STEPS, output_type="np", **arguments).images, lambda state: state[:2])
    save(FOLDER / name, pipeline, latents, states, torch.tensor(picture).permute(0, 3, 1, 2), arguments, prompts=["207", "5"])
    # The published folders name their classes here; the library reads that and does not write it.
    path = FOLDER / name / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id2label": labels}, indent=2) + "\n")


def pixart(name):
    from diffusers import PixArtAlphaPipeline, PixArtSigmaPipeline, PixArtTransformer2DModel

    alpha = name == "pixart-alpha"
    network = disturb(23, PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=8, num_layers=2, cross_attention_dim=24, caption_channels=14,
        sample_size=128 if alpha else 8, patch_size=2))
    kind = PixArtAlphaPipeline if alpha else PixArtSigmaPipeline
    pipeline = kind(tokenizer=t5_tokenizer(), text_encoder=t5(24, 14), vae=autoencoder(25, 0.13025), transformer=network,
                    scheduler=multistep() if alpha else multistep(use_karras_sigmas=True))
    latents = noise(name, "latents", 2, 4, 8, 8)
    arguments = dict(guidance_scale=4.5, negative_prompt="Trending")
    picture, states = recorded(pipeline, lambda: pipeline(
        prompt=PROMPTS, latents=latents, num_inference_steps=STEPS, height=16, width=16, use_resolution_binning=False, output_type="pt",
        clean_caption=False, **arguments).images)
    save(FOLDER / name, pipeline, latents, states, picture, arguments)


def sd3(name):
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    network = disturb(26, SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=30, caption_projection_dim=16, pooled_projection_dim=20, pos_embed_max_size=12))
    whole = name == "sd3"
    pipeline = StableDiffusion3Pipeline(
        transformer=network, scheduler=euler(shift=3.0) if whole else euler(use_dynamic_shifting=True, max_shift=1.16, shift=1.0),
        vae=codec(27, 4, shift=0.06), text_encoder=text_encoder(28, 12, True), tokenizer=tokenizer("<|endoftext|>"),
        text_encoder_2=text_encoder(29, 8, True), tokenizer_2=tokenizer("!"), text_encoder_3=t5(30, 30) if whole else None,
        tokenizer_3=t5_tokenizer() if whole else None)
    latents = noise(name, "latents", 2, 4, 8, 8)
    arguments = dict(guidance_scale=7.0)
    picture, states = recorded(pipeline, lambda: pipeline(
        prompt=PROMPTS, latents=latents, num_inference_steps=STEPS, height=16, width=16, output_type="pt", **arguments).images)
    save(FOLDER / name, pipeline, latents, states, picture, arguments)


def flux(name):
    from diffusers import FluxPipeline, FluxTransformer2DModel

    dev = name == "flux-dev"
    network = disturb(31, FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2, joint_attention_dim=18,
        pooled_projection_dim=12, guidance_embeds=dev, axes_dims_rope=(4, 2, 2)))
    scheduler = euler(use_dynamic_shifting=True, shift=3.0, base_shift=0.5, max_shift=1.15) if dev else euler(shift=1.0)
    pipeline = FluxPipeline(
        scheduler=scheduler, vae=codec(32, 4, shift=0.1159), text_encoder=text_encoder(33, 12, False), tokenizer=tokenizer("<|endoftext|>"),
        text_encoder_2=t5(34, 18), tokenizer_2=t5_tokenizer(), transformer=network)
    latents = noise(name, "latents", 2, 4, 8, 12)
    packed = pipeline._pack_latents(latents, 2, 4, 8, 12)
    arguments = dict(guidance_scale=3.5) if dev else {}
    factor = pipeline.vae_scale_factor
    picture, states = recorded(pipeline, lambda: pipeline(
        prompt=PROMPTS, latents=packed, num_inference_steps=STEPS, height=16, width=24, output_type="pt", **arguments).images,
        lambda state: pipeline._unpack_latents(state, 16, 24, factor))
    save(FOLDER / name, pipeline, latents, states, picture, arguments)


def gemma(seed, size):
    from transformers import Gemma2Config, Gemma2Model

    # The instruction alone has hundreds of tokens of so small a vocabulary: a window that they exceed, and a cap that shows.
    return disturb(seed, Gemma2Model(Gemma2Config(
        vocab_size=500, hidden_size=size, intermediate_size=20, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1, head_dim=6,
        query_pre_attn_scalar=6, sliding_window=90, attn_logit_softcapping=2.0)))


def gemma_tokenizer():
    """The small vocabulary of the tokenizer tests."""
    from tokenizers import processors
    from transformers import GemmaTokenizer

    model = json.loads((ROOT / "QuickstepTokenizersTests/Fixtures/gemma/tokenizer.json").read_text(encoding="utf8"))["model"]
    made = GemmaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]], model_max_length=10**30, padding_side="left")
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return made


def sana(name):
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel

    encoded = name == "sana"
    network = disturb(35, SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=2, num_cross_attention_heads=2,
        cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=10, sample_size=8, patch_size=1))
    vae = disturb(36, AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=4, encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"), encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1), encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)), upsample_block_type="interpolate", downsample_block_type="conv",
        decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.41407))
    scheduler = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    pipeline = SanaPipeline(
        tokenizer=None if encoded else gemma_tokenizer(), text_encoder=None if encoded else gemma(37, 10), vae=vae, transformer=network,
        scheduler=scheduler)
    latents = noise(name, "latents", 2, 4, 8, 8)
    # The pipeline asks for multiples of 32, which a codec this small has no need of.
    pipeline.check_inputs = lambda *_, **__: None
    given = dict(
        prompt_embeds=noise(name, "prompt", 2, 7, 10), negative_prompt_embeds=noise(name, "negative", 2, 7, 10),
        prompt_attention_mask=torch.tensor([[1.0] * 7, [1, 1, 1, 1, 0, 0, 0]]), negative_prompt_attention_mask=torch.tensor([[1.0] * 2 + [0] * 5] * 2))
    arguments = dict(guidance_scale=4.5) | ({} if encoded else dict(negative_prompt=" Trending "))
    prompts = dict(prompt=None, negative_prompt=None, **given) if encoded else dict(prompt=PROMPTS)
    picture, states = recorded(pipeline, lambda: pipeline(
        latents=latents, num_inference_steps=STEPS, height=16, width=16, use_resolution_binning=False, output_type="pt",
        **(prompts | arguments)).images)
    save(FOLDER / name, pipeline, latents, states, picture, arguments, **(given if encoded else {}))
    if not encoded:
        # As published: the pipeline fills up behind the prompt whatever the tokenizer's file says, and writes what it made of it.
        path = FOLDER / name / "tokenizer/tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "left"}, indent=2, sort_keys=True) + "\n")


def size_bins():
    """The sizes that PixArt and Sana work at, and a picture of a size that is not one of them, from seeds."""
    from diffusers import PixArtSigmaPipeline, PixArtTransformer2DModel
    from diffusers.image_processor import PixArtImageProcessor
    from diffusers.pipelines.pixart_alpha import pipeline_pixart_sigma as published
    from diffusers.pipelines.sana.pipeline_sana import ASPECT_RATIO_4096_BIN

    tables = {side: getattr(published, f"ASPECT_RATIO_{side}_BIN") for side in (256, 512, 1024, 2048)} | {4096: ASPECT_RATIO_4096_BIN}
    asked = torch.randint(1, 4097, (200, 2), generator=torch.Generator().manual_seed(1))
    golden = {"asked": asked.to(torch.int32)}
    for side, table in tables.items():
        golden[f"worked.{side}"] = torch.tensor(
            [PixArtImageProcessor.classify_height_width_bin(height, width, table) for height, width in asked.tolist()], dtype=torch.int32)

    folder = FOLDER / "pixart-sigma"
    network = PixArtTransformer2DModel.from_pretrained(folder / "transformer")
    larger = PixArtTransformer2DModel.from_config(dict(network.config, sample_size=32))
    larger.load_state_dict(network.state_dict())
    pipeline = PixArtSigmaPipeline.from_pretrained(folder, transformer=larger.eval(), tokenizer=t5_tokenizer(), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        picture = pipeline(
            prompt=PROMPTS[0], height=24, width=40, num_inference_steps=2, guidance_scale=4.5, clean_caption=False, output_type="pt",
            generator=torch.Generator().manual_seed(7)).images
    golden["picture"] = picture[0] * 2 - 1
    save_file({key: value.contiguous().clone() for key, value in golden.items()}, FOLDER / "size-bins.safetensors", metadata={
        "script": "Parity/pipelines_transformers.py", "prompt": PROMPTS[0]})


CASES = {"dit": dit, "pixart-alpha": pixart, "pixart-sigma": pixart, "sd3": sd3, "sd3-clip": sd3, "flux-dev": flux, "flux-schnell": flux,
         "sana": sana, "sana-gemma": sana}


def write_all(names=CASES):
    for name in names:
        CASES[name](name)
    size_bins()


if __name__ == "__main__":
    torch.set_num_threads(1)
    quiet()
    sys.exit(write_all(sys.argv[1:] or CASES))
