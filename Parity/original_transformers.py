"""Transformers of FLUX.1 and Stable Diffusion 3 under their original names, for Tests/QuickstepModelsTests.

    python Parity/original_transformers.py

Takes the networks of checkpoints.py (Tests/QuickstepModelsTests/Fixtures/checkpoints), puts their tensors under the names and in the layout of the
original repositories, and has diffusers' own conversion of such files restore them, number by number: that is what makes the file count. Writes
Tests/QuickstepModelsTests/Fixtures/single-file/<network>.safetensors.
"""
import inspect
import sys
from pathlib import Path

import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import load_file, save_file

FIXTURES = Path(__file__).resolve().parent.parent / "Tests/QuickstepModelsTests/Fixtures"
# Both are told apart by what they have: guidance or none, a second attention or none, normalised heads or none; one with the scope of whole models.
NETWORKS = {"flux-0": "", "flux-2": "model.diffusion_model.", "sd3-0": "", "sd3-1": "model.diffusion_model."}


def halves_swapped(tensor):
    first, second = tensor.chunk(2, dim=0)
    return torch.cat([second, first])


class Names:
    """Moves tensors from diffusers' names to original ones and keeps count of what is left."""

    def __init__(self, tensors):
        self.left = dict(tensors)
        self.original = {}

    def move(self, ours, original, change=lambda tensor: tensor):
        for kind in ("weight", "bias"):
            if f"{ours}.{kind}" in self.left:
                self.original[f"{original}.{kind}"] = change(self.left.pop(f"{ours}.{kind}"))

    def rename(self, ours, original):
        if ours in self.left:
            self.original[original] = self.left.pop(ours)

    def join(self, scope, names, original):
        for kind in ("weight", "bias"):
            parts = [f"{scope}.{name}.{kind}" for name in names]
            if parts[0] in self.left:
                self.original[f"{original}.{kind}"] = torch.cat([self.left.pop(part) for part in parts])

    def embed(self, ours, original, layers):
        for number, layer in enumerate(layers):
            self.move(f"time_text_embed.{ours}.linear_{number + 1}", f"{original}.{layer}")


OWN, ADDED = ["to_q", "to_k", "to_v"], ["add_q_proj", "add_k_proj", "add_v_proj"]


