"""Goldens of diffusers' schedulers: grids and trajectories of a closed-form model, for Tests/QuickstepDiffusionTests.

    python Parity/schedulers.py [output.json]

Every trajectory is run twice: with diffusers as shipped (its tables and arithmetic are float32, field `end32`), and with its own code
computing in float64, by giving its modules a `torch` and a `numpy` whose float32 is float64 (fields `mid`, `end`). The second kind is what
a Double implementation must equal almost to the last bit; the first says how far float32 takes the same formulas.

The "network" is a function of (input, timestep) only, as a real one: the posterior mean of the mixture ½N(−1, s²) + ½N(+1, s²) under a
smooth schedule close to the scheduler's own.
"""
import importlib
import json
import math
import platform
import sys
from pathlib import Path

import diffusers
import numpy
import torch

STEPS = [4, 10, 20, 50]
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
INITIAL = [1.7, -0.9, 0.35, -1.45, 0.05, 2.2]
NOISES = numpy.random.default_rng(0).standard_normal((max(STEPS), len(INITIAL))).round(6).tolist()


class Double:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, "float64" if name == "float32" else name)


def scheduler(module, name, double, **options):
    code = importlib.import_module(f"diffusers.schedulers.{module}")
    code.torch, code.np = (Double(torch), Double(numpy)) if double else (torch, numpy)
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    drawn = iter(NOISES)
    code.randn_tensor = lambda shape, **_: torch.tensor(next(drawn), dtype=torch.float64).reshape(shape)
    return getattr(code, name)(**options)


def model(x, t, prediction):
    """The network's raw output; must equal ClosedFormNetwork in the Swift tests."""
    if prediction == "flow":
        a, s = 1 - t / 1000, t / 1000
    else:
        start, slope, u = math.sqrt(0.00085), (math.sqrt(0.012) - math.sqrt(0.00085)) / 999, t + 1
        bar = math.exp(-(start * start * u + start * slope * u * u + slope * slope * u**3 / 3))
        a, s = math.sqrt(bar), math.sqrt(1 - bar)
    data = 0.25
    variance = a * a * data + s * s
    x0 = (a * data * x + s * s * torch.tanh(a * x / variance)) / variance
    eps = (x - a * x0) / s
    return {"epsilon": eps, "sample": x0, "v_prediction": a * eps - s * x0, "flow": eps - x0}[prediction]


def native(y, sigma, space):
    """A scheduler's state in x = alpha x0 + sigma eps."""
    return y / (sigma * sigma + 1) ** 0.5 if space == "sigma" else y


