"""Goldens of the metrics that compare pictures over scales and sets, for Tests/QuickstepEvaluationTests.

    python Parity/goldens_metrics.py

MS-SSIM comes from pytorch_msssim and torchmetrics, the kernel distance from torchmetrics' own formula, precision, recall, density and coverage
from the authors' package prdc, tests of paired differences from scipy. Pictures and features are drawn from seeds that the Swift tests draw
from as well, so that the file holds little but results.
"""
from pathlib import Path

import numpy
import prdc
import pytorch_msssim
import scipy
import torch
import torchmetrics
from safetensors.torch import save_file
from scipy.stats import binomtest, permutation_test
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.image.kid import poly_mmd

FIXTURES = Path(__file__).resolve().parent.parent / "Tests" / "QuickstepEvaluationTests" / "Fixtures"


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pictures(height, width, channels=3):
    """Squares of 8 pixels with some noise, in −1…1, and a disturbed copy."""
    coarse = normal(1, 2, channels, -(-height // 8), -(-width // 8)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    clean = torch.tanh(coarse[..., :height, :width] + 0.1 * normal(2, 2, channels, height, width))
    noise = normal(3, 2, channels, height, width) * torch.tensor([0.1, 0.4], dtype=torch.float64).reshape(2, 1, 1, 1)
    return clean, (clean + noise).clamp(-1, 1)


def scales(out):
    for name, size in [("even", (176, 192)), ("odd", (181, 179))]:
        first, second = pictures(*size)
        # The package holds its window in float32.
        window = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
        window = (window / window.sum()).reshape(1, 1, 1, 11).repeat(3, 1, 1, 1)
        out[f"ms-ssim.{name}.pytorch-msssim"] = pytorch_msssim.ms_ssim(first, second, data_range=2, size_average=False, win=window)
        out[f"ms-ssim.{name}.torchmetrics"] = multiscale_structural_similarity_index_measure(
            first, second, data_range=2.0, reduction="none")
    first, second = pictures(64, 72)
    weights = numpy.array([0.0448, 0.2856, 0.3001])
    out["ms-ssim.three.torchmetrics"] = multiscale_structural_similarity_index_measure(
        first, second, data_range=2.0, reduction="none", betas=tuple(weights / weights.sum()))


def sets():
    """40 and 50 points; the second set is shifted and narrower."""
    return normal(5, 40, 7), 0.7 * normal(6, 50, 7) + 0.4


def distances(out):
    first, second = sets()
    out["kernel.40"] = poly_mmd(first, second[:40]).reshape(1)
    for k in (3, 5):
        figures = prdc.compute_prdc(second.numpy(), first.numpy(), nearest_k=k)
        out[f"manifold.{k}"] = torch.tensor([figures[name] for name in ("precision", "recall", "density", "coverage")])


def tests(out):
    baseline, candidate = normal(7, 11).numpy(), (normal(7, 11) + 0.4 * normal(8, 11) - 0.2).numpy()
    loss = baseline - candidate
    exact = permutation_test(
        (loss,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", alternative="greater", n_resamples=numpy.inf, vectorized=True)
    out["paired.permutation"] = torch.tensor([exact.pvalue], dtype=torch.float64)
    out["paired.sign"] = torch.tensor([binomtest(int((loss > 0).sum()), len(loss)).pvalue], dtype=torch.float64)


def main():
    out = {}
    scales(out)
    distances(out)
    tests(out)
    versions = {
        "torch": torch.__version__, "torchmetrics": torchmetrics.__version__, "pytorch-msssim": pytorch_msssim.__version__
        if hasattr(pytorch_msssim, "__version__") else "1.0.0", "prdc": "0.2", "scipy": scipy.__version__}
    save_file(
        {name: value.to(torch.float64).contiguous() for name, value in out.items()}, FIXTURES / "metrics-sets.safetensors",
        metadata={"versions": ", ".join(f"{name} {version}" for name, version in versions.items())})


if __name__ == "__main__":
    main()