def flux(tensors):
    names = Names(tensors)
    for ours, original in (("timestep_embedder", "time_in"), ("text_embedder", "vector_in"), ("guidance_embedder", "guidance_in")):
        names.embed(ours, original, ("in_layer", "out_layer"))
    for ours, original in (("context_embedder", "txt_in"), ("x_embedder", "img_in"), ("proj_out", "final_layer.linear")):
        names.move(ours, original)
    names.move("norm_out.linear", "final_layer.adaLN_modulation.1", halves_swapped)
    index = 0
    while f"transformer_blocks.{index}.attn.to_q.weight" in names.left:
        ours, block = f"transformer_blocks.{index}", f"double_blocks.{index}"
        for stream, suffix, output, projections, norm in (("img", "", "to_out.0", OWN, ""), ("txt", "_context", "to_add_out", ADDED, "added_")):
            names.move(f"{ours}.norm1{suffix}.linear", f"{block}.{stream}_mod.lin")
            names.join(f"{ours}.attn", projections, f"{block}.{stream}_attn.qkv")
            names.move(f"{ours}.attn.{output}", f"{block}.{stream}_attn.proj")
            names.move(f"{ours}.ff{suffix}.net.0.proj", f"{block}.{stream}_mlp.0")
            names.move(f"{ours}.ff{suffix}.net.2", f"{block}.{stream}_mlp.2")
            for letter, kind in (("q", "query"), ("k", "key")):
                names.rename(f"{ours}.attn.norm_{norm}{letter}.weight", f"{block}.{stream}_attn.norm.{kind}_norm.scale")
        index += 1
    index = 0
    while f"single_transformer_blocks.{index}.proj_mlp.weight" in names.left:
        ours, block = f"single_transformer_blocks.{index}", f"single_blocks.{index}"
        names.move(f"{ours}.norm.linear", f"{block}.modulation.lin")
        names.join(ours, ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"], f"{block}.linear1")
        names.move(f"{ours}.proj_out", f"{block}.linear2")
        for letter, kind in (("q", "query"), ("k", "key")):
            names.rename(f"{ours}.attn.norm_{letter}.weight", f"{block}.norm.{kind}_norm.scale")
        index += 1
    return names


def stable_diffusion_3(tensors):
    names = Names(tensors)
    names.rename("pos_embed.pos_embed", "pos_embed")
    names.move("pos_embed.proj", "x_embedder.proj")
    for ours, original in (("timestep_embedder", "t_embedder"), ("text_embedder", "y_embedder")):
        names.embed(ours, original, ("mlp.0", "mlp.2"))
    names.move("context_embedder", "context_embedder")
    names.move("proj_out", "final_layer.linear")
    names.move("norm_out.linear", "final_layer.adaLN_modulation.1", halves_swapped)
    count = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("transformer_blocks."))
    for index in range(count):
        ours, block = f"transformer_blocks.{index}", f"joint_blocks.{index}"
        for attention, stream, output, projections, norm in (
                ("attn", "x_block", "to_out.0", OWN, ""), ("attn2", "x_block", "to_out.0", OWN, ""),
                ("attn", "context_block", "to_add_out", ADDED, "added_")):
            names.join(f"{ours}.{attention}", projections, f"{block}.{stream}.{attention}.qkv")
            names.move(f"{ours}.{attention}.{output}", f"{block}.{stream}.{attention}.proj")
            for letter in "qk":
                names.rename(f"{ours}.{attention}.norm_{norm}{letter}.weight", f"{block}.{stream}.{attention}.ln_{letter}.weight")
        names.move(f"{ours}.norm1.linear", f"{block}.x_block.adaLN_modulation.1")
        names.move(f"{ours}.norm1_context.linear", f"{block}.context_block.adaLN_modulation.1", halves_swapped if index == count - 1 else lambda t: t)
        for stream, suffix in (("x_block", ""), ("context_block", "_context")):
            names.move(f"{ours}.ff{suffix}.net.0.proj", f"{block}.{stream}.mlp.fc1")
            names.move(f"{ours}.ff{suffix}.net.2", f"{block}.{stream}.mlp.fc2")
    return names


def reference(name, size):
    """diffusers' conversion; that of FLUX knows one width only, which is made that of the network."""
    function = {"flux": "convert_flux_transformer_checkpoint_to_diffusers", "sd3": "convert_sd3_transformer_checkpoint_to_diffusers"}[name]
    source = inspect.getsource(getattr(single_file_utils, function))
    assert name == "sd3" or source.count("inner_dim = 3072") == 1
    scope = dict(vars(single_file_utils))
    exec(source.replace("inner_dim = 3072", f"inner_dim = {size}"), scope)
    return scope[function]


def main():
    for network, prefix in NETWORKS.items():
        kind = network.split("-")[0]
        tensors = load_file(FIXTURES / "checkpoints" / network / "diffusion_pytorch_model.safetensors")
        names = {"flux": flux, "sd3": stable_diffusion_3}[kind](tensors)
        assert not names.left, sorted(names.left)
        whole = {prefix + name: tensor.contiguous().clone() for name, tensor in names.original.items()}
        restored = reference(kind, tensors["proj_out.weight"].shape[1])(dict(whole))
        assert restored.keys() == tensors.keys(), sorted(restored.keys() ^ tensors.keys())
        for name, tensor in tensors.items():
            assert torch.equal(restored[name], tensor), name
        path = FIXTURES / "single-file" / f"{network}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(whole, path, metadata={"script": "Parity/original_transformers.py", "format": "pt"})
        print(f"{network:8}", len(whole), "tensors,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    sys.exit(main())
