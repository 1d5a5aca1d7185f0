"""Mean squared error of emoji-prompt's sketches: the table in Models/emoji-prompt/README.md.

    QUICKSTEP_DATA=… python Benchmarks/sketch_error.py      with the environment of Parity/environment.sh
"""
import io
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Parity"))
import reference_models  # noqa: E402


def picture(shards, row):
    """On white, in −1…1, [3, 64, 64]."""
    shard = shards[row["shard"]]
    shard.seek(row["offset"])
    image = Image.open(io.BytesIO(shard.read(row["size"]))).convert("RGBA")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    pixels = np.array(Image.alpha_composite(white, image).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1


def main():
    folder = Path(os.environ["QUICKSTEP_DATA"]) / "emoji64"
    model = ROOT / "Models/emoji-prompt"
    taught = json.loads((model / "training.json").read_text())["data"]
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf8").splitlines()]
    rows = [row for row in rows if row["group"] in taught["groups"] and row["style"] in taught["styles"]]
    shards = {name: open(folder / name, "rb") for name in {row["shard"] for row in rows}}
    pictures = torch.stack([picture(shards, row) for row in rows])
    vocabulary = json.loads((model / "tokenizer/vocab.json").read_text(encoding="utf8"))

    def encode(row):
        words = [vocabulary.get(word, 1) for word in re.findall(r"[a-z0-9]+", row["name"].lower())]
        ids = [2, vocabulary[f"<style:{row['style']}>"], *words][:16]
        return ids + [0] * (16 - len(ids))

    encoder, sketch = (reference_models.load(model / part)[0] for part in ("text_encoder", "sketch"))
    with torch.inference_mode():
        drawn = sketch(encoder(torch.tensor([encode(row) for row in rows]))["pooled_output"])
    trained = torch.tensor([row["split"] == "train" for row in rows])
    mean = pictures[trained].mean(0)
    for name, chosen in (("trained on", trained), ("never seen in this style", ~trained)):
        errors = [((guess - pictures[chosen]) ** 2).mean().item() for guess in (drawn[chosen], mean)]
        print(f"{int(chosen.sum())} {name}: sketch {errors[0]:.3f}, mean training picture {errors[1]:.3f}")


if __name__ == "__main__":
    main()
