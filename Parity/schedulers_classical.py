"""Goldens of the classical solvers and of more grids, for Tests/QuickstepDiffusionTests: PNDM, LMS, DPM2, DDPM, LCM, TCD, flow-matching Heun
and stochastic Euler by diffusers' schedulers, samplers with added noise by k-diffusion's functions, and the spacings of other tools.

    python Parity/schedulers_classical.py [output.json]

As schedulers.py, whose network, noises and doubled precision it uses: `end` is computed in float64, `end32` by the library as shipped. Every
case names our solver and our grid in words; the Swift tests look them up. ComfyUI is no package: its spacings are written down here from its
published formulas.
"""
import importlib.util
import json
import platform
import sys
import types
from pathlib import Path

import diffusers
import numpy
import scipy.stats
import torch

from schedulers import BETAS, INITIAL, NOISES, STEPS, model, native, scheduler

VP = dict(schedule="scaled-linear")


def run(s, plan, prediction, space, steps, noise=0, **extra):
    """States after the middle and the last step; plan holds the number of calls of every step."""
    s.set_timesteps(steps)
    x = torch.tensor(INITIAL, dtype=torch.float64).reshape(1, -1)
    sigmas = getattr(s, "sigmas", None)
    if space == "sigma":
        x = x * (float(sigmas[0]) ** 2 + 1) ** 0.5
    ends = numpy.cumsum(plan).tolist()
    assert ends[-1] == len(s.timesteps), (ends, len(s.timesteps))
    middle = None
    for i, t in enumerate(s.timesteps):
        shown = s.scale_model_input(x, t) if hasattr(s, "scale_model_input") else x
        x = s.step(model(shown, float(t), prediction), t, x, **extra).prev_sample
        if i + 1 == ends[len(plan) // 2 - 1]:
            middle = native(x, float(sigmas[i + 1]) if sigmas is not None else 0.0, space)
    return middle.double().flatten().tolist(), x.double().flatten().tolist()


def case(cases, module, name, options, prediction, space, solver, grid, plan, steps, **extra):
    def made(double):
        s = scheduler(module, name, double, **options)
        drawn = iter(NOISES)
        code = sys.modules[f"diffusers.schedulers.{module}"]
        if double:
            code.torch.randn_like = lambda x: torch.tensor(next(drawn), dtype=torch.float64).reshape(x.shape)
        elif options.get("stochastic_sampling"):
            code.torch = types.SimpleNamespace(**{**vars(torch), "randn_like": lambda x: torch.tensor(next(drawn)).reshape(x.shape)})
        return s

    middle, end = run(made(True), plan, prediction, space, steps, **extra)
    _, end32 = run(made(False), plan, prediction, space, steps, **extra)
    cases.append(dict(solver=solver, scheduler=name, spacing="", grid=grid, prediction=prediction, steps=steps, eta=0, mid=middle, end=end,
                      end32=end32))


def vp(cases):
    for steps in STEPS + [8]:
        ones = [1] * steps
        for spacing, grid in [("leading", "leading offset=1 final=smallest"), ("trailing", "trailing final=smallest")]:
            for prediction, averages in [("epsilon", ""), ("v_prediction", " averages=v")]:
                options = dict(BETAS, prediction_type=prediction, timestep_spacing=spacing, steps_offset=int(spacing == "leading"))
                case(cases, "scheduling_pndm", "PNDMScheduler", dict(options, skip_prk_steps=True), prediction, "native",
                     "pndm start=improved-euler" + averages, grid, [2] + ones[1:], steps)
                case(cases, "scheduling_pndm", "PNDMScheduler", options, prediction, "native", "pndm half-steps=cut" + averages, grid,
                     [4] * 3 + ones[3:], steps)
            if spacing == "leading":
                options = dict(BETAS, steps_offset=1, skip_prk_steps=True, set_alpha_to_one=True)
                case(cases, "scheduling_pndm", "PNDMScheduler", options, "epsilon", "native", "pndm start=improved-euler",
                     "leading offset=1", [2] + ones[1:], steps)
    for steps in STEPS:
        ones, twos = [1] * steps, [2] * (steps - 1) + [1]
        for prediction in ["epsilon", "v_prediction", "sample"]:
            for spacing in ["linspace", "leading", "trailing", "karras", "exponential", "beta"]:
                options = dict(BETAS, prediction_type=prediction)
                if spacing in ["karras", "exponential", "beta"]:
                    options[f"use_{spacing}_sigmas"] = True
                else:
                    options["timestep_spacing"] = spacing
                orders = [1, 2, 3, 4] if spacing in ["linspace", "karras"] else [4]
                for order in orders if prediction != "sample" else [4]:
                    case(cases, "scheduling_lms_discrete", "LMSDiscreteScheduler", options, prediction, "sigma", f"lms order={order}",
                         spacing, ones, steps, order=order)
                if prediction == "sample":
                    continue
                rounded = spacing + (" timestep=round" if spacing == "karras" else "")
                case(cases, "scheduling_k_dpm_2_discrete", "KDPM2DiscreteScheduler", options, prediction, "sigma", "dpm2", rounded, twos,
                     steps)
                case(cases, "scheduling_k_dpm_2_ancestral_discrete", "KDPM2AncestralDiscreteScheduler", options, prediction, "sigma",
                     "dpm2-ancestral", rounded, twos, steps)
            for variance in ["fixed_small", "fixed_small_log", "fixed_large"]:
                options = dict(BETAS, prediction_type=prediction, variance_type=variance, clip_sample=False)
                words = "fixed-large" if variance == "fixed_large" else "fixed-small"
                case(cases, "scheduling_ddpm", "DDPMScheduler", options, prediction, "native", f"ddpm variance={words}", "leading", ones,
                     steps)
            options = dict(BETAS, prediction_type=prediction, clip_sample=False)
            case(cases, "scheduling_ddpm", "DDPMScheduler", dict(options, timestep_spacing="trailing"), prediction, "native", "ddpm",
                 "trailing", ones, steps)
            case(cases, "scheduling_ddpm", "DDPMScheduler", dict(options, timestep_spacing="linspace"), prediction, "native", "ddpm",
                 "linspace round=true", ones, steps)
            case(cases, "scheduling_lcm", "LCMScheduler", options, prediction, "native", "lcm", "lcm", ones, steps)
            for gamma in [0.0, 0.3, 1.0]:
                case(cases, "scheduling_tcd", "TCDScheduler", options, prediction, "native", f"tcd gamma={gamma}", "lcm final=smallest",
                     ones, steps, eta=gamma)


def flow(cases):
    for steps in STEPS:
        for shift in [1.0, 3.0]:
            case(cases, "scheduling_flow_match_heun_discrete", "FlowMatchHeunDiscreteScheduler", dict(shift=shift), "flow", "native", "heun",
                 f"flow-{shift:g} linspace", [2] * (steps - 1) + [1], steps)
            case(cases, "scheduling_flow_match_euler_discrete", "FlowMatchEulerDiscreteScheduler",
                 dict(shift=shift, stochastic_sampling=True), "flow", "native", "lcm timestep-scaling=0", f"flow-{shift:g} linspace",
                 [1] * steps, steps)


def k_diffusion():
    """Its file of samplers alone: the package's other parts need much that the samplers do not."""
    folder = Path(importlib.util.find_spec("k_diffusion").origin).parent
    for name in ["torchdiffeq", "torchsde"]:
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchdiffeq"].odeint = None
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(folder)]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, count: x[(...,) + (None,) * (count - x.ndim)]
    package.utils = utils
    sys.modules.update({"k_diffusion": package, "k_diffusion.utils": utils})
    return importlib.import_module("k_diffusion.sampling")


