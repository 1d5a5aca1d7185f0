"""The built-in networks of Quickstep in plain eager PyTorch.

Names and shapes of the parameters are those of the Swift models (Sources/QuickstepModels), so either side loads the other's
checkpoints. The classes serve as reference for the goldens (models.py) and as the eager peer of the benchmark (peer_eager.py).
Fresh models are filled with the same kinds of distributions as the Swift ones.
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn


def linear(inputs, outputs, init="xavier"):
    """A linear layer with zero bias; `init` is "xavier", "zeros" or a standard deviation."""
    layer = nn.Linear(inputs, outputs)
    if init == "xavier":
        nn.init.xavier_uniform_(layer.weight)
    elif init == "zeros":
        nn.init.zeros_(layer.weight)
    else:
        nn.init.normal_(layer.weight, std=init)
    nn.init.zeros_(layer.bias)
    return layer


def conv(inputs, outputs, kernel=3, stride=1, zero=False):
    """A convolution that keeps the size at stride 1, with PyTorch's own weights and zero bias."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    if zero:
        nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def embedding(count, size, std=0.02):
    layer = nn.Embedding(count, size)
    nn.init.normal_(layer.weight, std=std)
    return layer


def modulate(x, shift, scale):
    """x·(1 + scale) + shift."""
    return torch.addcmul(shift, x, scale + 1)


def grid_positions(rows, columns, size):
    """Fixed sines and cosines of row and column, [1, rows·columns, size]."""
    frequencies = 10000.0 ** (-torch.arange(size // 4, dtype=torch.float64) / (size // 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [position.reshape(-1, 1) * frequencies for position in (row, column)]
    return torch.cat([part for a in angles for part in (a.sin(), a.cos())], dim=1).float().unsqueeze(0)


def key_mask(mask):
    """[B, L] of numbers or booleans to the [B, 1, 1, L] that attention takes."""
    return None if mask is None else mask.bool()[:, None, None, :]


class TimestepEmbedding(nn.Module):
    """Sinusoidal features (cosines first), then linear, SiLU, linear."""

    def __init__(self, size, features=256):
        super().__init__()
        self.linear_1 = linear(features, size, init=0.02)
        self.linear_2 = linear(size, size, init=0.02)
        half = features // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float64) / half).float()
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, timestep):
        angles = timestep.float()[:, None] * self.frequencies
        features = torch.cat([angles.cos(), angles.sin()], dim=-1).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(features)))


