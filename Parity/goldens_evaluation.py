"""Goldens of the metrics, for Tests/QuickstepEvaluationTests.

    python Parity/goldens_evaluation.py

PSNR and SSIM come from scikit-image, the Fréchet distance from scipy's matrix square root (in float64, after the formula) and, where there
are fewer samples than features, from the singular values of the product of the centred samples, a road without any covariance. The
confidence interval comes from scipy.stats.bootstrap, whose random numbers are not ours: equal up to the noise of resampling.
"""
from pathlib import Path

import numpy
import scipy
import skimage
from safetensors.numpy import save_file
from scipy.linalg import sqrtm
from scipy.stats import bootstrap
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

FIXTURES = Path(__file__).resolve().parent.parent / "Tests" / "QuickstepEvaluationTests" / "Fixtures"
random = numpy.random.default_rng(7)


def pictures(count, channels, height, width):
    """Smooth pictures with some structure, in −1…1, and disturbed copies, each by another amount."""
    y, x = numpy.mgrid[0:height, 0:width]
    clean, disturbed = [], []
    for index in range(count):
        planes = [numpy.sin((0.2 + 0.1 * index) * x + channel) * numpy.cos(0.15 * y - 0.4 * channel) for channel in range(channels)]
        picture = numpy.stack(planes)
        clean.append(picture)
        disturbed.append((picture + 0.15 * (index + 1) * random.standard_normal(picture.shape)).clip(-1, 1))
    return numpy.stack(clean), numpy.stack(disturbed)


def similarity(first, second, data_range):
    return structural_similarity(
        first, second, data_range=data_range, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)


def image_metrics(out):
    colour = pictures(3, 3, 19, 23)
    grey = pictures(2, 1, 11, 16)
    for name, (first, second), data_range in [("colour", colour, 2.0), ("grey", [127.5 * x + 127.5 for x in grey], 255.0)]:
        out[f"{name}.first"], out[f"{name}.second"] = first, second
        pairs = list(zip(first, second))
        out[f"{name}.psnr"] = numpy.array([peak_signal_noise_ratio(a, b, data_range=data_range) for a, b in pairs])
        out[f"{name}.ssim"] = numpy.array([similarity(a, b, data_range) for a, b in pairs])


def frechet(out):
    def moments(x):
        return x.mean(0), numpy.cov(x, rowvar=False)

    mixing = random.standard_normal((8, 8))
    first = random.standard_normal((60, 8)) @ mixing
    second = random.standard_normal((45, 8)) @ (mixing + 0.5 * random.standard_normal((8, 8))) + 0.3
    (m1, s1), (m2, s2) = moments(first), moments(second)
    out["frechet.first"], out["frechet.second"] = first, second
    out["frechet.value"] = numpy.array([((m1 - m2) ** 2).sum() + numpy.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)])

    few_first, few_second = random.standard_normal((5, 12)), 1.5 * random.standard_normal((7, 12)) - 0.2
    (m1, s1), (m2, s2) = moments(few_first), moments(few_second)
    a = (few_first - m1) / numpy.sqrt(len(few_first) - 1)
    b = (few_second - m2) / numpy.sqrt(len(few_second) - 1)
    overlap = numpy.linalg.svd(a @ b.T, compute_uv=False).sum()
    out["few.first"], out["few.second"] = few_first, few_second
    out["few.value"] = numpy.array([((m1 - m2) ** 2).sum() + numpy.trace(s1) + numpy.trace(s2) - 2 * overlap])


def interval(out):
    values = random.gamma(2.0, size=80)
    result = bootstrap(
        (values,), numpy.mean, n_resamples=50_000, confidence_level=0.9, method="percentile", rng=numpy.random.default_rng(3))
    out["bootstrap.values"] = values
    out["bootstrap.interval"] = numpy.array(result.confidence_interval)


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    out = {}
    image_metrics(out)
    frechet(out)
    interval(out)
    arrays = {name: numpy.ascontiguousarray(value, dtype=numpy.float64) for name, value in out.items()}
    versions = f"numpy {numpy.__version__}, scipy {scipy.__version__}, scikit-image {skimage.__version__}"
    save_file(arrays, FIXTURES / "metrics.safetensors", metadata={"versions": versions})


if __name__ == "__main__":
    main()
