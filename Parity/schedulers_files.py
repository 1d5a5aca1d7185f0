"""Goldens of what scheduler files can ask for besides a solver, for Tests/QuickstepDiffusionTests: EDM's schedulers, DPMSolverSDE, noise in
singlestep steps, times stretched to a terminal one, thresholding and clipping.

    python Parity/schedulers_files.py [output.json]

As schedulers.py, whose network, noises and doubled precision it uses. EDM's network is the same posterior mean inside its preconditioning,
for sigmas of 0.02 to 3. Every case names our solver, grid and correction in words; the Swift tests look them up.
"""
import json
import math
import platform
import sys
import types
from pathlib import Path

import diffusers
import numpy
import torch

from schedulers import BETAS, INITIAL, NOISES, STEPS, model, native, scheduler

EDM = dict(sigma_min=0.02, sigma_max=3.0)


def edm_model(shown, t, prediction):
    """F of x0 = c_skip x + c_out F(c_in x, ln(sigma)/4); must equal ClosedFormNetwork in the Swift tests."""
    sigma, data = math.exp(4 * t), 0.25
    variance = sigma * sigma + data
    x = shown * math.sqrt(variance)
    x0 = (data * x + sigma * sigma * torch.tanh(x / variance)) / variance
    out = sigma * math.sqrt(data) / math.sqrt(variance)
    f = (x0 - data / variance * x) / out
    return f if prediction == "edm" else -f


