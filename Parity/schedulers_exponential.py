"""Goldens of the exponential integrators: diffusers' DPMSolverMultistep, DPMSolverSinglestep, UniPC and DEIS schedulers.

    python Parity/schedulers_exponential.py [output.json]

Trajectories are made as in schedulers.py (same network, start and noises; float64 in `mid` and `end`, as shipped in `end32`). Trajectories of
the authors' own programs, where diffusers has no such thing, are in schedulers_authors.json; see schedulers_authors.py.
"""
import json
import platform
import sys
import warnings
from pathlib import Path

import diffusers
import numpy
import torch

import schedulers
from schedulers import BETAS, INITIAL, NOISES, STEPS

warnings.filterwarnings("ignore")
KINDS = ["epsilon", "v_prediction", "sample"]
PLAIN = ["linspace", "leading", "trailing"]
MULTI = ("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler")
SINGLE = ("scheduling_dpmsolver_singlestep", "DPMSolverSinglestepScheduler")
UNIPC = ("scheduling_unipc_multistep", "UniPCMultistepScheduler")
DEIS = ("scheduling_deis_multistep", "DEISMultistepScheduler")


def spaced(spacing, prediction, **more):
    """Options of a scheduler for one of our names of a spacing; `-smallest` ends on the least trained noise."""
    options = dict(BETAS, prediction_type=prediction, **more)
    name = spacing.removesuffix("-smallest")
    if spacing != name:
        options["final_sigmas_type"] = "sigma_min"
    if name.startswith("flow-"):
        options.update(use_flow_sigmas=True, flow_shift=float(name.removeprefix("flow-")), prediction_type="flow_prediction")
    elif name in ["karras", "exponential"]:
        options[f"use_{name}_sigmas"] = True
    elif name == "zero-snr":
        options.update(timestep_spacing="trailing", rescale_betas_zero_snr=True)
    else:
        options["timestep_spacing"] = name
    return options


class Recorder:
    def __init__(self):
        self.cases, self.grids = [], {}

    def __call__(self, where, solver, spacing, prediction, steps, noisy=False, **more):
        options = spaced(spacing, prediction, **more)
        if where is SINGLE:
            options.pop("timestep_spacing", None)
        if where is DEIS:
            options.pop("final_sigmas_type", None)
        asked = "flow" if spacing.startswith("flow-") else prediction
        run = dict(eta=None)
        if noisy:
            run = dict(eta=1.0)
        self.add(where, options, spacing, asked, steps, solver, **run)

    def add(self, where, options, spacing, prediction, steps, solver, eta):
        module, name = where
        ends = []
        for double in [True, False]:
            s = schedulers.scheduler(module, name, double, **options)
            ends.append(trajectory(s, steps, prediction, noisy=eta is not None))
            if double:
                self.grids.setdefault(f"{name} {spacing} {steps}", dict(
                    scheduler=name, spacing=spacing, steps=steps, timesteps=s.timesteps.tolist(), sigmas=s.sigmas.tolist()))
        (middle, end), (_, end32) = ends
        assert all(abs(v) < 1e3 for v in end), (solver, spacing, prediction, steps, end)
        self.cases.append(dict(solver=solver, scheduler=name, spacing=spacing, prediction=prediction, steps=steps, eta=0.0, mid=middle,
                               end=end, end32=end32))


def trajectory(s, steps, prediction, noisy):
    s.set_timesteps(steps)
    x = torch.tensor(INITIAL, dtype=torch.float64).reshape(1, -1)
    middle = None
    for i, t in enumerate(s.timesteps):
        extra = dict(variance_noise=torch.tensor(NOISES[i], dtype=torch.float64).reshape(1, -1)) if noisy else {}
        x = s.step(schedulers.model(x, float(t), prediction), t, x, **extra).prev_sample
        if i + 1 == steps // 2:
            middle = x
    return middle.double().flatten().tolist(), x.double().flatten().tolist()


