"""A golden of the estimation of DPM-Solver-v3's statistics, for Tests/QuickstepDiffusionTests.

    python Parity/statistics_formulas.py [output.safetensors]

The authors publish the solver and finished statistics, and no program that estimates them. So this is the definition (Zheng et al. 2023, arXiv
2310.13268, section 3.2 and appendix C.1.1) carried out by automatic differentiation in float64, with nothing approximated but the mean over runs: a
mixture of normals in three dimensions, whose score is known, along runs of its probability-flow ODE.

    l = E[sigma * diag(d eps / dx)]
    f = (sigma * eps - l * x) / alpha
    s, b: per dimension least squares of df/dlambda, the derivative along the run, by s * f + b

Keys: `lambda` [G], `states` [G, K, 3] of K runs, `l`, `s`, `b` [G, 3]; the mixture is in the metadata.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.func import jacrev, jvp, vmap

torch.set_default_dtype(torch.float64)
LEVELS, RUNS, SUBSTEPS = 41, 48, 8
WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
MEANS = torch.tensor([[0.9, -0.6, 0.2], [-1.1, 0.4, 0.8], [0.1, 1.0, -1.2]])
DEVIATIONS = torch.tensor([[0.45, 0.3, 0.5], [0.35, 0.5, 0.4], [0.5, 0.4, 0.3]])
DEFAULT = Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/statistics.safetensors"


def alpha_sigma(lam):
    return torch.sigmoid(2 * lam).sqrt(), torch.sigmoid(-2 * lam).sqrt()


def denoised(x, lam):
    """E[x0 | x] of one state `[3]`."""
    a, s = alpha_sigma(lam)
    variance = a * a * DEVIATIONS ** 2 + s * s
    logits = WEIGHTS.log() - (((x - a * MEANS) ** 2 / variance + variance.log()) / 2).sum(1)
    parts = (a * DEVIATIONS ** 2 * x + s * s * MEANS) / variance
    return (torch.softmax(logits, 0)[:, None] * parts).sum(0)


def noise(x, lam):
    a, s = alpha_sigma(lam)
    return (x - a * denoised(x, lam)) / s


def velocity(x, lam):
    """dx/dlambda of the probability-flow ODE: x/sigma moves by e^lambda times x0, and dlog(sigma)/dlambda is -alpha^2."""
    a, s = alpha_sigma(lam)
    return -a * a * x + a * denoised(x, lam)


def states(lambdas):
    generator = torch.Generator().manual_seed(20)
    # Beginning at samples of the marginal, all later states are such samples as well.
    a, s = alpha_sigma(lambdas[0])
    part = torch.multinomial(WEIGHTS, RUNS, replacement=True, generator=generator)
    clean = MEANS[part] + DEVIATIONS[part] * torch.randn(RUNS, 3, generator=generator)
    x = a * clean + s * torch.randn(RUNS, 3, generator=generator)
    move = vmap(velocity, (0, None))
    result = [x]
    for start, end in zip(lambdas, lambdas[1:]):
        h = (end - start) / SUBSTEPS
        for i in range(SUBSTEPS):
            lam = start + i * h
            k1 = move(x, lam)
            k2 = move(x + h / 2 * k1, lam + h / 2)
            k3 = move(x + h / 2 * k2, lam + h / 2)
            k4 = move(x + h * k3, lam + h)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        result.append(x)
    return torch.stack(result)


def mean_slope(x, lam):
    """l for the runs' states `[K, 3]`."""
    _, s = alpha_sigma(lam)
    return (s * torch.diagonal(vmap(jacrev(noise), (0, None))(x, lam), dim1=1, dim2=2)).mean(0)


def statistics(x, lam):
    move = vmap(velocity, (0, None))(x, lam)
    one = torch.ones_like(lam)
    # All runs move at once: l is the same function of the level for all of them, and its derivative is that of the mean.
    l, change_of_l = jvp(mean_slope, (x, lam), (move, one))

    def rest(x, lam, l):
        a, s = alpha_sigma(lam)
        return (s * vmap(noise, (0, None))(x, lam) - l * x) / a

    f, change = jvp(rest, (x, lam, l), (move, one, change_of_l))
    mean_f, mean_change = f.mean(0), change.mean(0)
    slope = ((f * change).mean(0) - mean_f * mean_change) / ((f * f).mean(0) - mean_f ** 2)
    return l, slope, mean_change - slope * mean_f


def main():
    torch.set_num_threads(1)
    lambdas = torch.linspace(-3, 3, LEVELS)
    runs = states(lambdas)
    l, s, b = (torch.stack(parts) for parts in zip(*(statistics(x, lam) for x, lam in zip(runs, lambdas))))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    mixture = dict(weights=WEIGHTS.tolist(), means=MEANS.tolist(), deviations=DEVIATIONS.tolist())
    save_file({"lambda": lambdas, "states": runs, "l": l, "s": s, "b": b}, path, metadata={
        "script": "Parity/statistics_formulas.py", "mixture": json.dumps(mixture)})
    print(path.name, path.stat().st_size, "bytes; l in", l.min().item(), l.max().item(), "s in", s.min().item(), s.max().item(),
          "b in", b.min().item(), b.max().item())


if __name__ == "__main__":
    sys.exit(main())
