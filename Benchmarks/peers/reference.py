"""The reference library's components behind one calling convention: tensors in the order of their names, one tensor out."""
import json
from pathlib import Path

import diffusers
import torch


def load(folder):
    """The component in a folder of models.py, float32, for inference."""
    name = json.loads((Path(folder) / "config.json").read_text())["_class_name"]
    return getattr(diffusers, name).from_pretrained(folder, torch_dtype=torch.float32).eval()


class Positional(torch.nn.Module):
    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors):
        inputs = dict(zip(self.names, tensors))
        if self.names == ["z"]:
            return self.model.decode(inputs["z"], return_dict=False)[0]
        added = {name: inputs.pop(name) for name in ("text_embeds", "time_ids") if name in inputs}
        if added:
            inputs["added_cond_kwargs"] = added
        if type(self.model).__name__ == "PixArtTransformer2DModel":
            inputs["added_cond_kwargs"] = {"resolution": None, "aspect_ratio": None}
        return self.model(**inputs, return_dict=False)[0]


def positional(model, inputs):
    return Positional(model, sorted(inputs)).eval()