def churned(cases):
    """Runs of k-diffusion's functions in its own variables. Noise is added at the noisy end alone or everywhere, so that the i-th step takes
    the i-th noise."""
    code = k_diffusion()
    torch.set_default_dtype(torch.float64)
    for steps in STEPS:
        for spacing, flag in [("trailing", dict(timestep_spacing="trailing")), ("karras", dict(use_karras_sigmas=True))]:
            s = scheduler("scheduling_euler_discrete", "EulerDiscreteScheduler", True, **BETAS, **flag)
            s.set_timesteps(steps)
            logs = torch.tensor(numpy.log(((1 - s.alphas_cumprod) / s.alphas_cumprod) ** 0.5))

            def denoise(x, sigma):
                sigma = float(sigma.flatten()[0])
                t = numpy.interp(numpy.log(sigma), logs.numpy(), numpy.arange(len(logs)))
                return x - sigma * model(x / (sigma * sigma + 1) ** 0.5, float(t), "epsilon")

            runs = [(function, ours, dict(s_churn=churn, s_tmin=low, s_noise=scale))
                    for function, ours in [("sample_euler", "euler"), ("sample_heun", "heun"), ("sample_dpm_2", "dpm2")]
                    for churn, low, scale in [(5.0, 0.0, 1.0), (40.0, 0.8, 1.003)]]
            runs += [("sample_dpm_2_ancestral", "dpm2-ancestral", dict(eta=0.5, s_noise=1.1)),
                     ("sample_euler_ancestral", "euler-ancestral", dict(eta=0.5, s_noise=1.1)), ("sample_lms", "lms", {})]
            for function, ours, options in runs:
                drawn = iter(NOISES)
                code.torch.randn_like = lambda x: torch.tensor(next(drawn)).reshape(x.shape)
                start = torch.tensor(INITIAL).reshape(1, -1) * (float(s.sigmas[0]) ** 2 + 1) ** 0.5
                end = getattr(code, function)(denoise, start, s.sigmas, disable=True, **options).flatten().tolist()
                words = "".join(f" {key.replace('_', '-')}={value}" for key, value in options.items())
                cases.append(dict(solver=ours + words, scheduler="k-diffusion", spacing="", grid=spacing, prediction="epsilon", steps=steps,
                                  eta=0, mid=[], end=end, end32=end))


