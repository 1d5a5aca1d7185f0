"""Goldens of prompts with weights: what AUTOMATIC1111's way of weighting makes of them on the tiny Stable Diffusion folders of pipelines.py.

    python Parity/prompt_weighting.py

Written from its description, since the web interface cannot be installed: texts with weights (prompt_weights.json has the parser's own goldens)
become rows of start, room − 2 tokens, end, padding; a full row ends behind a comma among its last 20 tokens; the encoder's output times
the weights is brought back to its old mean. Writes Tests/QuickstepPipelinesTests/Fixtures/weighted.safetensors: `<case>.<n>.sequence`, `.pooled`.
"""
import json
import sys

import torch
from safetensors.torch import save_file

from checkpoints import quiet
from pipelines import FOLDER

COMMAS = "photo of mars, " * 9 + "portrait"
PROMPTS = {
    "a (photo:1.3) of [mars]": [("a ", 1.0), ("photo", 1.3), (" of ", 1.0), ("mars", 1 / 1.1)],
    "((horse)) BREAK riding": [("horse", 1.1 * 1.1), ("BREAK", -1), ("riding", 1.0)],
    f"{COMMAS} (8k:0.5)": [(COMMAS + " ", 1.0), ("8k", 0.5)],
    "astronaut " * 30 + "(mars:1.5)": [("astronaut " * 30, 1.0), ("mars", 1.5)],
    "a photo of mars": [("a photo of mars", 1.0)],
}


def rows(parts, tokenizer, room):
    comma = tokenizer.convert_tokens_to_ids(",</w>")
    start, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    done, row, last = [], [], None

    def finish():
        ids = [start] + [token for token, _ in row] + [end] * (room - len(row) + 1)
        first = ids.index(end)
        ids[first + 1:] = [pad] * (len(ids) - first - 1)
        done.append((ids, [1.0] + [weight for _, weight in row] + [1.0] * (room - len(row) + 1)))

    for text, weight in parts:
        if text == "BREAK" and weight == -1:
            finish()
            row, last = [], None
            continue
        for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
            if token == comma:
                last = len(row)
            elif len(row) == room and last is not None and len(row) - last <= 20:
                moved, row = row[last + 1:], row[:last + 1]
                finish()
                row, last = moved, None
            if len(row) == room:
                finish()
                row, last = [], None
            row.append((token, weight))
    if row or not done:
        finish()
    return done


def encoded(parts, tokenizer, encoder, layer):
    states, pooled = [], None
    for ids, weights in rows(parts, tokenizer, tokenizer.model_max_length - 2):
        output = encoder(torch.tensor([ids]), output_hidden_states=True)
        state = output.last_hidden_state if layer == "last" else output.hidden_states[-2]
        mean = state.mean()
        state = state * torch.tensor(weights)[None, :, None]
        states.append(state * (mean / state.mean()))
        pooled = getattr(output, "text_embeds", None) if pooled is None else pooled
    return torch.cat(states, 1), pooled


def main():
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    torch.set_num_threads(1)
    quiet()
    golden = {}
    plain = StableDiffusionPipeline.from_pretrained(FOLDER / "sd", torch_dtype=torch.float32)
    large = StableDiffusionXLPipeline.from_pretrained(FOLDER / "sdxl", torch_dtype=torch.float32)
    with torch.inference_mode():
        for index, parts in enumerate(PROMPTS.values()):
            golden[f"sd.{index}.sequence"], _ = encoded(parts, plain.tokenizer, plain.text_encoder, "last")
            first, _ = encoded(parts, large.tokenizer, large.text_encoder, "penultimate")
            second, golden[f"sdxl.{index}.pooled"] = encoded(parts, large.tokenizer_2, large.text_encoder_2, "penultimate")
            golden[f"sdxl.{index}.sequence"] = torch.cat([first, second], -1)
    save_file({key: value.contiguous().clone() for key, value in golden.items()}, FOLDER / "weighted.safetensors",
              metadata={"script": "Parity/prompt_weighting.py", "prompts": json.dumps(list(PROMPTS))})
    print({key: list(value.shape) for key, value in golden.items()})


if __name__ == "__main__":
    sys.exit(main())