def trajectory(s, steps, prediction, space, eta=None, calls=1, set_up=None):
    s.set_timesteps(steps) if set_up is None else set_up(s)
    steps = len(s.timesteps) if calls == 1 else steps
    sigmas = getattr(s, "sigmas", None)
    x = torch.tensor(INITIAL, dtype=torch.float64).reshape(1, -1)
    if space == "sigma":
        x = x * (float(sigmas[0]) ** 2 + 1) ** 0.5
    middle = None
    for i, t in enumerate(s.timesteps):
        shown = s.scale_model_input(x, t) if hasattr(s, "scale_model_input") else x
        output = model(shown, float(t), prediction)
        extra = {}
        if eta is not None:
            extra = dict(eta=eta, variance_noise=torch.tensor(NOISES[i], dtype=torch.float64).reshape(1, -1) if eta > 0 else None)
        x = s.step(output, t, x, **extra).prev_sample
        if i + 1 == calls * (steps // 2):
            middle = native(x, float(sigmas[i + 1]) if sigmas is not None else 0.0, space)
    return middle.double().flatten().tolist(), x.double().flatten().tolist()


def case(cases, grids, module, name, options, spacing, prediction, steps, space, solver, **run):
    double = scheduler(module, name, True, **options)
    middle, end = trajectory(double, steps, prediction, space, **run)
    shipped = scheduler(module, name, False, **options)
    _, end32 = trajectory(shipped, steps, prediction, space, **run)
    grid = f"{name} {spacing} {steps}"
    if grid not in grids:
        calls = run.get("calls", 1)
        timesteps = double.timesteps.tolist()
        sigmas = getattr(double, "sigmas", None)
        entry = dict(scheduler=name, spacing=spacing, steps=steps, timesteps=timesteps[:1] + timesteps[1::calls])
        if sigmas is not None:
            sigmas = sigmas.tolist()
            entry["sigmas"] = sigmas[:1] + sigmas[1:-1:calls] + sigmas[-1:]
        grids[grid] = entry
    cases.append(dict(solver=solver, scheduler=name, spacing=spacing, prediction=prediction, steps=steps,
                      eta=run.get("eta") or 0, mid=middle, end=end, end32=end32))


def vp_cases(cases, grids):
    kinds = ["epsilon", "v_prediction", "sample"]
    for steps in STEPS:
        for prediction in kinds:
            for spacing in ["leading", "trailing"]:
                options = dict(BETAS, prediction_type=prediction, timestep_spacing=spacing, steps_offset=int(spacing == "leading"),
                               clip_sample=False)
                for eta in [0.0, 1.0]:
                    case(cases, grids, "scheduling_ddim", "DDIMScheduler", options, spacing, prediction, steps, "native", "ddim", eta=eta)
            for spacing in ["linspace", "leading", "trailing", "karras", "exponential"]:
                options = dict(BETAS, prediction_type=prediction)
                if spacing in ["karras", "exponential"]:
                    options[f"use_{spacing}_sigmas"] = True
                else:
                    options["timestep_spacing"] = spacing
                case(cases, grids, "scheduling_euler_discrete", "EulerDiscreteScheduler", options, spacing, prediction, steps, "sigma",
                     "euler")
                dpm = [("dpm++-2m", {})] if prediction == "sample" else [
                    ("dpm++-2m", {}), ("dpm++-2m variant=taylor", dict(solver_type="heun")),
                    ("dpm++-2m euler-at-final=true", dict(euler_at_final=True))]
                for solver, more in dpm if spacing in ["linspace", "karras"] else dpm[:1]:
                    case(cases, grids, "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", dict(options, **more), spacing,
                         prediction, steps, "native", solver)
                if spacing in ["linspace", "trailing", "karras"]:
                    case(cases, grids, "scheduling_heun_discrete", "HeunDiscreteScheduler", options, spacing, prediction, steps, "sigma",
                         "heun", calls=2)
                if spacing in ["linspace", "leading", "trailing"] and prediction != "sample":
                    case(cases, grids, "scheduling_euler_ancestral_discrete", "EulerAncestralDiscreteScheduler", options, spacing,
                         prediction, steps, "sigma", "euler-ancestral")
        # Ending on the least trained noise: the multistep order stays 2 to the end in longer runs.
        case(cases, grids, "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler",
             dict(BETAS, timestep_spacing="linspace", final_sigmas_type="sigma_min"), "linspace-smallest", "epsilon", steps, "native",
             "dpm++-2m")


def flow_cases(cases, grids):
    module, name = "scheduling_flow_match_euler_discrete", "FlowMatchEulerDiscreteScheduler"
    for steps in STEPS:
        for shift in [1.0, 3.0]:
            case(cases, grids, module, name, dict(shift=shift), f"flow-linspace-{shift:g}", "flow", steps, "native", "euler")
        flux = lambda s: s.set_timesteps(sigmas=numpy.linspace(1.0, 1 / steps, steps), mu=0.8)
        case(cases, grids, module, name, dict(use_dynamic_shifting=True), "flow-trailing-mu0.8", "flow", steps, "native", "euler",
             set_up=flux)


def tables():
    out = {}
    for name in ["linear", "scaled_linear", "squaredcos_cap_v2"]:
        for zero in [False, True]:
            for double in [False, True]:
                s = scheduler("scheduling_ddim", "DDIMScheduler", double, beta_start=0.00085, beta_end=0.012, beta_schedule=name,
                              rescale_betas_zero_snr=zero)
                key = f"{name}{' zero' if zero else ''}{'' if double else ' float32'}"
                out[key] = s.alphas_cumprod.double()[[0, 1, 10, 250, 500, 750, 998, 999]].tolist()
    for name, module, cls in [("sigmoid", "scheduling_ddpm", "DDPMScheduler"),
                              ("exp", "scheduling_heun_discrete", "HeunDiscreteScheduler")]:
        s = scheduler(module, cls, True, beta_start=0.00085, beta_end=0.012, beta_schedule=name)
        out[name] = s.alphas_cumprod.double()[[0, 1, 10, 250, 500, 750, 998, 999]].tolist()
    return out


def plain_grids(grids):
    """Grids alone: step counts that do not divide 1000, and DDIM's linspace, whose steps diffusers takes to t − 1000//n instead."""
    for steps in [3, 7, 30, 999]:
        for spacing in ["linspace", "leading", "trailing"]:
            for module, name in [("scheduling_ddim", "DDIMScheduler"), ("scheduling_euler_discrete", "EulerDiscreteScheduler"),
                                 ("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler")]:
                if steps == 999 and (name != "EulerDiscreteScheduler" or spacing != "trailing"):
                    continue
                s = scheduler(module, name, True, timestep_spacing=spacing, **BETAS)
                s.set_timesteps(steps)
                entry = dict(scheduler=name, spacing=spacing, steps=steps, timesteps=s.timesteps.tolist())
                if hasattr(s, "sigmas") and steps < 999:
                    entry["sigmas"] = s.sigmas.tolist()
                if spacing == "leading" and name == "DDIMScheduler":
                    entry["spacing"] = "leading-0"
                grids[f"{name} {entry['spacing']} {steps}"] = entry


def main():
    cases, grids = [], {}
    vp_cases(cases, grids)
    flow_cases(cases, grids)
    plain_grids(grids)
    threshold = scheduler("scheduling_ddim", "DDIMScheduler", True, thresholding=True, sample_max_value=1.5)
    sample = torch.linspace(-3, 2, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    golden = dict(
        versions=dict(diffusers=diffusers.__version__, torch=torch.__version__, numpy=numpy.__version__, python=platform.python_version()),
        initial=INITIAL, noises=NOISES, alphas_cumprod=tables(), grids=list(grids.values()), cases=cases,
        thresholded=threshold._threshold_sample(sample).flatten().tolist())
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/schedulers.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(cases)} trajectories, {len(grids)} grids, {target.stat().st_size} bytes, {golden['versions']}")


if __name__ == "__main__":
    main()