def multistep(add):
    for steps in STEPS:
        for spacing in PLAIN + ["karras", "exponential"]:
            for prediction in KINDS:
                add(MULTI, "dpm++-3m", spacing, prediction, steps, solver_order=3)
            add(MULTI, "sde-dpm++ order=1", spacing, "epsilon", steps, noisy=True, solver_order=1, algorithm_type="sde-dpmsolver++")
            add(MULTI, "sde-dpm++", spacing, "v_prediction", steps, noisy=True, algorithm_type="sde-dpmsolver++")
            add(MULTI, "sde-dpm++ variant=taylor", spacing, "sample", steps, noisy=True, algorithm_type="sde-dpmsolver++",
                solver_type="heun")
        for spacing in ["linspace", "karras"]:
            add(MULTI, "dpm++-3m euler-at-final=true", spacing, "epsilon", steps, solver_order=3, euler_at_final=True)
            add(MULTI, "dpm++-3m lower-order-final=false variant=taylor", spacing, "epsilon", steps, solver_order=3,
                lower_order_final=False, solver_type="heun")
        for plain in PLAIN:
            spacing = plain + "-smallest"
            for prediction in KINDS:
                for order in [1, 2, 3]:
                    add(MULTI, f"dpm-multistep order={order}", spacing, prediction, steps, solver_order=order, algorithm_type="dpmsolver")
            add(MULTI, "dpm-multistep variant=taylor", spacing, "epsilon", steps, algorithm_type="dpmsolver", solver_type="heun")
            add(MULTI, "dpm-multistep order=3 lower-order-final=false", spacing, "v_prediction", steps, solver_order=3,
                algorithm_type="dpmsolver", lower_order_final=False)
            for variant, name in [("midpoint", "midpoint"), ("taylor", "heun")]:
                add(MULTI, f"dpm-multistep eta=1 variant={variant}", spacing, "epsilon", steps, noisy=True,
                    algorithm_type="sde-dpmsolver", solver_type=name)
            add(MULTI, "dpm++-3m", spacing, "epsilon", steps, solver_order=3)
        for shift in ["1", "3"]:
            for order, name in [(2, "dpm++-2m"), (3, "dpm++-3m")]:
                add(MULTI, name, f"flow-{shift}", "flow", steps, solver_order=order)
            add(MULTI, "sde-dpm++", f"flow-{shift}", "flow", steps, noisy=True, algorithm_type="sde-dpmsolver++")
        add(MULTI, "dpm++-2m", "zero-snr", "v_prediction", steps)
        add(MULTI, "dpm++-3m", "zero-snr", "v_prediction", steps, solver_order=3)


def singlestep(add):
    for steps in STEPS:
        for spacing in ["linspace", "karras", "exponential", "flow-3"]:
            for prediction in KINDS if spacing == "linspace" else ["epsilon"]:
                for order in [2, 3]:
                    for variant, name in [("midpoint", "midpoint"), ("taylor", "heun")]:
                        add(SINGLE, f"dpm++-{order}s stages=grid blocks=lowered variant={variant}", spacing, prediction, steps,
                            solver_order=order, solver_type=name, lower_order_final=True)
        for order in [1, 2, 3]:
            for variant, name in [("midpoint", "midpoint"), ("taylor", "heun")]:
                add(SINGLE, f"dpm-singlestep order={order} stages=grid blocks=lowered variant={variant}", "linspace-smallest", "epsilon",
                    steps, solver_order=order, solver_type=name, lower_order_final=True, algorithm_type="dpmsolver")
    for steps in [6, 12, 24, 48]:
        for order in [2, 3]:
            add(SINGLE, f"dpm-singlestep order={order} stages=grid", "linspace-smallest", "v_prediction", steps, solver_order=order,
                lower_order_final=False, algorithm_type="dpmsolver")
            add(SINGLE, f"dpm++-{order}s stages=grid", "linspace-smallest", "sample", steps, solver_order=order, lower_order_final=False)


def unipc(add):
    for steps in STEPS:
        for spacing in PLAIN + ["karras", "exponential", "flow-1", "flow-3", "zero-snr"]:
            for order in [1, 2, 3]:
                for prediction in ["v_prediction"] if spacing == "zero-snr" else KINDS:
                    add(UNIPC, f"unipc order={order}", spacing, prediction, steps, solver_order=order)
        for spacing in PLAIN:
            for order in [1, 2, 3]:
                add(UNIPC, f"unipc order={order} prediction=epsilon", spacing + "-smallest", KINDS[order - 1], steps, solver_order=order,
                    predict_x0=False)
                # With a last step to sigma 0 bh1 multiplies 0 by infinity there.
                add(UNIPC, f"unipc order={order} variant=bh1", spacing + "-smallest", KINDS[order - 1], steps, solver_order=order,
                    solver_type="bh1")
            add(UNIPC, "unipc order=3 lower-order-final=false", spacing + "-smallest", "epsilon", steps, solver_order=3,
                lower_order_final=False)
            add(UNIPC, "unipc order=3 disable-corrector=[0,1]", spacing, "epsilon", steps, solver_order=3, disable_corrector=[0, 1])
            add(UNIPC, "unipc corrector=false", spacing, "epsilon", steps,
                disable_corrector=list(range(100)))


def deis(add):
    for steps in STEPS:
        for spacing in PLAIN:
            for order in [1, 2, 3]:
                for prediction in KINDS:
                    add(DEIS, f"deis order={order}", spacing + "-smallest", prediction, steps, solver_order=order)
            add(DEIS, "deis order=3 lower-order-final=false", spacing + "-smallest", "epsilon", steps, solver_order=3,
                lower_order_final=False)


def main():
    record = Recorder()
    for family in [multistep, singlestep, unipc, deis]:
        family(record)
    golden = dict(
        versions=dict(diffusers=diffusers.__version__, torch=torch.__version__, numpy=numpy.__version__, python=platform.python_version()),
        initial=INITIAL, noises=NOISES, grids=list(record.grids.values()), cases=record.cases)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/schedulers-exponential.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(record.cases)} trajectories, {len(record.grids)} grids, {target.stat().st_size} bytes, {golden['versions']}")


if __name__ == "__main__":
    main()
