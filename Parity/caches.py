"""Goldens of feature caches: sequences of evaluations of tiny networks under diffusers' hooks.

    python Parity/caches.py

writes Tests/QuickstepAccelerationTests/Fixtures/caches.safetensors from the networks in Tests/QuickstepModelsTests/Fixtures/checkpoints. For
every network and method: `<network>|<method as on a command line>|out`, `[evaluations, values]` (some values of every output), and `|full`,
which evaluations computed the last block's attention.
"""
import math
from pathlib import Path

import torch
from diffusers import hooks
from diffusers.hooks import HookRegistry
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ROOT / "Tests/QuickstepModelsTests/Fixtures/checkpoints"
TARGET = ROOT / "Tests/QuickstepAccelerationTests/Fixtures"
COUNT, VALUES = 12, 48


class Network:
    """A tiny network on a path of inputs: the state turns faster and faster from one picture to another."""

    def __init__(self, name):
        import diffusers

        self.name = name
        config = NETWORKS / name
        kind = "DiTTransformer2DModel" if name.startswith("dit") else (
            "FluxTransformer2DModel" if name.startswith("flux") else "PixArtTransformer2DModel")
        self.model = getattr(diffusers, kind).from_pretrained(config).eval()
        tensors = load_file(config / "golden.safetensors")
        self.inputs = {key[3:]: value for key, value in tensors.items() if key.startswith("in.")}
        self.start = self.inputs["hidden_states"]
        self.end = -self.start.roll(1, -1)
        self.flux = name.startswith("flux")
        for key in ("img_ids", "txt_ids"):
            if key in self.inputs and self.inputs[key].ndim == 3:
                self.inputs[key] = self.inputs[key][0]

    @property
    def blocks(self):
        return list(self.model.transformer_blocks) + list(getattr(self.model, "single_transformer_blocks", []))

    def state(self, index):
        angle = 1.2 * (index / COUNT) ** 2
        return math.cos(angle) * self.start + math.sin(angle) * self.end

    @staticmethod
    def time(index):
        return 990.0 - 30 * index

    def __call__(self, index):
        self.current = self.time(index)
        inputs = {key: value for key, value in self.inputs.items() if key not in ("hidden_states", "timestep")}
        time = torch.full((self.start.shape[0],), self.time(index) / (1000 if self.flux else 1))
        if "resolution" in inputs:
            inputs["added_cond_kwargs"] = {key: inputs.pop(key) for key in ("resolution", "aspect_ratio")}
        if self.flux:
            return self.model(hidden_states=self.state(index), timestep=time, **inputs).sample
        return self.model(self.state(index), timestep=time, **inputs).sample

    def run(self):
        """Some values of every output, and whether the last block's queries were computed."""
        HookRegistry.check_if_exists_or_initialize(self.model)._set_context("run")
        outputs, full, seen = [], [], []
        attention = self.blocks[-1].attn if self.flux else self.blocks[-1].attn1
        probe = attention.to_q.register_forward_hook(lambda *_: seen.append(1))
        with torch.inference_mode():
            for index in range(COUNT):
                seen.clear()
                outputs.append(sample(self(index)))
                full.append(len(seen) > 0)
        probe.remove()
        return torch.stack(outputs), torch.tensor(full)


def sample(output):
    flat = output.flatten()
    return flat[torch.linspace(0, flat.numel() - 1, VALUES).long()].clone()


def last_blocks(network):
    """Identifiers that make the last block alone be forecast, the others leaving out their work."""
    names = [f"transformer_blocks.{i}" for i in range(len(network.model.transformer_blocks))]
    names += [f"single_transformer_blocks.{i}" for i in range(len(getattr(network.model, "single_transformer_blocks", [])))]
    return [name.replace(".", r"\.") for name in names[:-1]], [names[-1].replace(".", r"\.")]


MODULES = {
    "dit": [r"transformer_blocks\.\d+\.(attn1|ff)"],
    "pixart": [r"transformer_blocks\.\d+\.(attn1|attn2|ff)"],
    "flux": [r"transformer_blocks\.\d+\.(attn|ff|ff_context)", r"single_transformer_blocks\.\d+\.proj_out"],
}


