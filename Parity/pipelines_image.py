"""Whole pipelines that begin with pictures or are steered by them, against diffusers: image-to-image, inpainting, ControlNet, SDXL's refiner.

    python Parity/pipelines_image.py [transformers]

With `transformers` only the cases of Stable Diffusion 3 and FLUX are made, and nothing is removed. Uses the tiny folders of pipelines.py. Writes Tests/QuickstepPipelinesTests/Fixtures/pictures: `parts/<name>` with the components that those
folders lack, and `<case>.safetensors` with the pictures given (`image`, `mask`, `control`, bytes), `latents` (noise), `step_000` … (the state after
each step), `final`, `picture` (−1…1) and, in its metadata, prompts and settings.

A codec's latents are the mean of their distribution here and there: the reference would draw from it.
"""
import importlib
import json
import shutil
import sys

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file

import pipelines
from checkpoints import disturb, noise, quiet
from pipelines import PROMPTS
from pipelines_transformers import t5_tokenizer

FOLDER = pipelines.FOLDER / "pictures"
SIDE = 16


def drawn_picture(name, channels=3):
    """Smooth enough that resizing and encoding have something to keep."""
    small = noise(name, "picture", 1, channels, 4, 4)
    large = torch.nn.functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear")[0]
    return ((large.clamp(-1.5, 1.5) / 3 + 0.5) * 255).round().to(torch.uint8)


def image_of(bytes_):
    array = bytes_.permute(1, 2, 0).numpy()
    return Image.fromarray(array if array.shape[2] == 3 else numpy.ascontiguousarray(array[..., 0]))


def fix(pipeline, latents):
    """The mean of a codec's distribution, and this noise."""
    module = importlib.import_module(type(pipeline).__module__)
    if hasattr(module, "retrieve_latents"):
        module.retrieve_latents = lambda output, generator=None, sample_mode="sample": output.latent_dist.mode()
    module.randn_tensor = lambda shape, **_: latents.reshape(shape)


def controlnet(seed, network, **more):
    from diffusers import ControlNetModel

    config = network.config
    return disturb(seed, ControlNetModel(
        block_out_channels=config.block_out_channels, norm_num_groups=4, layers_per_block=1, attention_head_dim=2,
        down_block_types=config.down_block_types, cross_attention_dim=config.cross_attention_dim,
        use_linear_projection=config.use_linear_projection, transformer_layers_per_block=config.transformer_layers_per_block,
        addition_embed_type=config.addition_embed_type, addition_time_embed_dim=config.addition_time_embed_dim,
        projection_class_embeddings_input_dim=config.projection_class_embeddings_input_dim,
        conditioning_embedding_out_channels=(4, 6), **more))


def components(pipeline, kind, **more):
    parts = {key: value for key, value in pipeline.components.items() if key not in ("image_encoder",)}
    if "Inpaint" in kind.__name__ or "Img2Img" in kind.__name__ or "ControlNet" in kind.__name__:
        parts.pop("image_encoder", None)
    options = dict(add_watermarker=False) if "XL" in kind.__name__ else dict(requires_safety_checker=False)
    return kind(**(parts | more), **options)


def run(name, pipeline, arguments, pictures, settings, steps, unpacked=lambda state: state):
    """Runs one pipeline and keeps what it does. `settings` is what the test asks of us."""
    pipeline.set_progress_bar_config(disable=True)
    latents = noise(name, "latents", 2, 4, SIDE // 2, SIDE // 2)
    fix(pipeline, latents)
    states = []

    def keep(_, index, __, values):
        states.append(unpacked(values["latents"]).clone())
        return {}

    with torch.inference_mode():
        picture = pipeline(prompt=PROMPTS, num_inference_steps=steps, output_type="pt", callback_on_step_end=keep, **arguments).images
    golden = {"latents": latents, **{f"step_{i:03d}": state for i, state in enumerate(states)}, "final": states[-1], "picture": picture * 2 - 1}
    save(name, golden | pictures, settings | dict(steps=steps))


def save(name, tensors, settings):
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.safetensors"
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata={
        "script": "Parity/pipelines_image.py", "prompts": json.dumps(PROMPTS), "settings": json.dumps(settings)})
    print(f"{name:28}", path.stat().st_size, "bytes,", sum(key.startswith("step_") for key in tensors), "steps")


