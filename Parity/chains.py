"""Golden of Langevin-Gibbs chains and of the integrators that denoise their states, computed in float64.

    python Parity/chains.py FOLDER

FOLDER holds a copy of "Sampling Demo.ipynb" of github.com/1202kbs/DMCMC at 370faba (not part of this repository). Its functions get_sigma,
karras_alg1 and karras_alg2 are run as they are; the steps of the chain, which stand in a loop of its last cell but one, are written anew here.
The score is that of the closed-form data below, elementwise; the noise predictor is a closed form as well. Every normal number that was drawn
is in the golden. Writes Tests/QuickstepDiffusionTests/Fixtures/chains.json.
"""
import json
import sys
from pathlib import Path

import numpy
import torch

torch.set_default_dtype(torch.float64)
SIGMA_MAX, CHAINS, NODES, ETA, SKIP, OUTPUTS, TWEEDIE = 50.0, 5, 8, 0.8, 6, 2, 1e-2
PARTS = [(0.35, -0.4, 0.2), (0.65, 0.5, 0.15)]


def functions(folder):
    cells = json.loads((Path(folder) / "Sampling Demo.ipynb").read_text())["cells"]
    scope = dict(torch=torch, np=numpy)
    for cell in cells:
        text = "".join(cell["source"])
        for name in ["get_sigma", "karras_alg1", "karras_alg2"]:
            start = text.find(f"def {name}(")
            if start < 0:
                continue
            lines = text[start:].split("\n")
            end = next((i for i, line in enumerate(lines[1:], 1) if line and not line[0].isspace()), len(lines))
            exec("\n".join(lines[:end]), scope)
    return scope


def score(x, sigma):
    sigma = sigma.reshape(-1, 1, 1, 1).double()
    logs, means = [], []
    for weight, mean, deviation in PARTS:
        variance = deviation ** 2 + sigma ** 2
        logs.append(numpy.log(weight) - (x - mean) ** 2 / (2 * variance) - variance.log() / 2)
        means.append((mean - x) / variance)
    shares = torch.stack(logs).softmax(0)
    return (shares * torch.stack(means)).sum(0)


# The notebook calls eval() on the network.
score.eval = lambda: None


def predicted(x, grid):
    """Most probable class for a sample of this mean square, were it data of variance 0.25 and noise."""
    level = ((x ** 2).mean((1, 2, 3)) - 0.25).clamp(min=0.01).sqrt()
    return (-(grid.log()[None] - level.log()[:, None]) ** 2).argmax(1)


class Recorder:
    """torch.randn_like that keeps what it gave."""

    def __init__(self):
        self.generator, self.given = torch.Generator().manual_seed(7), []

    def __call__(self, x):
        self.given.append(torch.randn(x.shape, generator=self.generator))
        return self.given[-1]

    def taken(self):
        taken, self.given = self.given, []
        return [noise.flatten().tolist() for noise in taken]


def main(folder):
    scope = functions(folder)
    recorder = torch.randn_like = Recorder()
    grid = scope["get_sigma"](torch.arange(1000), SIGMA_MAX)
    sigma_of = lambda x: scope["get_sigma"](predicted(x, grid), SIGMA_MAX)
    x = 0.8 * recorder(torch.empty(CHAINS, 1, 2, 3)) * torch.tensor([0.7, 1.0, 1.6, 0.8, 1.2]).reshape(-1, 1, 1, 1)
    recorder.taken()
    s = sigma_of(x)
    golden = dict(chains=CHAINS, nodes=NODES, eta=ETA, skip=SKIP, tweedie=TWEEDIE, sigma_max=SIGMA_MAX, parts=PARTS, shape=list(x.shape),
                  initial=x.flatten().tolist(), initial_sigmas=s.tolist(), outputs=[])
    for _ in range(OUTPUTS):
        quiet, least, steps = x.clone(), s.clone(), []
        for _ in range(SKIP):
            x = x + 0.5 * ETA * score(x, s) + ETA ** 0.5 * recorder(x)
            s = sigma_of(x)
            steps.append(dict(state=x.flatten().tolist(), sigmas=s.tolist()))
            better = s < least
            quiet = torch.where(better.reshape(-1, 1, 1, 1), x, quiet)
            least = torch.where(better, s, least)
        output = dict(steps=steps, noises=recorder.taken(), quiet=quiet.flatten().tolist(), least=least.tolist())
        for name in ["karras_alg1", "karras_alg2"]:
            end, calls = scope[name](score, quiet, least, NODES)
            end = end + TWEEDIE ** 2 * score(end, TWEEDIE * torch.ones(CHAINS))
            output[name] = dict(end=end.flatten().tolist(), evaluations=calls, noises=recorder.taken())
        golden["outputs"].append(output)
    golden["versions"] = dict(torch=torch.__version__)
    target = Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/chains.json"
    target.write_text(json.dumps(golden) + "\n")
    print(target, "sigmas", [round(v, 3) for v in golden["outputs"][-1]["least"]])


if __name__ == "__main__":
    main(sys.argv[1])
