"""Goldens of the rest of diffusers' spacings and predictions, for Tests/QuickstepDiffusionTests: beta and Lu grids, sigma grids of DEIS and of
classes that the other scripts ask for a few of, spaced flow times, terminal zero SNR, and ancestral Euler on k-diffusion's grids.

    python Parity/schedulers_grids.py [output.json]

As schedulers.py, whose network, noises and doubled precision it uses. The usual order of a class is run in all step counts with all predictions
that it takes; its other orders and options in two step counts. What diffusers refuses is tried and must be refused.

Where a class ends its list of sigmas by saying the last one twice (DEIS, and ε-based DPM-Solver on sigma grids), its last step has no length,
and some of its formulas divide by that. Such runs are compared after the step before it: `compared` says after how many.
"""
import json
import platform
import sys
import types
import warnings
from pathlib import Path

import diffusers
import numpy
import torch

import schedulers
from schedulers import BETAS, INITIAL, NOISES, STEPS, model, native
from schedulers_classical import k_diffusion
from schedulers_exponential import DEIS, KINDS, MULTI, SINGLE, UNIPC, spaced

warnings.filterwarnings("ignore")
FEW = [10, 20]
NAMED = dict(
    ddim="DDIMScheduler", ddpm="DDPMScheduler", pndm="PNDMScheduler", euler_discrete="EulerDiscreteScheduler",
    euler_ancestral_discrete="EulerAncestralDiscreteScheduler", heun_discrete="HeunDiscreteScheduler",
    k_dpm_2_discrete="KDPM2DiscreteScheduler", k_dpm_2_ancestral_discrete="KDPM2AncestralDiscreteScheduler",
    dpmsolver_sde="DPMSolverSDEScheduler", flow_match_euler_discrete="FlowMatchEulerDiscreteScheduler")
# Where float32 leaves diffusers' own formula without digits, and only the run in float64 is recorded: its third-order DEIS subtracts logarithms
# of sigmas that lie close together at the end of this grid; its DDIM with noise takes the root of a rounding error at pure noise (NaN).
WITHOUT_DIGITS = [("deis order=3", "beta", 20, 0), ("ddim", "zero-snr trailing", 50, 1)]


def named(name):
    return f"scheduling_{name}", NAMED[name]


def options_of(spacing, prediction, **more):
    """As spaced() of schedulers_exponential.py, with the grids it does not know."""
    name = spacing.removesuffix("-smallest")
    if name not in ["beta", "lu"]:
        return spaced(spacing, prediction, **more)
    options = dict(BETAS, prediction_type=prediction, **more)
    options["use_beta_sigmas" if name == "beta" else "use_lu_lambdas"] = True
    return options


def run(s, steps, prediction, space, calls, compared, extra, told=None):
    """The state after `compared` steps, in x = alpha x0 + sigma eps, and the timesteps."""
    s.set_timesteps(steps)
    # Where timesteps are cut to whole ones, float32 puts some of them on the other side of an integer: the network is then told another
    # timestep, which is no matter of arithmetic. Runs in float32 are told the timesteps of those in float64.
    if told is not None and not told.is_floating_point():
        assert (told - s.timesteps).abs().max() <= 1
        s.timesteps = told
    # Beta grids of many steps begin with two equal whole timesteps; the class then looks up the second one, and runs out of steps.
    if hasattr(s, "set_begin_index"):
        s.set_begin_index(0)
    drawn = iter(NOISES)
    if hasattr(s, "noise_sampler"):
        s.noise_sampler = lambda *_: torch.tensor(next(drawn), dtype=torch.float64).reshape(1, -1)
    sigmas = getattr(s, "sigmas", None)
    x = torch.tensor(INITIAL, dtype=torch.float64).reshape(1, -1)
    if space == "sigma":
        x = x * (float(sigmas[0]) ** 2 + 1) ** 0.5
    assert sum(calls) == len(s.timesteps), (calls, len(s.timesteps))
    for i, t in enumerate(s.timesteps[:sum(calls[:compared])]):
        shown = s.scale_model_input(x, t) if hasattr(s, "scale_model_input") else x
        x = s.step(model(shown, float(t), prediction), t, x, **extra).prev_sample
    return native(x, float(sigmas[sum(calls[:compared])]) if space == "sigma" else 0.0, space).double().flatten(), s.timesteps


