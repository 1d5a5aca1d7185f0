"""Goldens of the authors' program for ToCa: whole runs of a tiny transformer of as many blocks as theirs, with random weights.

    python Parity/toca_authors.py FOLDER

FOLDER holds a copy of `DiT-ToCa` of github.com/Shenyi-Z/ToCa at e84096ffd85af4540a6a1f64e3334e428e1b7377, which is no part of this repository; of
its files only functions and classes are taken. Writes Tests/QuickstepAccelerationTests/Fixtures/toca-authors.safetensors: weights in half
precision under our names, initial states, the directions between which the blocks' condition turns, and what every evaluation gave.
"""
import ast
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from random_weights import disturb, noise
from safetensors.torch import save_file
from torch import nn

ROOT = Path(__file__).resolve().parent.parent / "Tests/QuickstepAccelerationTests/Fixtures"
BLOCKS, SIZE, HEADS, SIDE, STEPS = 28, 8, 2, 4, 20
CASES = [
    {"name": "attention", "score": "received", "cache_type": "attention", "fresh_ratio": 0.07, "fresh_threshold": 4, "ratio_scheduler": "ToCa-ddim50", "soft_fresh_weight": 0.25},
    {"name": "many", "score": "received", "cache_type": "attention", "fresh_ratio": 0.2, "fresh_threshold": 3, "ratio_scheduler": "ToCa-ddpm250", "soft_fresh_weight": 0.5},
    {"name": "values", "score": "values", "cache_type": "kv-norm", "fresh_ratio": 0.15, "fresh_threshold": 5, "ratio_scheduler": "ToCa-ddpm250", "soft_fresh_weight": 0.25},
    {"name": "norm", "score": "norm", "cache_type": "norm", "fresh_ratio": 0.12, "fresh_threshold": 6, "ratio_scheduler": "ToCa-ddim50", "soft_fresh_weight": 0.1},
    {"name": "none", "score": "received", "cache_type": "attention", "fresh_ratio": 0.0, "fresh_threshold": 4, "ratio_scheduler": "ToCa-ddim50", "soft_fresh_weight": 0.25},
]


class Mlp(nn.Module):
    """What the authors take from timm."""

    def __init__(self, in_features, hidden_features, act_layer, drop):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(in_features, hidden_features), act_layer(), nn.Linear(hidden_features, in_features)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


def taken(folder):
    """Functions and classes of the authors' files, without running the rest of them."""
    space = {"torch": torch, "nn": nn, "F": F, "Final": torch.jit.Final, "use_fused_attn": lambda: True, "Mlp": Mlp}
    files = [folder / "cache_functions" / f"{name}.py" for name in [
        "attention", "scores", "score_evaluate", "fresh_ratio_scheduler", "force_scheduler", "force_init", "cal_type", "cache_cutfresh",
        "update_cache", "cache_init"]] + [folder / "models.py"]
    for path in files:
        tree = ast.parse(path.read_text())
        wanted = ["modulate", "DiTBlock"] if path.name == "models.py" else None
        tree.body = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (wanted is None or node.name in wanted)]
        exec(compile(tree, str(path), "exec"), space)
    return space


def main(folder):
    authors = taken(folder)
    blocks = disturb("toca", nn.ModuleList([authors["DiTBlock"](SIZE, HEADS) for _ in range(BLOCKS)]))
    initial = noise("toca", "initial", 4, SIDE * SIDE, SIZE)
    first, last = noise("toca", "first", 4, SIZE), noise("toca", "last", 4, SIZE)
    tensors = {"in.initial": initial, "in.first": first, "in.last": last}
    with torch.no_grad():
        for case in CASES:
            settings = {key: case[key] for key in ["cache_type", "fresh_ratio", "fresh_threshold", "ratio_scheduler", "soft_fresh_weight"]}
            cache, current = authors["cache_init"]({**settings, "force_fresh": "global", "test_FLOPs": False}, STEPS)
            state, outputs = initial, []
            for index in range(STEPS):
                current["step"] = STEPS - 1 - index
                angle = 1.5 * index / STEPS
                condition = math.cos(angle) * first + math.sin(angle) * last
                hidden = state
                for layer, block in enumerate(blocks):
                    current["layer"] = layer
                    hidden = block(hidden, condition, current, cache)
                outputs.append(hidden.clone())
                state = state - hidden / STEPS
            tensors["out." + case["name"]] = torch.stack(outputs)
    for layer, block in enumerate(blocks):
        query, key, value = block.attn.qkv.weight.chunk(3)
        biases = block.attn.qkv.bias.chunk(3)
        own = {
            "adaln.weight": block.adaLN_modulation[1].weight, "adaln.bias": block.adaLN_modulation[1].bias,
            "attn.to_out.0.weight": block.attn.proj.weight, "attn.to_out.0.bias": block.attn.proj.bias,
            "ff.fc1.weight": block.mlp.fc1.weight, "ff.fc1.bias": block.mlp.fc1.bias, "ff.fc2.weight": block.mlp.fc2.weight,
            "ff.fc2.bias": block.mlp.fc2.bias,
            **{f"attn.to_{letter}.weight": part for letter, part in zip("qkv", (query, key, value))},
            **{f"attn.to_{letter}.bias": part for letter, part in zip("qkv", biases)},
        }
        for name, value in own.items():
            tensors[f"model.blocks.{layer}.{name}"] = value.detach().half().contiguous()
    save_file({name: value.contiguous() for name, value in tensors.items()}, str(ROOT / "toca-authors.safetensors"),
              metadata={"cases": json.dumps(CASES)})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