class Attention(nn.Module):
    """Attention to itself or to a context, with optional RMS norm of queries and keys per head."""

    def __init__(self, size, heads, context=None, qk_norm=False, zero_output=False):
        super().__init__()
        self.heads = heads
        self.to_q = linear(size, size)
        self.to_k = linear(context or size, size)
        self.to_v = linear(context or size, size)
        self.to_out = nn.ModuleList([linear(size, size, init="zeros" if zero_output else "xavier")])
        self.norm_q = nn.RMSNorm(size // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.norm_k = nn.RMSNorm(size // heads, eps=1e-6) if qk_norm else nn.Identity()

    def forward(self, x, context=None, mask=None):
        source = x if context is None else context
        q = self.norm_q(self.to_q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2))
        k = self.norm_k(self.to_k(source).unflatten(-1, (self.heads, -1)).transpose(1, 2))
        v = self.to_v(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.to_out[0](mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.fc1 = linear(size, hidden)
        self.fc2 = linear(hidden, size)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


# Prompt encoder


class PromptEncoderLayer(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(size, eps=1e-6)
        self.attn = Attention(size, heads)
        self.norm2 = nn.LayerNorm(size, eps=1e-6)
        self.ff = FeedForward(size, 4 * size)

    def forward(self, x, mask):
        x = x + self.attn(self.norm1(x), mask=mask)
        return x + self.ff(self.norm2(x))


class PromptEncoder(nn.Module):
    """Token ids to one vector per token and their mean over the tokens that count."""

    def __init__(self, vocab_size, hidden_size, num_hidden_layers, num_attention_heads, max_position_embeddings):
        super().__init__()
        self.embeddings = nn.ModuleDict({
            "token_embedding": embedding(vocab_size, hidden_size, std=0.5),
            "position_embedding": embedding(max_position_embeddings, hidden_size),
        })
        self.layers = nn.ModuleList([PromptEncoderLayer(hidden_size, num_attention_heads) for _ in range(num_hidden_layers)])
        self.final_layer_norm = nn.LayerNorm(hidden_size, eps=1e-6)

    def forward(self, input_ids, attention_mask=None):
        mask = input_ids.ne(0) if attention_mask is None else attention_mask.bool()
        positions = self.embeddings["position_embedding"].weight[: input_ids.shape[1]]
        x = self.embeddings["token_embedding"](input_ids) + positions
        for layer in self.layers:
            x = layer(x, key_mask(mask))
        x = self.final_layer_norm(x)
        weight = mask.to(x.dtype).unsqueeze(-1)
        return {"last_hidden_state": x, "pooled_output": (x * weight).sum(1) / weight.sum(1)}


# Sketch


class PromptSketch(nn.Module):
    """A linear picture of a prompt; backbones see it beside the sample."""

    def __init__(self, sketch_channels, cross_attention_dim, in_channels=3, sample_size=64, patch_size=8):
        super().__init__()
        self.side, self.patch = sample_size // patch_size, patch_size
        self.proj = linear(cross_attention_dim, self.side * self.side * sketch_channels)
        self.patches = linear(sketch_channels, in_channels * patch_size * patch_size)

    def forward(self, pooled_projections):
        cells = self.patches(self.proj(pooled_projections).unflatten(1, (self.side * self.side, -1)))
        return F.pixel_shuffle(cells.transpose(1, 2).unflatten(2, (self.side, self.side)), self.patch)


def beside(sample, sketch, pooled):
    """The sample with the sketch, brought to its size, as further channels."""
    if sketch is None:
        return sample
    picture = sketch(pooled)
    if picture.shape[2:] != sample.shape[2:]:
        picture = F.interpolate(picture, size=sample.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([sample, picture], dim=1)


# Transformer


class PromptTransformerBlock(nn.Module):
    """Self-attention and feed-forward under adaLN-Zero, cross-attention between them."""

    def __init__(self, size, heads, ratio, context):
        super().__init__()
        self.norm1 = nn.LayerNorm(size, eps=1e-6, elementwise_affine=False)
        self.attn1 = Attention(size, heads, qk_norm=True)
        self.norm_cross = nn.LayerNorm(size, eps=1e-6)
        self.attn2 = Attention(size, heads, context=context, qk_norm=True, zero_output=True)
        self.norm2 = nn.LayerNorm(size, eps=1e-6, elementwise_affine=False)
        self.ff = FeedForward(size, size * ratio)
        self.adaln = linear(size, 6 * size, init="zeros")

    def forward(self, x, signal, context, mask):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaln(signal).unsqueeze(1).chunk(6, dim=-1)
        x = torch.addcmul(x, gate1, self.attn1(modulate(self.norm1(x), shift1, scale1)))
        x = x + self.attn2(self.norm_cross(x), context=context, mask=mask)
        return torch.addcmul(x, gate2, self.ff(modulate(self.norm2(x), shift2, scale2)))


class AdaptiveOutputNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm = nn.LayerNorm(size, eps=1e-6, elementwise_affine=False)
        self.linear = linear(size, 2 * size, init="zeros")

    def forward(self, x, signal):
        shift, scale = self.linear(signal).unsqueeze(1).chunk(2, dim=-1)
        return modulate(self.norm(x), shift, scale)


class PatchSeamHead(nn.Module):
    """Two 3×3 convolutions at full resolution."""

    def __init__(self, channels, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.conv2 = nn.Conv2d(2 * channels, outputs, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x):
        return self.conv2(F.silu(self.conv1(x)))


class PromptTransformer2D(nn.Module):
    """A diffusion transformer on patches: adaLN-Zero from timestep and pooled prompt, cross-attention to the prompt's tokens."""

    def __init__(self, hidden_size, num_layers, num_attention_heads, cross_attention_dim, in_channels=3, sample_size=64, patch_size=8,
                 mlp_ratio=4, head_channels=None, sketch_channels=None):
        super().__init__()
        self.size, self.patch, self.side = hidden_size, patch_size, sample_size // patch_size
        folded = in_channels * patch_size * patch_size
        self.sketch = None
        if sketch_channels:
            self.sketch = PromptSketch(sketch_channels, cross_attention_dim, in_channels, sample_size, patch_size)
        self.patch_embed = linear(folded if self.sketch is None else 2 * folded, hidden_size)
        self.time_embed = TimestepEmbedding(hidden_size)
        self.pooled_proj = linear(cross_attention_dim, hidden_size)
        self.blocks = nn.ModuleList(
            [PromptTransformerBlock(hidden_size, num_attention_heads, mlp_ratio, cross_attention_dim) for _ in range(num_layers)])
        self.norm_out = AdaptiveOutputNorm(hidden_size)
        if head_channels:
            self.proj_out = linear(hidden_size, head_channels * patch_size * patch_size)
            self.head = PatchSeamHead(head_channels, in_channels)
        else:
            self.proj_out = linear(hidden_size, folded, init="zeros")
            self.head = nn.Identity()
        self.register_buffer("positions", grid_positions(self.side, self.side, hidden_size), persistent=False)

    def forward(self, sample, timestep, encoder_hidden_states, pooled_projections, encoder_attention_mask=None):
        rows, columns = sample.shape[2] // self.patch, sample.shape[3] // self.patch
        square = rows == columns == self.side
        positions = self.positions if square else grid_positions(rows, columns, self.size).to(sample.device)
        signal = F.silu(self.time_embed(timestep) + self.pooled_proj(pooled_projections))
        mask = key_mask(encoder_attention_mask)
        x = beside(sample, self.sketch, pooled_projections)
        x = self.patch_embed(F.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2)) + positions
        for block in self.blocks:
            x = block(x, signal, encoder_hidden_states, mask)
        x = self.proj_out(self.norm_out(x, signal))
        return self.head(F.pixel_shuffle(x.transpose(1, 2).unflatten(2, (rows, columns)), self.patch))


# U-Net


class UNetResidualBlock(nn.Module):
    """Two normalised convolutions; the signal shifts and scales between them."""

    def __init__(self, inputs, outputs, signal):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs, eps=1e-5)
        self.conv1 = conv(inputs, outputs)
        self.time_emb_proj = linear(signal, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs, eps=1e-5)
        self.conv2 = conv(outputs, outputs, zero=True)
        self.conv_shortcut = conv(inputs, outputs, kernel=1) if inputs != outputs else nn.Identity()

    def forward(self, x, signal):
        shift, scale = self.time_emb_proj(signal)[:, :, None, None].chunk(2, dim=1)
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = modulate(self.norm2(hidden), shift, scale)
        return self.conv_shortcut(x) + self.conv2(F.silu(hidden))


class UNetAttentionBlock(nn.Module):
    """Self-attention over the pixels, then cross-attention to the prompt if the model has one."""

    def __init__(self, channels, heads, context):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels, eps=1e-5)
        self.attn1 = Attention(channels, heads, qk_norm=True, zero_output=True)
        if context is not None:
            self.norm_cross = nn.LayerNorm(channels, eps=1e-6)
            self.attn2 = Attention(channels, heads, context=context, qk_norm=True, zero_output=True)
        self.has_context = context is not None

    def forward(self, x, context, mask):
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attn1(self.norm(x).flatten(2).transpose(1, 2))
        if self.has_context:
            tokens = tokens + self.attn2(self.norm_cross(tokens), context=context, mask=mask)
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


class UNetLayer(nn.Module):
    def __init__(self, inputs, outputs, signal, attends, heads, context):
        super().__init__()
        self.resnet = UNetResidualBlock(inputs, outputs, signal)
        self.attention = UNetAttentionBlock(outputs, heads, context) if attends else None

    def forward(self, x, signal, context, mask):
        x = self.resnet(x, signal)
        return x if self.attention is None else self.attention(x, context, mask)


class UNetStage(nn.ModuleDict):
    """The layers of one level under their indices, beside the named convolution that changes the size."""

    def __init__(self, layers, **named):
        super().__init__({str(index): layer for index, layer in enumerate(layers)} | named)
        self.count = len(layers)

    def layers(self):
        return [self[str(index)] for index in range(self.count)]


class PromptUNet2D(nn.Module):
    """A U-Net for small images with a prompt or a class as condition. A level is: down, the level below, up."""

    def __init__(self, sample_size, patch_size, block_out_channels, layers_per_block, attention_levels, num_attention_heads,
                 cross_attention_dim=None, num_class_embeds=None, in_channels=3, sketch_channels=None, sketch_patch_size=8):
        super().__init__()
        channels, self.patch = list(block_out_channels), patch_size
        folded = in_channels * patch_size * patch_size
        signal = channels[0] * 4

        def layer(inputs, outputs, attends):
            return UNetLayer(inputs, outputs, signal, attends, num_attention_heads, cross_attention_dim)

        self.time_embedding = TimestepEmbedding(signal)
        self.pooled_proj = None if cross_attention_dim is None else linear(cross_attention_dim, signal)
        self.class_embedding = None if num_class_embeds is None else embedding(num_class_embeds + 1, signal)
        self.sketch = None
        if sketch_channels:
            self.sketch = PromptSketch(sketch_channels, cross_attention_dim, in_channels, sample_size, sketch_patch_size)
        self.conv_in = conv(folded if self.sketch is None else 2 * folded, channels[0])
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(channels):
            inputs, attends = channels[max(0, level - 1)], attention_levels[level]
            last = level == len(channels) - 1
            down = [layer(inputs if i == 0 else width, width, attends) for i in range(layers_per_block)]
            skips = [width] * layers_per_block + [inputs]
            up = [layer(width + skip, width, attends) for skip in skips]
            self.down_blocks.append(UNetStage(down, **({} if last else {"downsample": conv(width, width, stride=2)})))
            self.up_blocks.append(UNetStage(up, **({} if last else {"upsample": conv(channels[level + 1], width)})))
        self.mid_block = layer(channels[-1], channels[-1], True)
        self.conv_norm_out = nn.GroupNorm(8, channels[0], eps=1e-5)
        self.conv_out = conv(channels[0], folded, zero=True)

    def forward(self, sample, timestep, encoder_hidden_states=None, encoder_attention_mask=None, pooled_projections=None,
                class_labels=None):
        signal = self.time_embedding(timestep)
        if self.pooled_proj is not None:
            signal = signal + self.pooled_proj(pooled_projections)
        if self.class_embedding is not None:
            signal = signal + self.class_embedding(class_labels)
        state = (F.silu(signal), encoder_hidden_states, key_mask(encoder_attention_mask))
        x = beside(sample, self.sketch, pooled_projections)
        x = x if self.patch == 1 else F.pixel_unshuffle(x, self.patch)
        x = self.level(0, self.conv_in(x), state)
        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        return x if self.patch == 1 else F.pixel_shuffle(x, self.patch)

    def level(self, k, x, state):
        down, up, skips = self.down_blocks[k], self.up_blocks[k], [x]
        for layer in down.layers():
            x = layer(x, *state)
            skips.append(x)
        if "downsample" in down:
            below = self.level(k + 1, down["downsample"](x), state)
            x = up["upsample"](F.interpolate(below, size=x.shape[2:], mode="nearest"))
        else:
            x = self.mid_block(x, *state)
        for layer in up.layers():
            x = layer(torch.cat([x, skips.pop()], dim=1), *state)
        return x


# Digit classifier


class DigitClassifier(nn.Module):
    """A small convolutional classifier; its last hidden layer is the feature space for distances between sets of digits."""

    def __init__(self, in_channels=1, block_out_channels=(32, 64), feature_dim=128, num_classes=10):
        super().__init__()
        sizes = [in_channels, *block_out_channels]
        self.convs = nn.ModuleList([conv(a, b) for a, b in zip(sizes, sizes[1:])])
        self.norms = nn.ModuleList([nn.GroupNorm(8, b, eps=1e-5) for b in sizes[1:]])
        self.features = linear(sizes[-1] * 9, feature_dim)
        self.head = linear(feature_dim, num_classes)

    def forward(self, pixel_values):
        x = pixel_values
        for layer, norm in zip(self.convs, self.norms):
            x = F.max_pool2d(F.relu(norm(layer(x))), 2)
        features = F.relu(self.features(F.adaptive_avg_pool2d(x, 3).flatten(1)))
        return {"logits": self.head(features), "features": features}


# Emoji classifier


class EmojiClassifier(nn.Module):
    """A small residual classifier of things and styles; its last hidden layer is the feature space for distances between sets of emoji."""

    class Level(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.down = conv(inputs, outputs, stride=2)
            self.conv1, self.conv2 = conv(outputs, outputs), conv(outputs, outputs)
            self.norms = nn.ModuleList([nn.GroupNorm(8, outputs, eps=1e-5) for _ in range(3)])

        def forward(self, x):
            base = F.silu(self.norms[0](self.down(x)))
            return F.silu(base + self.norms[2](self.conv2(F.silu(self.norms[1](self.conv1(base))))))

    def __init__(self, in_channels=3, sample_size=64, block_out_channels=(24, 48, 96, 128), feature_dim=64, class_names=(), style_names=()):
        super().__init__()
        sizes = [in_channels, *block_out_channels]
        self.levels = nn.ModuleList([self.Level(a, b) for a, b in zip(sizes, sizes[1:])])
        self.features = linear(sizes[-1], feature_dim)
        self.head = linear(feature_dim, len(class_names))
        self.style_head = linear(feature_dim, len(style_names))

    def forward(self, pixel_values):
        x = pixel_values
        for level in self.levels:
            x = level(x)
        features = self.features(x.mean((2, 3)))
        return {"logits": self.head(features), "style_logits": self.style_head(features), "features": features}


# Noise predictor


class NoiseLevelClassifier(nn.Module):
    """Logits of a grid of noise levels: those of a normal distribution of log sigma, whose centre and width are told from the sample."""

    def __init__(self, in_channels=1, block_out_channels=(16, 32, 64), hidden_size=128, num_classes=256, sigma_min=0.02, sigma_max=100.0):
        super().__init__()
        sizes = [in_channels, *block_out_channels]
        self.convs = nn.ModuleList([conv(a, b) for a, b in zip(sizes, sizes[1:])])
        self.hidden = linear(sizes[-1] * 4 + 1, hidden_size)
        self.head = linear(hidden_size, 2)
        steps = 1 - torch.arange(num_classes, dtype=torch.float64) / num_classes
        self.grid = (sigma_min * (sigma_max / sigma_min) ** steps).log().float()

    def forward(self, pixel_values):
        power = pixel_values.square().mean((1, 2, 3), keepdim=True) + 1e-4
        x = pixel_values / power.sqrt()
        for layer in self.convs:
            x = F.avg_pool2d(F.relu(layer(x)), 2)
        scale = power.log().flatten(1) / 2
        hidden = F.relu(self.hidden(torch.cat([(F.adaptive_avg_pool2d(x, 2).flatten(1) + 1e-3).log(), scale], 1)))
        centre, width = self.head(hidden).chunk(2, 1)
        return {"logits": -((self.grid - centre - scale) / (F.softplus(width) + 0.003)) ** 2 / 2}


# Folders


CLASSES = {cls.__name__: cls for cls in (PromptTransformer2D, PromptUNet2D, PromptEncoder, PromptSketch, DigitClassifier, EmojiClassifier, NoiseLevelClassifier)}


def weights_name(class_name):
    """File name of the weights, as diffusers and transformers have it."""
    return "diffusion_pytorch_model.safetensors" if class_name.endswith("2D") else "model.safetensors"


def build(config):
    """A fresh model from the contents of its config.json; keys that start with an underscore are not arguments."""
    arguments = {key: value for key, value in config.items() if not key.startswith("_") and value is not None}
    return CLASSES[config["_class_name"]](**arguments)


def load(folder):
    """Model and configuration of a component folder, in float32. Without a weights file the model stays fresh."""
    from safetensors.torch import load_file

    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    model = build(config)
    path = folder / weights_name(config["_class_name"])
    if path.exists():
        model.load_state_dict({name: value.float() for name, value in load_file(path).items()}, strict=True)
    return model.eval(), config