def cases(network):
    family = network.name.split("-")[0]
    skipped, kept = last_blocks(network)

    def taylor(order, interval, warmup, **named):
        return lambda network: hooks.apply_taylorseer_cache(network.model, hooks.TaylorSeerCacheConfig(
            cache_interval=interval, disable_cache_before_step=warmup, max_order=order, taylor_factors_dtype=torch.float32, **named))

    yield "taylorseer:schedule=hook,interval=3,order=1,warmup=2,level=module", taylor(1, 3, 2, cache_identifiers=MODULES[family])
    yield "taylorseer:schedule=hook,interval=4,order=3,warmup=3,level=module", taylor(3, 4, 3, cache_identifiers=MODULES[family])
    if not (family == "flux"):  # the hook leaves out blocks by zeros of one shape, which two streams do not have
        yield "taylorseer:schedule=hook,interval=3,order=2,warmup=3,level=blocks", taylor(
            2, 3, 3, cache_identifiers=kept, skip_predict_identifiers=skipped)
    for threshold in THRESHOLDS[family]:
        yield f"first-block-cache:threshold={threshold}", lambda network, threshold=threshold: hooks.apply_first_block_cache(
            network.model, hooks.FirstBlockCacheConfig(threshold=threshold))
    ratios = [1.0, 1.04, 1.03, 1.0, 0.99, 1.02, 0.97, 0.9, 1.1, 1.01, 1.0, 0.8]
    text = ",".join(str(value) for value in ratios)
    for threshold, limit, retention, given, steps in [(0.06, 3, 0.2, ratios, text), (0.3, 2, 0.1, ratios[:7], ",".join(map(str, ratios[:7])))]:
        yield f"magcache:threshold={threshold},continuous={limit},retention={retention},ratios={steps}", (
            lambda network, t=threshold, k=limit, r=retention, g=given: hooks.apply_mag_cache(network.model, hooks.MagCacheConfig(
                threshold=t, max_skip_steps=k, retention_ratio=r, num_inference_steps=COUNT, mag_ratios=torch.tensor(g, dtype=torch.float64))))
    yield "pab:interval=2,cross-interval=3,from=0.9,to=0.75", lambda network: hooks.apply_pyramid_attention_broadcast(
        network.model, hooks.PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2, spatial_attention_timestep_skip_range=(750, 900),
            cross_attention_block_skip_range=3, cross_attention_timestep_skip_range=(750, 900),
            current_timestep_callback=lambda: network.current))


THRESHOLDS = {"dit": [0.5, 0.8], "flux": [0.5, 0.8], "pixart": [0.5, 0.8]}


def branches(tensors):
    """FasterCache's unconditional branch from the conditional one, on pictures of two sizes."""
    from diffusers.hooks.faster_cache import FasterCacheDenoiserHook

    for rows, columns in [(12, 10), (15, 21)]:
        generator = torch.Generator().manual_seed(rows)
        pictures = torch.randn((COUNT, 2, 2, rows, columns), generator=generator)
        time = [0]

        def growth(low, high):
            return lambda _: 1.1 if low < time[0] < high else 1.0

        hook = FasterCacheDenoiserHook(
            3, (-1, 641), "BCHW", False, ["hidden_states"], lambda: time[0], growth(99, 901), growth(-1, 301))
        hook.initialize_hook(None)
        result = []
        for index in range(COUNT):
            time[0] = 990 - 60 * index

            class Identity:
                @staticmethod
                def original_forward(hidden_states):
                    return hidden_states

            hook.fn_ref = Identity
            result.append(hook.new_forward(None, hidden_states=pictures[index])[:1].float())
        tensors[f"branches-{rows}x{columns}|pictures"] = pictures
        tensors[f"branches-{rows}x{columns}|made"] = torch.cat(result)


def main():
    tensors = {}
    for name in ["dit-2", "flux-3", "pixart-2"]:
        tensors[f"{name}|none|out"] = Network(name).run()[0]
        for method, apply in cases(Network(name)):
            network = Network(name)
            apply(network)
            out, full = network.run()
            tensors[f"{name}|{method}|out"], tensors[f"{name}|{method}|full"] = out, full.to(torch.uint8)
            change = (out - tensors[f"{name}|none|out"]).abs().mean() / out.abs().mean()
            print(f"{name:9} {method[:70]:70} {''.join('CR'[1 - int(f)] for f in full)} changes {change:.4f}")
    branches(tensors)
    TARGET.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, TARGET / "caches.safetensors")


if __name__ == "__main__":
    main()
