"""Goldens of the authors' programs of feature caches; run by hand.

    python Parity/caches_authors.py FOLDER

FOLDER holds copies of these files, which are not part of this repository:

    cg_models.py, cg_taylor.py   github.com/liuxiao-guan/CG-Taylor-DiT  c60a71560c91d61985d26b1448edcf79b9cb9deb
                                 (models.py, taylor_utils/__init__.py)
    ts_models.py, ts_taylor.py, ts_type.py
                                 github.com/Shenyi-Z/TaylorSeer         288776dfd0cbb6e201c654c31cd22139f848a6cf
                                 (TaylorSeer-DiT: models.py, taylor_utils/__init__.py, cache_functions/cal_type.py)
    teacache_flux.py             github.com/ali-vilab/TeaCache          7c10efc4702c6b619f47805f7abe4a7a08085aa0 (TeaCache4FLUX)

Only functions are taken from them, never what they do when they are run. Their decisions are carried out on diffusers' networks: DiT blocks get
the parts that the authors' blocks have. Writes Tests/QuickstepAccelerationTests/Fixtures/caches-authors.safetensors.
"""
import ast
import sys
import types
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from caches import COUNT, TARGET, Network, sample


def functions(path, names, scope):
    """The functions and methods with these names, in a scope of ours."""
    found = {}
    for node in ast.walk(ast.parse(Path(path).read_text())):
        inner = node.body if isinstance(node, ast.ClassDef) else [node] if isinstance(node, ast.FunctionDef) else []
        for function in inner:
            key = f"{node.name}.{function.name}" if isinstance(node, ast.ClassDef) and isinstance(function, ast.FunctionDef) else getattr(
                function, "name", None)
            if key in names and key not in found:
                function.decorator_list, function.returns = [], None
                for argument in function.args.args:
                    argument.annotation = None
                local = {}
                exec(compile(ast.fix_missing_locations(ast.Module([function], [])), str(path), "exec"), scope, local)
                found[key] = local[function.name]
                scope.setdefault(function.name, local[function.name]) if "." not in key else None
    missing = set(names) - set(found)
    assert not missing, (path, missing)
    return found


class Condition:
    """Time and class, which diffusers' blocks embed each for itself."""

    def __init__(self, time, labels=None):
        self.time, self.labels = time, labels

    def __add__(self, other):
        return Condition(self.time, other.labels)


class Shim(types.SimpleNamespace):
    pass


