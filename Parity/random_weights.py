"""Seeded noise, and weights of a size that keeps activations near 1."""
import math
import zlib

import torch


def noise(seed, name, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode())))


def disturb(seed, model):
    """A value for every parameter, of a size that keeps activations near 1, rounded to half precision."""
    weights = {}
    for name, parameter in model.state_dict().items():
        if not parameter.dtype.is_floating_point:
            weights[name] = parameter
            continue
        value = noise(seed, name, *parameter.shape)
        if parameter.dim() > 1:
            scale = 0.5 if "embedding.weight" in name else 1 / math.sqrt(parameter[0].numel())
            value = value * scale
        else:
            value = 0.1 * value + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
        weights[name] = value.half().float()
    model.load_state_dict(weights)
    return model.eval()
