"""Goldens of the networks that metrics use, for Tests/QuickstepEvaluationTests and Tests/QuickstepModelsTests.

    python Parity/goldens_nets.py

Weights are drawn from seeds by their names, here and in the Swift tests, and are not stored: a file holds outputs only. LPIPS comes from the package
lpips (its heads are drawn as well, as absolute values) on torchvision's networks, Inception's features from pytorch-fid, with its way to resize
and with torch-fidelity's copy of TensorFlow's. CLIP is a tiny folder of transformers with random weights; it shares the tokenizer's files with
Tests/QuickstepTokenizersTests.
"""
import json
import shutil
from pathlib import Path

import lpips
import pytorch_fid.inception
import torch
import torchvision
from random_weights import disturb, noise
from safetensors.torch import save_file
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

TESTS = Path(__file__).resolve().parent.parent / "Tests"
FIXTURES = TESTS / "QuickstepEvaluationTests" / "Fixtures"


def fill(model, seed=1, absolute=False):
    """He initialisation by name, so that activations keep their size through any depth; statistics of normalisations near 0 and 1."""
    state = {}
    for name, value in model.state_dict().items():
        if not value.dtype.is_floating_point or name.startswith("scaling_layer"):
            state[name] = value
            continue
        drawn = noise(seed, name, *value.shape)
        if value.dim() > 1:
            drawn = drawn * (2 / value[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            drawn = (0.1 * drawn).exp()
        elif name.endswith("bn.weight"):
            drawn = 1 + 0.1 * drawn
        else:
            drawn = 0.1 * drawn
        state[name] = drawn.abs() if absolute else drawn
    model.load_state_dict(state)
    return model.eval()


def shapes(model):
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def perceptual(out, layouts):
    networks = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16, "squeeze": torchvision.models.squeezenet1_1}
    first = torch.tanh(noise(2, "first", 2, 3, 50, 43))
    second = torch.tanh(first + 0.3 * noise(2, "second", 2, 3, 50, 43))
    for name, make in networks.items():
        network = fill(make(weights=None))
        metric = lpips.LPIPS(net=name, pretrained=False, pnet_rand=True, verbose=False)
        heads = fill(metric.lins, seed=3, absolute=True).state_dict()
        layouts[name] = {key: size for key, size in shapes(network).items() if key.startswith("features.")}
        layouts[f"{name}.heads"] = {f"lin{key}": list(value.shape) for key, value in heads.items()}
        own = dict(network.features.named_children())
        for part in (getattr(metric.net, f"slice{index}") for index in range(1, metric.net.N_slices + 1)):
            for place, layer in part.named_children():
                layer.load_state_dict(own[place].state_dict())
        with torch.no_grad():
            total, layers = metric(first, second, retPerLayer=True)
        out[f"lpips.{name}"] = total.flatten()
        out[f"lpips.{name}.layers"] = torch.stack([layer.flatten() for layer in layers])


def squeeze(out, layouts):
    network = fill(torchvision.models.squeezenet1_0(weights=None))
    layouts["squeezenet1_0"] = shapes(network)
    with torch.no_grad():
        out["squeezenet1_0"] = network.features(noise(2, "pictures", 2, 3, 70, 64)).mean((2, 3))


def inception(out, layouts):
    plain = pytorch_fid.inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    state = fill(plain).state_dict()
    layouts["inception"] = {
        name: list(value.shape) for name, value in state.items() if not name.startswith("fc.") and value.dtype.is_floating_point}
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: state
    model = pytorch_fid.inception.InceptionV3().eval()
    pictures = torch.tanh(noise(2, "pictures", 2, 3, 40, 52))
    large = torch.tanh(noise(2, "large", 1, 3, 310, 320))
    with torch.no_grad():
        for name, images in [("small", pictures), ("large", large)]:
            out[f"inception.{name}.pytorch-fid"] = model((images + 1) / 2)[0].flatten(1)
            model.resize_input = False
            sized = interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
            out[f"inception.{name}.tensorflow"] = model((sized + 1) / 2)[0].flatten(1)
            model.resize_input = True


def clip(out):
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    words = TESTS / "QuickstepTokenizersTests" / "Fixtures" / "clip"
    vocabulary = json.loads((words / "vocab.json").read_text())
    merges = [tuple(line.split(" ")) for line in (words / "merges.txt").read_text().splitlines()[1:]]
    count = len(vocabulary)
    text = dict(
        vocab_size=count, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=20,
        bos_token_id=count - 2, eos_token_id=count - 1, pad_token_id=1)
    vision = dict(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=3, image_size=24, patch_size=8)
    model = disturb(9, CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)))
    folder = FIXTURES / "clip"
    shutil.rmtree(folder, ignore_errors=True)
    processor = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 24, "width": 24})
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    model.half().save_pretrained(folder)
    path = folder / "config.json"
    config = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("_name_or_path", "transformers_version")}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    processor.save_pretrained(folder)
    model = model.float()
    texts = ["a red fox", "two small owls in the snow", "the fox", "a very long text " * 12]
    for name, size in [("cut", (28, 28)), ("large", (61, 75)), ("small", (20, 17))]:
        images = torch.tanh(0.6 * noise(5, name, 4, 3, size[0] // 4 + 1, size[1] // 4 + 1).repeat_interleave(4, 2).repeat_interleave(4, 3))
        images = images[..., : size[0], : size[1]]
        pixels = processor(images=[image for image in ((images + 1) * 127.5).round().to(torch.uint8)], return_tensors="pt")["pixel_values"]
        ids = tokenizer(texts, padding=True, truncation=True, max_length=20, return_tensors="pt")
        with torch.no_grad():
            seen = model.get_image_features(pixel_values=pixels).pooler_output
            read = model.get_text_features(**ids).pooler_output
        out[f"clip.{name}.pictures"], out["clip.texts"] = seen, read
        unit = [value.double() / value.double().norm(dim=-1, keepdim=True) for value in (seen, read)]
        out[f"clip.{name}.score"] = 100 * (unit[0] * unit[1]).sum(-1)


def main():
    # A distance of 0.001 is a sum of squares near 1: its last digits depend on how threads divide it.
    torch.set_num_threads(1)
    out, layouts = {}, {}
    perceptual(out, layouts)
    squeeze(out, layouts)
    inception(out, layouts)
    clip(out)
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}, lpips 0.1.4, pytorch-fid 0.3.0, torch-fidelity 0.4.0, transformers 5.23.0"
    save_file({name: value.contiguous() for name, value in out.items()}, FIXTURES / "nets.safetensors", metadata={"versions": versions})
    (FIXTURES / "nets.json").write_text(json.dumps(layouts, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