class Recorder:
    def __init__(self):
        self.cases, self.grids = [], {}

    def __call__(self, where, options, solver, spacing, prediction, steps, space="native", calls=None, compared=None, words=None, **extra):
        """One case: `words` is our grid in words, where the Swift tests do not translate class and spacing."""
        module, name = where
        calls = calls or [1] * steps
        ends, told = [], None
        for double in [True, False]:
            s = schedulers.scheduler(module, name, double, **options)
            end, told = run(s, steps, prediction, space, calls, compared or steps, extra, told)
            ends.append(end)
            if double and where in [MULTI, UNIPC, DEIS] and words is None:
                count = compared or steps
                sigmas = s.sigmas[:steps] if count < steps else s.sigmas
                self.grids.setdefault((name, spacing, steps), dict(
                    scheduler=name, spacing=spacing, steps=steps, timesteps=short(s.timesteps, 13), sigmas=short(sigmas, 13)))
        end, end32 = ends
        assert end.abs().max() < 1e3 and torch.isfinite(end).all(), (solver, name, spacing, prediction, steps, end)
        entry = dict(solver=solver, scheduler=name, spacing="" if words else spacing, prediction=prediction, steps=steps,
                     eta=extra.get("eta", 0), end=short(end, 13))
        away = float((end - end32).abs().max() / end.abs().max())
        if (solver, words or spacing, steps, extra.get("eta", 0)) not in WITHOUT_DIGITS:
            assert away < 1e-3, (solver, name, spacing, prediction, steps, away)
            entry["end32"] = short(end32, 9)
        if words:
            entry["grid"] = words
        if compared:
            entry["compared"] = compared
        self.cases.append(entry)


def short(values, digits):
    return [float(f"{float(v):.{digits}g}") for v in values]


def sigma_solvers(add):
    """Euler and Heun where schedulers.py does not go."""
    euler, heun = named("euler_discrete"), named("heun_discrete")
    for steps in STEPS:
        twos = [2] * (steps - 1) + [1]
        for prediction in KINDS:
            add(euler, options_of("beta", prediction), "euler", "beta", prediction, steps, "sigma")
            for spacing in ["leading", "exponential", "beta"]:
                add(heun, options_of(spacing, prediction), "heun", spacing, prediction, steps, "sigma", calls=twos)
    for steps in FEW:
        for prediction in KINDS:
            add(euler, dict(options_of("trailing", prediction), final_sigmas_type="sigma_min"), "euler", "", prediction, steps, "sigma",
                words="trailing final=smallest")


def multistep(add):
    for steps in STEPS:
        for spacing in ["beta", "lu"]:
            for prediction in KINDS:
                for order in [2, 3]:
                    add(MULTI, options_of(spacing, prediction, solver_order=order), f"dpm++-{order}m", spacing, prediction, steps)
            for prediction, order, variant, name in [("epsilon", 1, "midpoint", "midpoint"), ("v_prediction", 2, "midpoint", "midpoint"),
                                                     ("sample", 2, "taylor", "heun")]:
                add(MULTI, options_of(spacing, prediction, solver_order=order, algorithm_type="sde-dpmsolver++", solver_type=name),
                    f"sde-dpm++ order={order} variant={variant}", spacing, prediction, steps)
        for spacing in ["karras", "exponential", "beta", "lu"]:
            for prediction in KINDS:
                add(MULTI, options_of(spacing + "-smallest", prediction, algorithm_type="dpmsolver", final_sigmas_type="sigma_min"),
                    "dpm-multistep order=2", spacing, prediction, steps, compared=steps - 1)
    for steps in FEW:
        for spacing in ["linspace", "leading", "trailing", "karras", "exponential", "beta", "lu"]:
            for prediction in KINDS:
                for algorithm, ours in [("dpmsolver++", "dpm++-2m"), ("sde-dpmsolver++", "sde-dpm++")]:
                    options = options_of(spacing, prediction, algorithm_type=algorithm)
                    add(MULTI, dict(options, solver_type="heun", euler_at_final=True), f"{ours} variant=taylor euler-at-final=true", spacing,
                        prediction, steps)
                if spacing in ["karras", "exponential", "beta", "lu"]:
                    for order in [1, 3]:
                        add(MULTI, options_of(spacing, prediction, algorithm_type="dpmsolver", solver_order=order,
                                              final_sigmas_type="sigma_min"),
                            f"dpm-multistep order={order}", spacing, prediction, steps, compared=steps - 1)


