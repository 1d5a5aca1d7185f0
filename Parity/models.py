"""Goldens of the built-in networks: tiny component folders with random weights, inputs and the outputs of reference_models.py.

    python Parity/models.py

writes Tests/QuickstepModelsTests/Fixtures/models/<case>/{config.json, <weights>.safetensors, golden.safetensors}.
A golden holds `in.<name>` and `out.<name>`. Every parameter is random, those that training starts at zero
too, so that nothing can hide behind a zero. Weights are stored in half precision and used in single precision.
"""
import json
import math
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

import reference_models

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepModelsTests/Fixtures/models"


def noise(name, shape):
    """Normal numbers that depend on the name only, so that adding a parameter changes no other."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))


def random_weights(case, model):
    """A value for every parameter, of a size that keeps activations near 1, rounded to half precision."""
    weights = {}
    for name, parameter in model.state_dict().items():
        value = noise(f"{case}/{name}", parameter.shape)
        if parameter.dim() > 1:
            scale = 0.5 if "embedding" in name and "linear" not in name else 1 / math.sqrt(parameter[0].numel())
            weights[name] = value * scale
        else:
            weights[name] = 0.1 * value + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return {name: value.half() for name, value in weights.items()}


def lengths_mask(lengths, size):
    return torch.tensor([[position < length for position in range(size)] for length in lengths])


def backbone_inputs(case, shape, timesteps, prompt=None, classes=None, lengths=None):
    """`prompt` is (tokens, channels); `lengths` the number of tokens that count, per sample."""
    inputs = {"sample": noise(f"{case}/sample", shape), "timestep": torch.tensor(timesteps)}
    if prompt:
        inputs["encoder_hidden_states"] = noise(f"{case}/prompt", (shape[0], *prompt))
        inputs["pooled_projections"] = noise(f"{case}/pooled", (shape[0], prompt[1]))
        if lengths:
            inputs["encoder_attention_mask"] = lengths_mask(lengths, prompt[0])
    if classes:
        inputs["class_labels"] = torch.tensor(classes)
    return inputs


def transformer(**settings):
    return {"_class_name": "PromptTransformer2D", **settings}


def unet(**settings):
    return {"_class_name": "PromptUNet2D", **settings}


def cases():
    """Name → (configuration, inputs)."""
    result = {}

    def add(name, config, make, *arguments, **named):
        result[name] = (config, make(name, *arguments, **named))

    def plain(_, **tensors):
        return tensors

    add("transformer-patch8", transformer(
        in_channels=3, sample_size=32, patch_size=8, hidden_size=32, num_layers=2, num_attention_heads=2, mlp_ratio=4,
        cross_attention_dim=24), backbone_inputs, (2, 3, 32, 32), [999.0, 0.0], prompt=(6, 24), lengths=[6, 2])
    add("transformer-patch2-wide-sample", transformer(
        in_channels=4, sample_size=8, patch_size=2, hidden_size=32, num_layers=3, num_attention_heads=4, mlp_ratio=2,
        cross_attention_dim=32), backbone_inputs, (3, 4, 8, 12), [3.0, 481.5, 998.0], prompt=(5, 32), lengths=[1, 5, 3])
    add("transformer-patch4-no-mask", transformer(
        in_channels=1, sample_size=16, patch_size=4, hidden_size=32, num_layers=1, num_attention_heads=1, mlp_ratio=3,
        cross_attention_dim=16), backbone_inputs, (1, 1, 24, 16), [250.0], prompt=(4, 16))
    add("transformer-seam-head", transformer(
        in_channels=3, sample_size=16, patch_size=4, hidden_size=32, num_layers=1, num_attention_heads=2, mlp_ratio=2,
        cross_attention_dim=16, head_channels=4), backbone_inputs, (2, 3, 16, 16), [640.0, 40.0], prompt=(4, 16), lengths=[4, 2])
    add("transformer-sketch", transformer(
        in_channels=3, sample_size=16, patch_size=4, hidden_size=32, num_layers=1, num_attention_heads=2, mlp_ratio=2,
        cross_attention_dim=16, sketch_channels=5), backbone_inputs, (2, 3, 16, 16), [900.0, 40.0], prompt=(4, 16), lengths=[4, 2])
    add("transformer-sketch-wide-sample", transformer(
        in_channels=3, sample_size=16, patch_size=4, hidden_size=32, num_layers=1, num_attention_heads=2, mlp_ratio=2,
        cross_attention_dim=16, head_channels=4, sketch_channels=5), backbone_inputs, (1, 3, 12, 24), [900.0], prompt=(4, 16))
    add("transformer-patch1", transformer(
        in_channels=2, sample_size=6, patch_size=1, hidden_size=16, num_layers=2, num_attention_heads=2, mlp_ratio=4,
        cross_attention_dim=16), backbone_inputs, (2, 2, 6, 6), [700.0, 20.0], prompt=(3, 16), lengths=[3, 2])
    add("unet-text-patch2", unet(
        in_channels=3, sample_size=16, patch_size=2, block_out_channels=[8, 16], layers_per_block=1, attention_levels=[False, True],
        num_attention_heads=4, cross_attention_dim=24), backbone_inputs, (2, 3, 16, 16), [999.0, 10.0], prompt=(6, 24), lengths=[6, 2])
    add("unet-text-patch4-wide-sample", unet(
        in_channels=3, sample_size=32, patch_size=4, block_out_channels=[8, 16], layers_per_block=2, attention_levels=[True, False],
        num_attention_heads=2, cross_attention_dim=16), backbone_inputs, (3, 3, 16, 32), [5.0, 500.0, 900.25], prompt=(4, 16),
        lengths=[4, 1, 2])
    add("unet-class-three-levels", unet(
        in_channels=1, sample_size=8, patch_size=1, block_out_channels=[8, 16, 24], layers_per_block=1,
        attention_levels=[False, False, True], num_attention_heads=2, num_class_embeds=10),
        backbone_inputs, (3, 1, 8, 8), [999.0, 333.0, 1.0], classes=[0, 10, 7])
    add("unet-class-one-level", unet(
        in_channels=2, sample_size=6, patch_size=1, block_out_channels=[8], layers_per_block=2, attention_levels=[True],
        num_attention_heads=1, num_class_embeds=3), backbone_inputs, (2, 2, 6, 10), [100.0, 800.0], classes=[3, 1])
    add("unet-sketch-patch4", unet(
        in_channels=3, sample_size=32, patch_size=4, block_out_channels=[8, 16], layers_per_block=1, attention_levels=[False, True],
        num_attention_heads=2, cross_attention_dim=16, sketch_channels=6), backbone_inputs, (2, 3, 32, 32), [990.0, 100.0],
        prompt=(4, 16), lengths=[4, 1])
    add("unet-sketch-patch1-wide-sample", unet(
        in_channels=1, sample_size=8, patch_size=1, block_out_channels=[8, 16], layers_per_block=1, attention_levels=[False, True],
        num_attention_heads=2, cross_attention_dim=16, sketch_channels=3, sketch_patch_size=4), backbone_inputs, (2, 1, 8, 16),
        [700.0, 100.0], prompt=(4, 16))
    add("sketch-rgb", {
        "_class_name": "PromptSketch", "in_channels": 3, "sample_size": 16, "patch_size": 4, "sketch_channels": 6,
        "cross_attention_dim": 12}, plain, pooled_projections=noise("sketch-rgb/pooled", (3, 12)))
    add("encoder-default-mask", {
        "_class_name": "PromptEncoder", "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 8}, plain, input_ids=torch.tensor(
            [[3, 1, 17, 49, 0, 0, 0, 0], [4, 1, 8, 9, 10, 11, 12, 13], [2, 0, 0, 0, 0, 0, 0, 0]]))
    add("encoder-short-with-mask", {
        "_class_name": "PromptEncoder", "vocab_size": 20, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2,
        "max_position_embeddings": 16}, plain, input_ids=torch.tensor([[3, 1, 17, 0, 5], [19, 1, 8, 9, 10]]),
        attention_mask=torch.tensor([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]]))
    add("classifier-28", {
        "_class_name": "DigitClassifier", "in_channels": 1, "block_out_channels": [8, 16], "feature_dim": 24, "num_classes": 10},
        plain, pixel_values=noise("classifier-28/pixels", (3, 1, 28, 28)).clamp(-1, 1))
    add("classifier-wide-rgb", {
        "_class_name": "DigitClassifier", "in_channels": 3, "block_out_channels": [8, 8, 16], "feature_dim": 12, "num_classes": 4},
        plain, pixel_values=noise("classifier-wide-rgb/pixels", (1, 3, 26, 40)).clamp(-1, 1))
    add("emoji-classifier", {
        "_class_name": "EmojiClassifier", "in_channels": 3, "sample_size": 16, "block_out_channels": [8, 16], "feature_dim": 12,
        "class_names": ["apple", "fox", "owl"], "style_names": ["flat", "bold"]},
        plain, pixel_values=noise("emoji-classifier/pixels", (2, 3, 16, 16)).clamp(-1, 1))
    levels = torch.tensor([0.05, 1.0, 30.0]).reshape(3, 1, 1, 1)
    add("noise-28", {
        "_class_name": "NoiseLevelClassifier", "in_channels": 1, "block_out_channels": [6, 10], "hidden_size": 12, "num_classes": 9,
        "sigma_min": 0.02, "sigma_max": 100.0},
        plain, pixel_values=noise("noise-28/clean", (3, 1, 28, 28)).clamp(-1, 1) + levels * noise("noise-28/noise", (3, 1, 28, 28)))
    add("noise-wide-rgb", {
        "_class_name": "NoiseLevelClassifier", "in_channels": 3, "block_out_channels": [4, 6, 10], "hidden_size": 7, "num_classes": 5,
        "sigma_min": 0.5, "sigma_max": 20.0}, plain, pixel_values=noise("noise-wide-rgb/pixels", (2, 3, 19, 26)))
    return result


def evaluate(model, inputs):
    """Outputs under the names that the Swift component uses."""
    outputs = model(**inputs)
    return outputs if isinstance(outputs, dict) else {"sample": outputs}


def write_case(name, config, inputs):
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = reference_models.build(config).eval()
    weights = random_weights(name, model)
    model.load_state_dict({key: value.float() for key, value in weights.items()}, strict=True)
    with torch.inference_mode():
        outputs = evaluate(model, inputs)
    assert all(value.isfinite().all() and value.std() > 0.1 for value in outputs.values()), f"{name}: degenerate output"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(weights, folder / reference_models.weights_name(config["_class_name"]))
    golden = {f"in.{key}": value for key, value in inputs.items()} | {f"out.{key}": value for key, value in outputs.items()}
    save_file(
        {key: value.contiguous() for key, value in golden.items()}, folder / "golden.safetensors",
        metadata={"script": "Parity/models.py", "torch": torch.__version__.split("+")[0]})
    return sum(file.stat().st_size for file in folder.iterdir())


def main():
    torch.set_num_threads(1)
    total = 0
    for name, (config, inputs) in cases().items():
        size = write_case(name, config, inputs)
        total += size
        print(f"{name:32s} {size:8d} bytes")
    print(f"{'total':32s} {total:8d} bytes")


if __name__ == "__main__":
    main()