def save_part(name, model):
    folder = FOLDER / "parts" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder, safe_serialization=True)
    model.float()
    print(f"parts/{name:22}", sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def image_to_image():
    from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline

    for base, kind, strength in (("sd", StableDiffusionImg2ImgPipeline, 0.65), ("sdxl", StableDiffusionXLImg2ImgPipeline, 0.5)):
        pipeline, arguments = pipelines.stable_diffusion() if base == "sd" else pipelines.stable_diffusion_xl()
        picture = drawn_picture(base + "-image")
        run(f"{base}-image", components(pipeline, kind), arguments | dict(image=image_of(picture), strength=strength), dict(image=picture),
            dict(model=base, strength=strength, **named(arguments)), 16 if base == "sd" else 20)


def image_to_image_of_transformers():
    """Of 28 steps at strength 0.6 these run 17, where Stable Diffusion would run 16."""
    from diffusers import FluxImg2ImgPipeline, StableDiffusion3Img2ImgPipeline

    for base, kind, part, scale in (
            ("sd3", StableDiffusion3Img2ImgPipeline, "tokenizer_3", 7.0), ("flux-dev", FluxImg2ImgPipeline, "tokenizer_2", 3.5)):
        pipeline = kind.from_pretrained(pipelines.FOLDER / base, torch_dtype=torch.float32, **{part: t5_tokenizer()})
        picture = drawn_picture(base + "-image")
        unpacked = (lambda state: state) if base == "sd3" else (
            lambda state: pipeline._unpack_latents(state, SIDE, SIDE, pipeline.vae_scale_factor))
        run(f"{base}-image", pipeline, dict(image=image_of(picture), strength=0.6, height=SIDE, width=SIDE, guidance_scale=scale),
            dict(image=picture), dict(model=base, strength=0.6, guidance=scale), 28, unpacked)


def named(arguments):
    return dict(guidance=arguments["guidance_scale"], negative=arguments.get("negative_prompt", [""])[0])


def inpainting():
    from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline

    mask = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    mask[:, 3:11, 5:] = 255
    mask[:, 0, 0] = 127
    mask[:, 2, 0] = 128
    for name, base, kind, strength, channels in (
            ("sd-inpaint", "sd", StableDiffusionInpaintPipeline, 1.0, 4), ("sd-inpaint-part", "sd", StableDiffusionInpaintPipeline, 0.65, 4),
            ("sd-inpaint-told", "sd", StableDiffusionInpaintPipeline, 1.0, 9),
            ("sdxl-inpaint", "sdxl", StableDiffusionXLInpaintPipeline, 0.5, 4)):
        pipeline, arguments = pipelines.stable_diffusion() if base == "sd" else pipelines.stable_diffusion_xl()
        more = {}
        if channels == 9:
            more["unet"] = pipelines.unet(31, cross_attention_dim=12, in_channels=9, out_channels=4)
            save_part("unet-inpaint", more["unet"])
        picture = drawn_picture(name)
        run(name, components(pipeline, kind, **more),
            arguments | dict(image=image_of(picture), mask_image=image_of(mask), strength=strength, height=SIDE, width=SIDE),
            dict(image=picture, mask=mask), dict(model=base, strength=strength, told=channels == 9, **named(arguments)),
            {1.0: 10, 0.65: 16, 0.5: 20}[strength])


def steered():
    from diffusers import (StableDiffusionControlNetImg2ImgPipeline, StableDiffusionControlNetPipeline, StableDiffusionXLControlNetPipeline)

    for name, base, kind, settings in (
            ("sd-control", "sd", StableDiffusionControlNetPipeline, dict(scale=0.8, start=0.1, end=0.7)),
            ("sd-control-guess", "sd", StableDiffusionControlNetPipeline, dict(scale=1.0, guess=True)),
            ("sdxl-control", "sdxl", StableDiffusionXLControlNetPipeline, dict(scale=1.3)),
            ("sd-control-image", "sd", StableDiffusionControlNetImg2ImgPipeline, dict(scale=0.9, end=0.8))):
        pipeline, arguments = pipelines.stable_diffusion() if base == "sd" else pipelines.stable_diffusion_xl()
        network = controlnet(41 if base == "sd" else 42, pipeline.unet)
        save_part(f"controlnet-{base}", network)
        picture = drawn_picture(name)
        call = dict(controlnet_conditioning_scale=settings["scale"], control_guidance_start=settings.get("start", 0.0),
                    control_guidance_end=settings.get("end", 1.0), guess_mode=settings.get("guess", False))
        pictures, steps = dict(control=picture), 10
        if "image" in name:
            pictures["image"] = drawn_picture(name + " start")
            call |= dict(image=image_of(pictures["image"]), control_image=image_of(picture), strength=0.65)
            settings, steps = settings | dict(strength=0.65), 16
        else:
            call["image"] = image_of(picture)
        run(name, components(pipeline, kind, controlnet=network), arguments | call, pictures,
            dict(model=base, control=settings, strength=settings.get("strength"), **named(arguments)), steps)


def steered_by_several():
    from diffusers import StableDiffusionControlNetPipeline

    for name, settings in (
            ("sd-controls", dict(scales=[0.8, 1.2], starts=[0.0, 0.3], ends=[0.6, 1.0])),
            ("sd-controls-guess", dict(scales=[1.0, -0.7], starts=[0.0, 0.0], ends=[1.0, 0.5], guess=True))):
        pipeline, arguments = pipelines.stable_diffusion()
        networks = [controlnet(41, pipeline.unet), controlnet(43, pipeline.unet, conditioning_channels=1)]
        save_part("controlnet-sd-grey", networks[1])
        networks[0].half().float()
        pictures = {"control": drawn_picture(name), "control.1": drawn_picture(name + " grey", channels=1)}
        # The reference makes three channels of every picture that is no tensor.
        images = [(pictures[key].float() / 255).unsqueeze(0) for key in ("control", "control.1")]
        call = dict(image=images, controlnet_conditioning_scale=settings["scales"], control_guidance_start=settings["starts"],
                    control_guidance_end=settings["ends"], guess_mode=settings.get("guess", False))
        run(name, components(pipeline, StableDiffusionControlNetPipeline, controlnet=networks), arguments | call, pictures,
            dict(model="sd", controls=settings, **named(arguments)), 10)


def refined():
    from diffusers import StableDiffusionXLImg2ImgPipeline

    part = 0.6
    base, arguments = pipelines.stable_diffusion_xl()
    base.set_progress_bar_config(disable=True)
    network = pipelines.unet(51, cross_attention_dim=8, use_linear_projection=True, addition_embed_type="text_time",
                             addition_time_embed_dim=4, projection_class_embeddings_input_dim=5 * 4 + 10)
    save_part("unet-refiner", network)
    refiner = StableDiffusionXLImg2ImgPipeline(
        vae=base.vae, text_encoder=None, tokenizer=None, text_encoder_2=base.text_encoder_2, tokenizer_2=base.tokenizer_2, unet=network,
        scheduler=base.scheduler, requires_aesthetics_score=True, add_watermarker=False)
    refiner.set_progress_bar_config(disable=True)
    latents = noise("sdxl-refined", "latents", 2, 4, SIDE // 2, SIDE // 2)
    states = []

    def keep(_, index, __, values):
        states.append(values["latents"].clone())
        return {}

    shared = dict(prompt=PROMPTS, negative_prompt=["trending"] * 2, num_inference_steps=10, callback_on_step_end=keep, **arguments)
    with torch.inference_mode():
        handed = base(latents=latents, denoising_end=part, output_type="latent", **shared).images
        done = len(states)
        picture = refiner(image=handed, denoising_start=part, output_type="pt", **shared).images
    golden = {"latents": latents, **{f"step_{i:03d}": state for i, state in enumerate(states)}, "handed": handed, "final": states[-1],
              "picture": picture * 2 - 1}
    save("sdxl-refined", golden, dict(model="sdxl", part=part, first=done, steps=10, guidance=arguments["guidance_scale"], negative="trending"))


def resizing():
    """Pillow's own numbers, for our filter: in its float mode, which does not round to bytes between the two directions."""
    picture = drawn_picture("resizing")
    golden = {}
    for wide, high in ((40, 24), (7, 5), (16, 9), (33, 16)):
        planes = [Image.fromarray(plane.float().numpy(), "F").resize((wide, high), Image.LANCZOS) for plane in picture]
        golden[f"{wide}x{high}"] = torch.from_numpy(numpy.stack([numpy.array(plane) for plane in planes])).clamp(0, 255)
    save("resizing", golden | dict(image=picture), {})


def main():
    torch.set_num_threads(1)
    quiet()
    if sys.argv[1:] == ["transformers"]:
        return image_to_image_of_transformers()
    shutil.rmtree(FOLDER, ignore_errors=True)
    image_to_image()
    image_to_image_of_transformers()
    inpainting()
    steered()
    steered_by_several()
    refined()
    resizing()


if __name__ == "__main__":
    sys.exit(main())