def grids(entries):
    """Sigmas of other tools' spacings on the scaled-linear schedule."""
    s = scheduler("scheduling_euler_discrete", "EulerDiscreteScheduler", True, **BETAS)
    bars = s.alphas_cumprod.numpy()
    table = ((1 - bars) / bars) ** 0.5
    count, low, high = len(table), table[0], table[-1]
    at = lambda t: float(numpy.exp(numpy.interp(t, numpy.arange(count), numpy.log(table))))
    known = {
        "sd15": [14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016,
                 0.3977456272, 0.1515232662, 0.0291671582],
        "sdxl": [14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708,
                 0.2332364134, 0.1114188177, 0.0291671582],
    }

    def quadratic(n, threshold=0.025):
        # Mochi's schedule: a straight part, then a parabola that meets it with its own slope and ends at 1.
        straight = n // 2
        rest = n - straight
        gap = straight - threshold * n
        a = gap / (straight * rest**2)
        b = threshold / straight - 2 * gap / rest**2
        up = [i * threshold / straight for i in range(straight)] + [a * i * i + b * i + a * straight**2 for i in range(straight, n)]
        return [(1 - u) * high for u in up] + [0.0]

    for n in STEPS + [7, 30]:
        aligned = lambda levels: numpy.exp(numpy.interp(numpy.linspace(0, 1, n + 1), numpy.linspace(0, 1, 11), numpy.log(levels)))
        spaced = {
            "simple": [table[-(1 + int(x * (count / n)))] for x in range(n)] + [0],
            "normal": [at(t) for t in numpy.linspace(count - 1, 0, n)] + [0],
            "sgm_uniform": [at(t) for t in numpy.linspace(count - 1, 0, n + 1)[:-1]] + [0],
            "kl_optimal": [float(numpy.tan(i / (n - 1) * numpy.arctan(low) + (1 - i / (n - 1)) * numpy.arctan(high))) for i in range(n)] + [0],
            "linear_quadratic": quadratic(n),
            "beta of=time": [table[int(t)] for t in numpy.rint(scipy.stats.beta.ppf(1 - numpy.linspace(0, 1, n, endpoint=False), 0.6, 0.6)
                                                               * (count - 1))] + [0],
            "polyexponential rho=2": [float(numpy.exp((1 - i / (n - 1)) ** 2 * numpy.log(high / low) + numpy.log(low))) for i in range(n)] + [0],
        }
        if count % n == 0:
            spaced["ddim_uniform"] = [table[x] for x in range(1, count, count // n)][::-1] + [0]
        for name, levels in known.items():
            spaced[f"ays model={name}"] = aligned(levels).tolist()[:-1] + [0]
        spaced["ays model=svd"] = aligned([700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002]).tolist()[:-1] + [0]
        for grid, sigmas in spaced.items():
            entries.append(dict(scheduler="ComfyUI", spacing="", grid=grid, steps=n, timesteps=[], sigmas=[float(x) for x in sigmas]))
        beta = scheduler("scheduling_euler_discrete", "EulerDiscreteScheduler", True, use_beta_sigmas=True, **BETAS)
        lu = scheduler("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", True, use_lu_lambdas=True, **BETAS)
        consistency = scheduler("scheduling_lcm", "LCMScheduler", True)
        for grid, s in [("beta", beta), ("lu", lu), ("lcm", consistency)]:
            s.set_timesteps(n)
            entries.append(dict(scheduler=type(s).__name__, spacing="", grid=grid, steps=n, timesteps=s.timesteps.tolist(),
                                sigmas=s.sigmas.tolist() if hasattr(s, "sigmas") else None))


def restoration():
    """HIR-Diff's exponential schedule, as its code computes it."""
    out = {}
    for rate in [5, 8]:
        level = 1 - numpy.exp(-rate * (1000 - numpy.arange(1001)) / 1000)
        level = (level - level.min()) / (level.max() - level.min()) * (1 - 1e-3) + 1e-3
        out[str(rate)] = level[1:][[0, 1, 10, 250, 500, 750, 998, 999]].tolist()
    return out


def main():
    cases, entries = [], []
    vp(cases)
    flow(cases)
    churned(cases)
    grids(entries)
    golden = dict(
        versions=dict(diffusers=diffusers.__version__, torch=torch.__version__, numpy=numpy.__version__, python=platform.python_version()),
        initial=INITIAL, noises=NOISES, alphas_cumprod=restoration(), grids=entries, cases=cases, thresholded=[])
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/schedulers-classical.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(cases)} trajectories, {len(entries)} grids, {target.stat().st_size} bytes, {golden['versions']}")


if __name__ == "__main__":
    main()
