"""Times one evaluation of a built-in network in plain PyTorch (eager, inference mode, float32): the peer of our Swift benchmark.

Driven from outside, so that both sides can take turns (A B A B …) on a warm process:

    python Benchmarks/peer_eager.py [--threads 2] [--channels-last]

reads lines from standard input and answers each with one JSON line on standard output, flushed:

    run <component folder> <batch> <repeats>   {"seconds": [...], "class": "PromptUNet2D", "batch": 1, "weights": "file", ...}
    sample <component folder> <steps> <branches> <repeats>   whole DDIM loops of one picture; two branches are guided
    quit                                       (no answer; so does the end of input)

or {"error": "..."}. The component folder is diffusers-like (config.json and weights); without weights file the network is random,
which takes the same time. The first request for a folder and batch warms up with unmeasured evaluations.

Stand-alone:

    python Benchmarks/peer_eager.py --once <component folder>...

prints a table for batch 1 and 16.
"""
import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Parity"))
import reference_models  # noqa: E402

WARM_UP = 3
PROMPT_LENGTH = 16


class Peer:
    def __init__(self, channels_last=False):
        self.channels_last = channels_last
        self.models = {}
        self.inputs = {}

    def model(self, folder):
        """Model and configuration, loaded once."""
        if folder not in self.models:
            torch.manual_seed(0)
            model, config = reference_models.load(folder)
            if self.channels_last:
                model = model.to(memory_format=torch.channels_last)
            weights = Path(folder) / reference_models.weights_name(config["_class_name"])
            self.models[folder] = (model.requires_grad_(False), config, "file" if weights.exists() else "random")
        return self.models[folder]

    def make_inputs(self, config, batch):
        """Inputs as in generation: noise, one timestep, a padded prompt or classes."""
        generator = torch.Generator().manual_seed(0)

        def noise(*shape):
            return torch.randn(shape, generator=generator)

        if config["_class_name"] == "PromptEncoder":
            length = config["max_position_embeddings"]
            ids = torch.randint(1, config["vocab_size"], (batch, length), generator=generator)
            return {"input_ids": ids.masked_fill(torch.arange(length) >= 6, 0)}
        if config["_class_name"] == "DigitClassifier":
            return {"pixel_values": noise(batch, config["in_channels"], 28, 28)}
        side = config["sample_size"]
        sample = noise(batch, config["in_channels"], side, side)
        if self.channels_last:
            sample = sample.contiguous(memory_format=torch.channels_last)
        inputs = {"sample": sample, "timestep": torch.full((batch,), 500.0)}
        if config.get("num_class_embeds") is not None:
            inputs["class_labels"] = torch.arange(batch) % config["num_class_embeds"]
        if (size := config.get("cross_attention_dim")) is not None:
            inputs["encoder_hidden_states"] = noise(batch, PROMPT_LENGTH, size)
            inputs["encoder_attention_mask"] = (torch.arange(PROMPT_LENGTH) < 6).expand(batch, -1)
            inputs["pooled_projections"] = noise(batch, size)
        return inputs

    @torch.inference_mode()
    def run(self, folder, batch, repeats):
        """Seconds of each of `repeats` evaluations."""
        model, config, weights = self.model(folder)
        if (folder, batch) not in self.inputs:
            self.inputs[folder, batch] = self.make_inputs(config, batch)
            for _ in range(WARM_UP):
                model(**self.inputs[folder, batch])
        inputs, seconds = self.inputs[folder, batch], []
        for _ in range(repeats):
            start = time.perf_counter()
            model(**inputs)
            seconds.append(time.perf_counter() - start)
        return self.report(seconds, config, batch, weights)

    def report(self, seconds, config, batch, weights):
        return {
            "seconds": seconds, "class": config["_class_name"], "batch": batch, "weights": weights, "threads": torch.get_num_threads(),
            "peer": f"torch {torch.__version__.split('+')[0]} eager{' channels-last' if self.channels_last else ''}"}

    @torch.inference_mode()
    def sample(self, folder, steps, branches, repeats):
        """Seconds of each of `repeats` loops of DDIM for one picture, from noise to the clean prediction; conditions are given."""
        model, config, weights = self.model(folder)
        self.run(folder, branches, 1)
        inputs = dict(self.inputs[folder, branches])
        # The cosine schedule; what it is makes no difference to the time.
        alphas = torch.cos(torch.linspace(0.02, 0.98, steps + 1).flip(0) * torch.pi / 2)
        sigmas = (1 - alphas**2).sqrt()
        noise, seconds = inputs["sample"][:1].clone(), []
        for _ in range(repeats):
            start = time.perf_counter()
            state = noise
            for step in range(steps):
                inputs["sample"] = state.expand(branches, -1, -1, -1).contiguous()
                inputs["timestep"] = torch.full((branches,), 999.0 * (1 - step / steps))
                output = model(**inputs)
                output = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)
                # What networks predict differs; as x0 it costs what the others cost.
                denoised = output[:1] if branches == 1 else output[1:] + 2.0 * (output[:1] - output[1:])
                denoised = denoised.clamp(-1, 1)
                ratio = sigmas[step + 1] / sigmas[step]
                state = ratio * state + (alphas[step + 1] - ratio * alphas[step]) * denoised
            seconds.append(time.perf_counter() - start)
        return self.report(seconds, config, branches, weights)


def answer(peer, line):
    """The reply to one request."""
    try:
        command, rest = line.split(maxsplit=1)
        if command == "sample":
            folder, *numbers = rest.rsplit(maxsplit=3)
            steps, branches, repeats = (int(number) for number in numbers)
            if steps < 1 or branches not in (1, 2) or repeats < 1:
                raise ValueError("steps and repeats must be at least 1, branches 1 or 2")
            return peer.sample(folder, steps, branches, repeats)
        if command != "run":
            raise ValueError(f"unknown command '{command}'; known: run, sample, quit")
        folder, batch, repeats = rest.rsplit(maxsplit=2)
        if int(batch) < 1 or int(repeats) < 1:
            raise ValueError("batch and repeats must be at least 1")
        return peer.run(folder, int(batch), int(repeats))
    except Exception as error:  # Whatever it is, the other side must hear of it.
        return {"error": f"{type(error).__name__}: {error}"}


def serve(peer):
    for line in sys.stdin:
        line = line.strip()
        if line == "quit":
            return
        if line:
            print(json.dumps(answer(peer, line)), flush=True)


def once(peer, folders):
    for folder in folders:
        for batch, repeats in ((1, 20), (16, 6)):
            result = peer.run(folder, batch, repeats)
            times = [1000 * value for value in result["seconds"]]
            print(f"{result['class']:20s} batch {batch:2d}  median {statistics.median(times):8.2f} ms  min {min(times):8.2f}  "
                  f"max {max(times):8.2f}  ({result['peer']}, {result['threads']} threads, weights: {result['weights']})  {folder}")


def main():
    parser = argparse.ArgumentParser(description="The eager PyTorch peer of the benchmark.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true", help="run convolutions in channels-last layout")
    parser.add_argument("--once", nargs="+", metavar="FOLDER", help="print a table for these component folders and end")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    peer = Peer(arguments.channels_last)
    if arguments.once:
        once(peer, arguments.once)
    else:
        serve(peer)


if __name__ == "__main__":
    main()
