"""LoHa and LoKr files against LyCORIS, which invented them: goldens of the test suite.

    python Parity/lycoris_changes.py

A small network of linear layers and convolutions gets changes of every kind: low-rank, whole and decomposed factors, with α's. LyCORIS' functions make the
changes of the weights, which are kept beside the file.
"""
import warnings
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepModelsTests/Fixtures/lycoris"


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(12, 8) for _ in range(5)])
        self.convolutions = nn.ModuleList([nn.Conv2d(4, 6, 3) for _ in range(5)] + [nn.Conv2d(4, 6, 1)])


def drawn(generator, *shape):
    return 0.6 * torch.randn(*shape, generator=generator)


def factors(generator):
    """Factors by layer; the letters of LyCORIS' keys."""
    def of(**shapes):
        return {name: drawn(generator, *shape) for name, shape in shapes.items()}

    return {
        # LoHa
        "blocks_0": (2.0, of(hada_w1_a=(8, 3), hada_w1_b=(3, 12), hada_w2_a=(8, 3), hada_w2_b=(3, 12))),
        "convolutions_0": (1.0, of(hada_w1_a=(6, 2), hada_w1_b=(2, 36), hada_w2_a=(6, 2), hada_w2_b=(2, 36))),
        "convolutions_1": (3.0, of(hada_w1_a=(2, 6), hada_w1_b=(2, 4), hada_t1=(2, 2, 3, 3), hada_w2_a=(2, 6), hada_w2_b=(2, 4), hada_t2=(2, 2, 3, 3))),
        # LoKr of linear layers: both whole, either a product, both products
        "blocks_1": (5.0, of(lokr_w1=(2, 3), lokr_w2=(4, 4))),
        "blocks_2": (5.0, of(lokr_w1=(2, 3), lokr_w2_a=(4, 1), lokr_w2_b=(1, 4))),
        "blocks_3": (0.5, of(lokr_w1_a=(2, 1), lokr_w1_b=(1, 3), lokr_w2_a=(4, 1), lokr_w2_b=(1, 4))),
        # LoKr of convolutions: a whole kernel, a product, a decomposed one, a kernel of one number
        "convolutions_2": (4.0, of(lokr_w1=(2, 2), lokr_w2=(3, 2, 3, 3))),
        "convolutions_3": (4.0, of(lokr_w1=(2, 2), lokr_w2_a=(3, 1), lokr_w2_b=(1, 18))),
        "convolutions_4": (2.0, of(lokr_w1=(2, 2), lokr_t2=(1, 1, 3, 3), lokr_w2_a=(1, 3), lokr_w2_b=(1, 2))),
        "convolutions_5": (2.0, of(lokr_w1=(2, 2), lokr_w2_a=(3, 1), lokr_w2_b=(1, 2))),
    }


def change(alpha, t):
    """ΔW by LyCORIS' functions, and its scale by their convention: α/r, and 1 where both sides of a Kronecker product are whole."""
    from lycoris.functional import loha, lokr

    if "hada_w1_a" in t:
        weights = [t["hada_w1_b"], t["hada_w1_a"], t["hada_w2_b"], t["hada_w2_a"], t.get("hada_t1"), t.get("hada_t2")]
        return loha.diff_weight(*weights, gamma=alpha / t["hada_w1_b"].shape[0], backend="torch")
    names = ["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"]
    rank = next((t[name].shape[0] for name in ("lokr_w1_b", "lokr_w2_b") if name in t), None)
    # Their own scale takes the rank from the wrong axis of decomposed kernels' factors; the rank is said here.
    plain = lokr.kron_weight(*[t.get(name) for name in names], scale=1.0, backend="torch")
    return plain * (alpha / rank if rank else 1.0)


def main():
    warnings.simplefilter("ignore")
    generator = torch.Generator().manual_seed(6)
    network = Network()
    state, weights = {}, {}
    for layer, (alpha, tensors) in factors(generator).items():
        state |= {f"lycoris_{layer}.{name}": value for name, value in tensors.items()}
        state[f"lycoris_{layer}.alpha"] = torch.tensor(alpha)
        name = layer.replace("_", ".")
        before = drawn(generator, *network.get_submodule(name).weight.shape)
        weights[f"before.{name}.weight"] = before
        weights[f"after.{name}.weight"] = before + change(alpha, tensors).reshape(before.shape)
    versions = {"versions": f"torch {torch.__version__}, lycoris-lora {version('lycoris-lora')}"}
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file(state, FOLDER / "adapter.safetensors", metadata=versions)
    save_file(weights, FOLDER / "weights.safetensors", metadata=versions)
    print(f"{len(state)} tensors, {len(weights) // 2} layers")


if __name__ == "__main__":
    main()