def dit_parts(network):
    """What the authors' DiT calls its parts."""
    model = network.model
    blocks = []
    for block in model.transformer_blocks:
        def modulation(c, block=block):
            embedded = block.norm1.emb(c.time, c.labels, hidden_dtype=torch.float32)
            return block.norm1.linear(block.norm1.silu(embedded))
        blocks.append(Shim(
            norm1=block.norm1.norm, norm2=block.norm3, adaLN_modulation=modulation, mlp=block.ff,
            attn=lambda x, cache_dic=None, current=None, block=block: block.attn1(x)))

    def final(x, c):
        conditioning = model.transformer_blocks[0].norm1.emb(c.time, c.labels, hidden_dtype=torch.float32)
        shift, scale = model.proj_out_1(F.silu(conditioning)).chunk(2, dim=1)
        return model.proj_out_2(model.norm_out(x) * (1 + scale[:, None]) + shift[:, None])

    rows, columns = (side // model.config.patch_size for side in network.start.shape[-2:])

    def unpatchify(x):
        patch, channels = model.config.patch_size, model.out_channels
        x = x.reshape(-1, rows, columns, patch, patch, channels)
        return torch.einsum("nhwpqc->nchpwq", x).reshape(-1, channels, rows * patch, columns * patch)

    return blocks, Shim(
        x_embedder=model.pos_embed, pos_embed=0, t_embedder=lambda t: Condition(t), y_embedder=lambda y, _: Condition(None, y),
        training=False, blocks=blocks, final_layer=final, unpatchify=unpatchify, cnt=0, num_steps=COUNT,
        pre_firstblock_hidden_states=None, predict_loss=None)


def time_of(network, index):
    return torch.full((network.start.shape[0],), network.time(index))


def modulate(x, shift, scale):
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


def with_forward(blocks, forward):
    def call(block):
        return lambda *arguments: forward(block, *arguments)
    return [call(block) for block in blocks]


def taylorseer(folder, interval, order, first):
    scope = {"torch": torch, "math": __import__("math"), "modulate": modulate}
    functions(folder / "ts_taylor.py", ["derivative_approximation", "taylor_formula", "taylor_cache_init"], scope)
    cal_type = functions(folder / "ts_type.py", ["cal_type"], scope)["cal_type"]
    forward = functions(folder / "ts_models.py", ["DiTBlock.forward"], scope)["DiTBlock.forward"]
    network = Network("dit-2")
    blocks, model = dit_parts(network)
    calls = with_forward(blocks, forward)
    cache = {"cache": {-1: {layer: {} for layer in range(len(blocks))}}, "interval": interval, "max_order": order, "first_enhance": first,
             "cache_counter": 0, "flops": 0.0, "test_FLOPs": False}
    current = {"num_steps": COUNT, "activated_steps": [COUNT - 1]}
    outputs, full = [], []
    for index in range(COUNT):
        current["step"] = COUNT - 1 - index
        x = model.x_embedder(network.state(index))
        c = Condition(time_of(network, index), network.inputs["class_labels"])
        cal_type(cache, current)
        for layer, call in enumerate(calls):
            current["layer"] = layer
            x = call(x, c, current, cache)
        outputs.append(sample(model.unpatchify(model.final_layer(x, c))))
        full.append(current["type"] == "full")
    return outputs, full


def cg_taylor(folder, threshold, order, gate_order, warmup):
    scope = {"torch": torch, "math": __import__("math"), "modulate": modulate}
    functions(folder / "cg_taylor.py", [
        "firstblock_derivative_approximation", "firstblock_taylor_formula", "step_derivative_approximation", "step_taylor_formula",
        "derivative_approximation", "taylor_formula", "taylor_cache_init"], scope)
    scope["cal_type"] = None
    block = functions(folder / "cg_models.py", ["DiTBlock.forward"], scope)["DiTBlock.forward"]
    forward = functions(folder / "cg_models.py", ["DiT.forward"], scope)["DiT.forward"]
    network = Network("dit-2")
    blocks, model = dit_parts(network)
    model.blocks = with_forward(blocks, block)
    # The factors of the first block are empty at first, where their sum is 0.
    cache = {"mode": "Firstblock", "cache": {"firstblock_hidden": {}, "hidden": {}}, "max_order": order, "firstblock_max_order": gate_order,
             "first_enhance": 2, "flops": 0.0, "test_FLOPs": False}
    current = {"num_steps": COUNT, "activated_steps": [0], "block_activated_steps": [0]}
    settings = Shim(mid_cor=warmup - 1, threshold=threshold)
    outputs, full, errors = [], [], []
    for index in range(COUNT):
        current["step"] = index
        before = len(current["activated_steps"])
        output = forward(model, network.state(index), time_of(network, index), current, cache, network.inputs["class_labels"], args=settings)
        outputs.append(sample(output))
        full.append(len(current["activated_steps"]) > before)
        errors.append(float(model.predict_loss) if model.predict_loss is not None else float("nan"))
    print("errors", " ".join(f"{error:.3f}" for error in errors))
    return outputs, full


class SingleBlock(torch.nn.Module):
    """A block on both streams joined, as it was when the authors' program was written."""

    def __init__(self, block, length):
        super().__init__()
        self.block, self.length = block, length

    def forward(self, hidden_states, temb, image_rotary_emb, joint_attention_kwargs=None):
        text, image = hidden_states[:, : self.length], hidden_states[:, self.length:]
        return torch.cat(self.block(image, text, temb, image_rotary_emb), dim=1)


def teacache(folder, threshold):
    from diffusers.models.modeling_outputs import Transformer2DModelOutput

    scope = {"torch": torch, "np": numpy, "USE_PEFT_BACKEND": False, "Transformer2DModelOutput": Transformer2DModelOutput,
             "Any": object, "Dict": dict, "Optional": dict, "Union": dict, "logger": None, "is_torch_version": None}
    forward = functions(folder / "teacache_flux.py", ["teacache_forward"], scope)["teacache_forward"]
    network = Network("flux-3")
    model = network.model
    length = network.inputs["encoder_hidden_states"].shape[1]
    shim = Shim(
        x_embedder=model.x_embedder, time_text_embed=model.time_text_embed, context_embedder=model.context_embedder, pos_embed=model.pos_embed,
        transformer_blocks=model.transformer_blocks, single_transformer_blocks=[SingleBlock(b, length) for b in model.single_transformer_blocks],
        norm_out=model.norm_out, proj_out=model.proj_out, gradient_checkpointing=False, enable_teacache=True, cnt=0, num_steps=COUNT,
        rel_l1_thresh=threshold, accumulated_rel_l1_distance=0, previous_modulated_input=None, previous_residual=None)
    seen, outputs, full = [], [], []
    model.transformer_blocks[0].attn.to_q.register_forward_hook(lambda *_: seen.append(1))
    inputs = {key: value for key, value in network.inputs.items() if key not in ("hidden_states", "timestep")}
    for index in range(COUNT):
        seen.clear()
        out = forward(
            shim, hidden_states=network.state(index), timestep=time_of(network, index) / 1000, return_dict=False, **inputs)[0]
        outputs.append(sample(out))
        full.append(len(seen) > 0)
    return outputs, full


def main(folder):
    tensors = {}
    coefficients = "498.651651,-283.781631,55.8554382,-3.82021401,0.264230861"
    runs = {
        "dit-2|taylorseer:interval=3,order=2,warmup=2,level=module": lambda: taylorseer(folder, 3, 2, 2),
        "dit-2|taylorseer:interval=4,order=4,warmup=2,level=module": lambda: taylorseer(folder, 4, 4, 2),
        "dit-2|taylorseer:interval=5,order=1,warmup=3,level=module": lambda: taylorseer(folder, 5, 1, 3),
    }
    for threshold, order, gate in [(0.3, 1, 3), (0.5, 2, 1), (10, 1, 3), (0.4, 0, 2)]:
        runs[f"dit-2|cg-taylor:threshold={threshold},order={order},gate-order={gate},warmup=3"] = (
            lambda t=threshold, o=order, g=gate: cg_taylor(folder, t, o, g, 3))
    for threshold in TEACACHE:
        runs[f"flux-3|teacache:threshold={threshold},coefficients={coefficients}"] = lambda t=threshold: teacache(folder, t)
    with torch.inference_mode():
        for name, run in runs.items():
            outputs, full = run()
            tensors[f"{name}|out"], tensors[f"{name}|full"] = torch.stack(outputs), torch.tensor(full).to(torch.uint8)
            print(f"{name[:80]:80} {''.join('CR'[1 - int(f)] for f in full)}")
    TARGET.mkdir(parents=True, exist_ok=True)
    save_file(tensors, TARGET / "caches-authors.safetensors")


TEACACHE = [0.6, 5, 100]

if __name__ == "__main__":
    main(Path(sys.argv[1]))