def singlestep(add):
    for steps in STEPS:
        for spacing in ["karras", "exponential", "beta", "flow-1", "flow-3"]:
            for prediction in ["flow"] if spacing.startswith("flow") else KINDS:
                for order in [2, 3]:
                    add(SINGLE, options_of(spacing, prediction, solver_order=order, lower_order_final=True),
                        f"dpm++-{order}s stages=grid blocks=lowered", spacing, prediction, steps)
    for steps in FEW:
        for spacing in ["karras", "exponential", "beta"]:
            for prediction in KINDS:
                for order in [2, 3]:
                    add(SINGLE, options_of(spacing, prediction, solver_order=order, lower_order_final=True, solver_type="heun"),
                        f"dpm++-{order}s stages=grid blocks=lowered variant=taylor", spacing, prediction, steps)
                    add(SINGLE, options_of(spacing, prediction, solver_order=order, lower_order_final=True, algorithm_type="dpmsolver",
                                           final_sigmas_type="sigma_min"),
                        f"dpm-singlestep order={order} stages=grid blocks=lowered", spacing, prediction, steps, compared=steps - 1)
                add(SINGLE, options_of(spacing, prediction, lower_order_final=True, algorithm_type="sde-dpmsolver++"),
                    "dpm++-2s stages=grid blocks=lowered eta=1", spacing, prediction, steps)


def unipc(add):
    for steps in STEPS:
        for prediction in KINDS:
            for order in [1, 2, 3]:
                add(UNIPC, options_of("beta", prediction, solver_order=order), f"unipc order={order}", "beta", prediction, steps)
    for steps in FEW:
        for spacing in ["karras", "exponential", "beta"]:
            for prediction in KINDS:
                for ours, options in [("prediction=epsilon", dict(predict_x0=False)), ("variant=bh1", dict(solver_type="bh1"))]:
                    for order in [2, 3]:
                        # The step to sigma 0 is left out: bh1 and the ε form multiply 0 by infinity there.
                        add(UNIPC, options_of(spacing, prediction, solver_order=order, **options), f"unipc order={order} {ours}", spacing,
                            prediction, steps, compared=steps - 1)
            add(UNIPC, options_of(spacing, "epsilon", solver_order=3, disable_corrector=[0, 1]), "unipc order=3 disable-corrector=[0,1]",
                spacing, "epsilon", steps)


def deis(add):
    for steps in STEPS:
        for spacing in ["karras", "exponential", "beta", "flow-1", "flow-3"]:
            for prediction in ["flow"] if spacing.startswith("flow") else KINDS:
                for order in [1, 2, 3] if steps in FEW else [2]:
                    add(DEIS, options_of(spacing, prediction, solver_order=order), f"deis order={order}", spacing, prediction, steps,
                        compared=steps - 1)


