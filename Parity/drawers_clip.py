"""Configurations of CLIP's vision tower and of both towers together, for `checkpoints.py`."""
import torch
from random_weights import disturb, noise


def vision(rng):
    from transformers import CLIPVisionConfig

    heads = rng.choice([1, 2, 4])
    patch = rng.choice([4, 5])
    return CLIPVisionConfig(
        hidden_size=heads * rng.choice([8, 12]), intermediate_size=rng.choice([24, 40]), num_hidden_layers=rng.choice([1, 2, 3]),
        num_attention_heads=heads, image_size=patch * rng.choice([2, 3]) + rng.choice([0, 1]), patch_size=patch,
        hidden_act=rng.choice(["quick_gelu", "gelu"]), projection_dim=rng.choice([8, 20]))


def draw_vision(rng, seed):
    from transformers import CLIPVisionModelWithProjection

    model = disturb(seed, CLIPVisionModelWithProjection(vision(rng)))
    size = model.config.image_size
    pixels = noise(seed, "pixels", rng.choice([1, 3]), 3, size, size)
    with torch.inference_mode():
        result = model(pixels)
    return model, {"pixel_values": pixels}, {"last_hidden_state": result.last_hidden_state, "image_embeds": result.image_embeds}


def draw_both(rng, seed):
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig

    text = CLIPTextConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=rng.choice([1, 2]), num_attention_heads=2,
        max_position_embeddings=9, eos_token_id=rng.choice([2, 49]), bos_token_id=48, pad_token_id=1, hidden_act=rng.choice(["quick_gelu", "gelu"]))
    model = disturb(seed, CLIPModel(CLIPConfig(
        text_config=text.to_dict(), vision_config=vision(rng).to_dict(), projection_dim=rng.choice([8, 20]))))
    size = model.config.vision_config.image_size
    pixels = noise(seed, "pixels", 2, 3, size, size)
    ids = torch.randint(3, 48, (3, 7), generator=torch.Generator().manual_seed(seed))
    for row in range(3):
        ids[row, rng.randrange(1, 7):] = 49
    with torch.inference_mode():
        outputs = {
            "text_embeds": model.get_text_features(input_ids=ids).pooler_output,
            "image_embeds": model.get_image_features(pixel_values=pixels).pooler_output}
    return model, {"input_ids": ids, "pixel_values": pixels}, outputs


DRAWERS = {"clip-vision": draw_vision, "clip-both": draw_both}