def run(s, prediction, space, steps, calls, set_up):
    set_up(s)
    drawn = iter(NOISES)
    if hasattr(s, "noise_sampler"):
        s.noise_sampler = lambda *_: torch.tensor(next(drawn), dtype=torch.float64).reshape(1, 1, 1, -1)
    sigmas = getattr(s, "sigmas", None)
    x = torch.tensor(INITIAL, dtype=torch.float64).reshape(1, 1, 1, -1)
    if space == "sigma":
        x = x * (float(sigmas[0]) ** 2 + 1) ** 0.5
    ends = numpy.cumsum(calls).tolist()
    assert ends[-1] == len(s.timesteps), (ends, len(s.timesteps))
    middle = None
    for i, t in enumerate(s.timesteps):
        shown = s.scale_model_input(x, t) if hasattr(s, "scale_model_input") else x
        output = edm_model(shown, float(t), prediction) if prediction.startswith("edm") else model(shown, float(t), prediction)
        x = s.step(output, t, x).prev_sample
        if i + 1 == ends[steps // 2 - 1]:
            middle = native(x, float(sigmas[i + 1]) if sigmas is not None else 0.0, space)
    return middle.double().flatten().tolist(), x.double().flatten().tolist()


def case(cases, module, name, options, prediction, space, solver, grid, steps, calls=None, correction=None, set_up=None):
    set_up = set_up or (lambda s: s.set_timesteps(steps))
    calls = calls or [1] * steps

    def made(double):
        s = scheduler(module, name, double, **options)
        drawn = iter(NOISES)
        code = sys.modules[f"diffusers.schedulers.{module}"]
        code.randn_tensor = lambda shape, **_: torch.tensor(next(drawn), dtype=torch.float64).reshape(shape)
        return s

    middle, end = run(made(True), prediction, space, steps, calls, set_up)
    entry = dict(solver=solver, scheduler=name, spacing="", grid=grid, prediction=prediction, steps=steps, eta=0, mid=middle, end=end)
    if correction:
        entry["correction"] = correction
    cases.append(entry)


def edm(cases):
    for steps in STEPS:
        for spacing in ["karras", "exponential"]:
            for asked, ours in [("epsilon", "edm"), ("v_prediction", "edm_v_prediction")]:
                options = dict(EDM, sigma_schedule=spacing, prediction_type=asked)
                case(cases, "scheduling_edm_euler", "EDMEulerScheduler", options, ours, "native", "euler", f"edm {spacing}", steps)
                module, name = "scheduling_edm_dpmsolver_multistep", "EDMDPMSolverMultistepScheduler"
                for order in [2, 3]:
                    for variant, kind in [("midpoint", "midpoint"), ("taylor", "heun")]:
                        case(cases, module, name, dict(options, solver_order=order, solver_type=kind), ours, "native",
                             f"dpm++-{order}m variant={variant}", f"edm {spacing}", steps)
                case(cases, module, name, dict(options, algorithm_type="sde-dpmsolver++"), ours, "native", "sde-dpm++", f"edm {spacing}", steps)
                case(cases, module, name, dict(options, thresholding=True, sample_max_value=1.2), ours, "native", "dpm++-2m",
                     f"edm {spacing}", steps, correction="dynamic-threshold max=1.2")


def noise(cases):
    sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
    for steps in STEPS:
        for prediction in ["epsilon", "v_prediction"]:
            for spacing in ["linspace", "leading", "trailing", "karras", "exponential"]:
                options = dict(BETAS, prediction_type=prediction)
                if spacing in ["karras", "exponential"]:
                    options[f"use_{spacing}_sigmas"] = True
                else:
                    options["timestep_spacing"] = spacing
                # A last step to clean data has no stage. There are noises for 25 steps of two.
                if steps > 25:
                    continue
                case(cases, "scheduling_dpmsolver_sde", "DPMSolverSDEScheduler", options, prediction, "sigma", "dpm++-sde", spacing, steps,
                     calls=[2] * (steps - 1) + [1])
            for order in [2, 3]:
                # The third-order step of kind heun has a term that does not vanish in small steps, and is not copied.
                for variant, kind in [("midpoint", "midpoint"), ("taylor", "heun")][:4 - order]:
                    options = dict(BETAS, prediction_type=prediction, solver_order=order, algorithm_type="sde-dpmsolver++", solver_type=kind,
                                   lower_order_final=True)
                    case(cases, "scheduling_dpmsolver_singlestep", "DPMSolverSinglestepScheduler", options, prediction, "native",
                         f"dpm++-{order}s stages=grid blocks=lowered eta=1 variant={variant}", "linspace round=true skip-last=true", steps)


def flow(cases):
    for steps in STEPS:
        for terminal in [0.02, 0.1]:
            case(cases, "scheduling_flow_match_euler_discrete", "FlowMatchEulerDiscreteScheduler", dict(shift=3.0, shift_terminal=terminal),
                 "flow", "native", "euler", f"flow-3 linspace terminal={terminal}", steps)


def corrected(cases):
    threshold, words = dict(thresholding=True, sample_max_value=1.2, dynamic_thresholding_ratio=0.9), "dynamic-threshold max=1.2 ratio=0.9"
    for steps in STEPS:
        for prediction in ["epsilon", "v_prediction", "sample"]:
            options = dict(BETAS, prediction_type=prediction)
            shared = "linspace round=true skip-last=true"
            for algorithm, ours in [("dpmsolver++", "dpm++-2m"), ("dpmsolver", "dpm-multistep order=2")]:
                more = dict(final_sigmas_type="sigma_min") if algorithm == "dpmsolver" else {}
                grid = "linspace round=true final=smallest" if algorithm == "dpmsolver" else shared
                case(cases, "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler",
                     dict(options, algorithm_type=algorithm, **threshold, **more), prediction, "native", ours, grid, steps, correction=words)
            case(cases, "scheduling_unipc_multistep", "UniPCMultistepScheduler", dict(options, **threshold), prediction, "native", "unipc",
                 shared, steps, correction=words)
            case(cases, "scheduling_deis_multistep", "DEISMultistepScheduler", dict(options, **threshold), prediction, "native", "deis order=2",
                 "linspace round=true final=smallest", steps, correction=words)
            for more, ours in [(threshold, words), (dict(clip_sample=True, clip_sample_range=0.8), "clip range=0.8")]:
                case(cases, "scheduling_ddpm", "DDPMScheduler", dict(options, **dict(dict(clip_sample=False), **more)), prediction, "native",
                     "ddpm", "leading", steps, correction=ours)


def main():
    cases = []
    for family in [edm, noise, flow, corrected]:
        family(cases)
    versions = dict(diffusers=diffusers.__version__, torch=torch.__version__, numpy=numpy.__version__, python=platform.python_version())
    golden = dict(versions=versions, initial=INITIAL, noises=NOISES, grids=[], cases=cases)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/schedulers-files.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(cases)} trajectories, {target.stat().st_size} bytes, {versions}")


if __name__ == "__main__":
    main()