def stochastic(add):
    """DPMSolverSDE draws twice in a step, so that there are noises for 25 steps; ancestral Euler runs on k-diffusion's function, since
    diffusers' class has no grids of sigmas."""
    sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
    for steps in [4, 10, 20]:
        for prediction in ["epsilon", "v_prediction"]:
            add(named("dpmsolver_sde"), options_of("beta", prediction), "dpm++-sde", "beta", prediction, steps, "sigma",
                calls=[2] * (steps - 1) + [1], words="beta")
    code = k_diffusion()
    for steps in STEPS:
        for spacing in ["linspace", "leading", "trailing", "karras", "exponential", "beta"]:
            s = schedulers.scheduler("scheduling_euler_discrete", "EulerDiscreteScheduler", True, **options_of(spacing, "epsilon"))
            s.set_timesteps(steps)
            times = dict(zip(s.sigmas.tolist(), s.timesteps.tolist()))

            def denoise(x, sigma):
                sigma = float(sigma.flatten()[0])
                return x - sigma * model(x / (sigma * sigma + 1) ** 0.5, times[sigma], "epsilon")

            drawn = iter(NOISES)
            code.torch.randn_like = lambda x: torch.tensor(next(drawn)).reshape(x.shape)
            start = torch.tensor(INITIAL).reshape(1, -1) * (float(s.sigmas[0]) ** 2 + 1) ** 0.5
            end = code.sample_euler_ancestral(denoise, start, s.sigmas, disable=True).flatten()
            add.cases.append(dict(solver="euler-ancestral", scheduler="k-diffusion", spacing="", grid=spacing, prediction="epsilon", steps=steps,
                                  eta=0, end=short(end, 13)))


def zero_snr(add):
    """Rescaled betas; the network cannot be asked for ε at pure noise. Classes of the sigma frame keep 2^-24 of signal."""
    rescaled = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    for steps in STEPS:
        for prediction in ["v_prediction", "sample"]:
            options = dict(BETAS, prediction_type=prediction, **rescaled)
            plain = dict(options, clip_sample=False)
            for eta in [0.0, 1.0]:
                add(named("ddim"), plain, "ddim", "", prediction, steps, words="zero-snr trailing", eta=eta)
            add(named("ddpm"), plain, "ddpm", "", prediction, steps, words="zero-snr trailing")
            add(named("euler_discrete"), options, "euler", "zero-snr", prediction, steps, "sigma")
            if prediction == "v_prediction":
                add(named("euler_ancestral_discrete"), options, "euler-ancestral", "zero-snr", prediction, steps, "sigma")


def flow(add):
    """Spaced flow times run between the times of the uniform spacing, the least of which is shifted twice."""
    for steps in STEPS:
        for shift in [1.0, 3.0]:
            warp = lambda t: shift * t / (1 + (shift - 1) * t)
            for spacing in ["karras", "exponential", "beta"]:
                words = f"flow-{shift:g} {spacing} sigma-min={warp(warp(1 / 1000))!r}"
                add(named("flow_match_euler_discrete"), {"shift": shift, f"use_{spacing}_sigmas": True}, "euler", "", "flow", steps, words=words)


def refusals():
    """`sample` models of classes that diffusers has no conversion for."""
    for name in ["pndm", "k_dpm_2_discrete", "k_dpm_2_ancestral_discrete", "euler_ancestral_discrete", "dpmsolver_sde"]:
        s = schedulers.scheduler(*named(name), True, prediction_type="sample", **BETAS)
        s.set_timesteps(10)
        if hasattr(s, "noise_sampler"):
            s.noise_sampler = lambda *_: 0
        try:
            x = torch.zeros(1, 6, dtype=torch.float64)
            s.scale_model_input(x, s.timesteps[0])
            s.step(x, s.timesteps[0], x)
        except (ValueError, NotImplementedError):
            continue
        raise AssertionError(f"{name} takes sample models: compare them")


def main():
    record = Recorder()
    for family in [sigma_solvers, multistep, singlestep, unipc, deis, stochastic, zero_snr, flow]:
        family(record)
    refusals()
    versions = dict(diffusers=diffusers.__version__, torch=torch.__version__, numpy=numpy.__version__, python=platform.python_version())
    golden = dict(versions=versions, initial=INITIAL, noises=NOISES, grids=list(record.grids.values()), cases=record.cases)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/schedulers-grids.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(record.cases)} trajectories, {len(record.grids)} grids, {target.stat().st_size} bytes, {versions}")


if __name__ == "__main__":
    main()
