"""Goldens of runs that a scheduler's file chooses, for Tests/QuickstepPipelinesTests: the file as JSON, the class it is changed to by
`from_config` where it is, the number of steps, and the state at the end. And the settings that every class reads.

    python Parity/schedulers_chosen.py [output.json]

Schedulers are made by diffusers' `from_config` alone, so that what a class makes of keys of others, of absent ones and of its standard values
is diffusers' own. Everything else is as in schedulers.py: its network, noises and doubled precision.
"""
import importlib
import inspect
import itertools
import json
import logging
import math
import platform
import sys
import types
from pathlib import Path

import diffusers
import numpy
import torch

from schedulers import INITIAL, NOISES, Double, model, native
from schedulers_files import edm_model

logging.getLogger("diffusers").setLevel(logging.ERROR)

MODULES = {
    "DDIMParallelScheduler": "ddim_parallel", "DDIMScheduler": "ddim", "DDPMParallelScheduler": "ddpm_parallel", "DDPMScheduler": "ddpm",
    "DEISMultistepScheduler": "deis_multistep",
    "DPMSolverMultistepScheduler": "dpmsolver_multistep", "DPMSolverSDEScheduler": "dpmsolver_sde",
    "DPMSolverSinglestepScheduler": "dpmsolver_singlestep", "EDMDPMSolverMultistepScheduler": "edm_dpmsolver_multistep",
    "EDMEulerScheduler": "edm_euler", "EulerAncestralDiscreteScheduler": "euler_ancestral_discrete",
    "EulerDiscreteScheduler": "euler_discrete", "FlowMatchEulerDiscreteScheduler": "flow_match_euler_discrete",
    "FlowMatchHeunDiscreteScheduler": "flow_match_heun_discrete", "FlowMatchLCMScheduler": "flow_match_lcm",
    "HeunDiscreteScheduler": "heun_discrete",
    "KDPM2AncestralDiscreteScheduler": "k_dpm_2_ancestral_discrete", "KDPM2DiscreteScheduler": "k_dpm_2_discrete", "LCMScheduler": "lcm",
    "LMSDiscreteScheduler": "lms_discrete", "PNDMScheduler": "pndm", "TCDScheduler": "tcd", "UniPCMultistepScheduler": "unipc_multistep",
}
# Whose states are x0 + sigma eps on trained timesteps.
SIGMA = ["DPMSolverSDE", "Euler", "Heun", "KDPM2", "LMS"]
LATENT = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
# What published models' files say.
SD1 = dict(LATENT, _class_name="PNDMScheduler", set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None,
           clip_sample=False)
SD2 = dict(LATENT, _class_name="DDIMScheduler", prediction_type="v_prediction", set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1,
           trained_betas=None, clip_sample=False)
SDXL = dict(LATENT, _class_name="EulerDiscreteScheduler", interpolation_type="linear", prediction_type="epsilon", sample_max_value=1.0,
            set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, timestep_spacing="leading", trained_betas=None, clip_sample=False,
            use_karras_sigmas=False)
COSINE = dict(_class_name="DDIMScheduler", beta_start=0.0001, beta_end=0.02, beta_schedule="squaredcos_cap_v2", clip_sample=False,
              num_train_timesteps=1000, prediction_type="sample", set_alpha_to_one=True, steps_offset=0, timestep_spacing="trailing")
SANA = dict(_class_name="DPMSolverMultistepScheduler", flow_shift=3.0, prediction_type="flow_prediction", use_flow_sigmas=True,
            lower_order_final=True, solver_type="midpoint", algorithm_type="dpmsolver++", solver_order=2)
SPACED = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"]


def code_of(name):
    sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
    return importlib.import_module(f"diffusers.schedulers.scheduling_{MODULES[name]}")


def made(name, members):
    """As scheduler() of schedulers.py makes them in double precision, by from_config."""
    code = code_of(name)
    code.torch, code.np = Double(torch), Double(numpy)
    torch.set_default_dtype(torch.float64)
    drawn = iter(NOISES)

    def draw(shape, **_):
        return torch.tensor(next(drawn), dtype=torch.float64).reshape(shape)

    code.randn_tensor = draw
    code.torch.randn_like = lambda x: draw(x.shape)
    return getattr(code, name).from_config(members)


def continuous_model(shown, t):
    """What EulerDiscreteScheduler takes for a v-prediction with continuous timesteps; must equal the network of the Swift test."""
    sigma, data = math.exp(4 * t), 0.25
    x = shown * math.sqrt(sigma * sigma + 1)
    x0 = (data * x + sigma * sigma * torch.tanh(x / (sigma * sigma + data))) / (sigma * sigma + data)
    return (x / (sigma * sigma + 1) - x0) * math.sqrt(sigma * sigma + 1) / sigma


def network(name, members):
    """Which network a file is for, in the words of the golden."""
    prediction = members.get("prediction_type", "epsilon")
    if name.startswith("EDM"):
        return "edm" if prediction == "epsilon" else "edm_v_prediction"
    if members.get("timestep_type") == "continuous" and prediction == "v_prediction":
        return "continuous"
    return "flow" if name.startswith("FlowMatch") else {"flow_prediction": "flow"}.get(prediction, prediction)


def run(name, members, steps):
    s = made(name, members)
    asked = network(name, members)
    s.set_timesteps(steps)
    if hasattr(s, "noise_sampler"):
        drawn = iter(NOISES)
        s.noise_sampler = lambda *_: torch.tensor(next(drawn), dtype=torch.float64).reshape(1, 1, 1, -1)
    space = "sigma" if asked != "continuous" and any(name.startswith(prefix) for prefix in SIGMA) else "native"
    x = torch.tensor(INITIAL, dtype=torch.float64).reshape(1, 1, 1, -1)
    if space == "sigma":
        x = x * (float(s.sigmas[0]) ** 2 + 1) ** 0.5
    for t in s.timesteps:
        shown = s.scale_model_input(x, t) if hasattr(s, "scale_model_input") else x
        if asked.startswith("edm"):
            output = edm_model(shown, float(t), asked)
        else:
            output = continuous_model(shown, float(t)) if asked == "continuous" else model(shown, float(t), asked)
        x = s.step(output, t, x).prev_sample
    end = native(x, float(s.sigmas[s.step_index]), space).double().flatten().tolist() if space == "sigma" else x.double().flatten().tolist()
    return asked, end


class Cases(list):
    def add(self, members, *counts, to=None):
        name = to or members["_class_name"]
        for steps in counts or [10]:
            asked, end = run(name, members, steps)
            assert all(abs(value) < 1e3 for value in end), (members, to, end)
            entry = dict(file=members, steps=steps, prediction=asked, end=end)
            if to:
                entry["to"] = to
            self.append(entry)

    def of(self, name, base=LATENT):
        return lambda *counts, **more: self.add(dict(base, _class_name=name, **more), *counts)


def changed(cases):
    """The class is changed, the file stays: CLASS.from_config(pipe.scheduler.config)."""
    trained = [name for name in MODULES if not name.startswith(("EDM", "FlowMatch"))]
    for base in [SD1, SD2, SDXL, COSINE]:
        for name in trained:
            # These take no prediction of x0.
            if base["_class_name"] == name or base is COSINE and name.startswith(("PNDM", "KDPM2", "DPMSolverSDE", "EulerAncestral")):
                continue
            cases.add(base, 10, 20, to=name)
    more = [dict(SDXL, use_karras_sigmas=True), dict(SDXL, use_karras_sigmas=True, sigma_min=0.05, sigma_max=9.0),
            dict(SDXL, use_exponential_sigmas=True, sigma_min=0.05)]
    for base in more:
        for name in ["HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "LMSDiscreteScheduler", "DPMSolverSDEScheduler",
                     "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "EulerAncestralDiscreteScheduler"]:
            cases.add(base, to=name)
    solver = dict(LATENT, _class_name="DPMSolverMultistepScheduler", solver_order=3, solver_type="heun", algorithm_type="dpmsolver++",
                  use_lu_lambdas=True, lower_order_final=False, timestep_spacing="trailing", final_sigmas_type="sigma_min")
    for name in ["UniPCMultistepScheduler", "DEISMultistepScheduler", "EulerDiscreteScheduler"]:
        cases.add(solver, to=name)
    cases.add(dict(LATENT, _class_name="UniPCMultistepScheduler", solver_type="bh1", solver_order=3), to="DPMSolverMultistepScheduler")
    # diffusers refuses to change this class to another that would end at clean data.
    cases.add(dict(LATENT, _class_name="DEISMultistepScheduler", algorithm_type="deis", solver_type="logrho", final_sigmas_type="sigma_min"),
              to="DPMSolverMultistepScheduler")
    for name in ["UniPCMultistepScheduler", "DPMSolverSinglestepScheduler"]:
        cases.add(SANA, to=name)
    cases.add(dict(_class_name="FlowMatchEulerDiscreteScheduler", shift=3.0, shift_terminal=None), to="FlowMatchHeunDiscreteScheduler")
    cases.add(dict(_class_name="EDMEulerScheduler", sigma_min=0.02, sigma_max=3.0), to="EDMDPMSolverMultistepScheduler")
    # The list that a loaded pipeline's configuration has of what its file did not say.
    cases.add(dict(SD1, timestep_spacing="leading", prediction_type="epsilon", _use_default_values=["timestep_spacing", "prediction_type"]),
              to="EulerDiscreteScheduler")


def spaced(cases):
    """Spacings of noise, whose range depends on the plain spacing for half of the classes."""
    classes = ["EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
               "LMSDiscreteScheduler", "DPMSolverSDEScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"]
    for name, flag, plain in itertools.product(classes, SPACED, ["linspace", "leading", "trailing"]):
        cases.of(name)(**{flag: True}, timestep_spacing=plain, steps_offset=int(plain == "leading"))
    for name, plain in itertools.product(classes + ["EulerAncestralDiscreteScheduler"], ["linspace", "leading", "trailing"]):
        for prediction in ["epsilon", "v_prediction"]:
            cases.of(name)(7, 20, timestep_spacing=plain, steps_offset=int(plain == "leading"), prediction_type=prediction)
    for flag in SPACED:
        cases.of("DPMSolverSinglestepScheduler")(**{flag: True})
        for name in ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"]:
            cases.of(name)(**{flag: True}, sigma_min=0.05, sigma_max=8.0)
    for schedule, name in itertools.product(["linear", "squaredcos_cap_v2"], classes):
        cases.of(name, dict(beta_schedule=schedule))(timestep_spacing="trailing", prediction_type="v_prediction")
        if schedule == "linear":
            cases.of(name, {})(use_karras_sigmas=True)
    cosine = cases.of("DPMSolverMultistepScheduler", dict(beta_schedule="squaredcos_cap_v2"))
    for flag in SPACED + ["use_lu_lambdas"]:
        cosine(**{flag: True}, prediction_type="v_prediction")
    betas = numpy.linspace(0.001, 0.09, 50).round(6).tolist()
    cases.of("DPMSolverMultistepScheduler", dict(num_train_timesteps=50))(trained_betas=betas)
    cases.of("EulerDiscreteScheduler", dict(LATENT, num_train_timesteps=500))(timestep_spacing="leading", steps_offset=1)


def euler(cases):
    add = cases.of("EulerDiscreteScheduler")
    for plain in ["leading", "trailing"]:
        add(final_sigmas_type="sigma_min", timestep_spacing=plain, steps_offset=int(plain == "leading"))
        for flag in SPACED:
            add(interpolation_type="log_linear", timestep_spacing=plain, steps_offset=int(plain == "leading"), **{flag: True})
    for flag in SPACED:
        ends = dict(sigma_min=0.02, sigma_max=3.0)
        for more in [ends, dict(ends, final_sigmas_type="zero", timestep_spacing="leading", steps_offset=1), dict(sigma_max=3.0), {},
                     dict(timestep_spacing="trailing")]:
            add(timestep_type="continuous", prediction_type="v_prediction", **{flag: True}, **more)
    add(timestep_type="continuous", prediction_type="epsilon", use_karras_sigmas=True)
    add(sigma_min=0.02, sigma_max=3.0)
    for name in ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"]:
        cases.of(name)(rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing")
    cases.of("EulerAncestralDiscreteScheduler")(use_karras_sigmas=True)


def exponential(cases):
    add = cases.of("DPMSolverMultistepScheduler")
    for order, kind, plain in itertools.product([1, 2, 3], ["midpoint", "heun"], ["linspace", "leading", "trailing"]):
        offset = int(plain == "leading")
        add(solver_order=order, solver_type=kind, timestep_spacing=plain, steps_offset=offset)
        add(solver_order=order, solver_type=kind, timestep_spacing=plain, steps_offset=offset, algorithm_type="dpmsolver",
            final_sigmas_type="sigma_min")
        # The third-order step with noise has a term that does not vanish in small steps, and is not copied.
        if order < 3:
            add(solver_order=order, solver_type=kind, timestep_spacing=plain, steps_offset=offset, algorithm_type="sde-dpmsolver++")
            add(solver_order=order, solver_type=kind, timestep_spacing=plain, steps_offset=offset, algorithm_type="sde-dpmsolver",
                final_sigmas_type="sigma_min")
    for more in [dict(euler_at_final=True), dict(lower_order_final=False), dict(use_lu_lambdas=True), dict(final_sigmas_type="sigma_min"),
                 dict(thresholding=True, sample_max_value=1.2, dynamic_thresholding_ratio=0.9)]:
        for prediction in ["epsilon", "v_prediction", "sample"]:
            add(10, 20, prediction_type=prediction, **more)
    for name in ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler"]:
        cases.of(name)(rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing")
    # DEIS's last step goes nowhere there.
    for name in ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DPMSolverSinglestepScheduler"]:
        for shift in [1.0, 3.0]:
            cases.of(name, {})(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    single = cases.of("DPMSolverSinglestepScheduler")
    for order, kind in itertools.product([1, 2, 3], ["midpoint", "heun"]):
        single(12, solver_order=order, solver_type=kind)
        for lower in [True, False]:
            single(12, solver_order=order, solver_type=kind, lower_order_final=lower, algorithm_type="dpmsolver",
                   final_sigmas_type="sigma_min")
    single(12, algorithm_type="sde-dpmsolver++")
    unipc = cases.of("UniPCMultistepScheduler")
    for order, kind, is_x0 in itertools.product([1, 2, 3], ["bh1", "bh2"], [True, False]):
        # The others have no limit at clean data.
        more = {} if kind == "bh2" and is_x0 else dict(final_sigmas_type="sigma_min")
        unipc(solver_order=order, solver_type=kind, predict_x0=is_x0, **more)
    for more in [dict(disable_corrector=[0, 1]), dict(lower_order_final=False, final_sigmas_type="sigma_min"),
                 dict(final_sigmas_type="sigma_min"),
                 dict(final_sigmas_type="sigma_min", timestep_spacing="trailing"), dict(prediction_type="sample")]:
        unipc(**more)
    deis = cases.of("DEISMultistepScheduler")
    for order, plain in itertools.product([1, 2, 3], ["linspace", "leading", "trailing"]):
        for prediction in ["epsilon", "v_prediction", "sample"]:
            deis(solver_order=order, timestep_spacing=plain, steps_offset=int(plain == "leading"), prediction_type=prediction)
    deis(lower_order_final=False)


def classical(cases):
    ddim, ddpm, pndm = cases.of("DDIMScheduler"), cases.of("DDPMScheduler"), cases.of("PNDMScheduler")
    for prediction in ["epsilon", "v_prediction", "sample"]:
        for plain, one in itertools.product(["leading", "trailing"], [True, False]):
            ddim(timestep_spacing=plain, steps_offset=int(plain == "leading"), set_alpha_to_one=one, clip_sample=False,
                 prediction_type=prediction)
        for more in [{}, dict(clip_sample_range=0.8), dict(clip_sample=False), dict(thresholding=True, sample_max_value=1.2),
                     dict(clip_sample=False, variance_type="fixed_large"), dict(clip_sample=False, timestep_spacing="linspace"),
                     dict(clip_sample=False, timestep_spacing="trailing")]:
            ddpm(10, 20, prediction_type=prediction, **more)
    ddim(rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False)
    for prediction, skip, one in itertools.product(["epsilon", "v_prediction"], [True, False], [True, False]):
        pndm(10, 20, skip_prk_steps=skip, set_alpha_to_one=one, steps_offset=1, prediction_type=prediction)
    pndm(10, timestep_spacing="trailing", skip_prk_steps=True)
    for name in ["LCMScheduler", "TCDScheduler"]:
        for prediction in ["epsilon", "v_prediction", "sample"]:
            cases.of(name, {})(4, 8, prediction_type=prediction)
    cases.of("LCMScheduler")(4, original_inference_steps=20, timestep_scaling=5.0)
    cases.of("TCDScheduler")(4, original_inference_steps=20)


def other(cases):
    for shift in [1.0, 3.0]:
        for name in ["FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"]:
            cases.of(name, {})(7, 10, shift=shift)
    flow = cases.of("FlowMatchEulerDiscreteScheduler", {})
    flow(shift=3.0, shift_terminal=0.1)
    flow(shift=3.0, stochastic_sampling=True)
    consistent = cases.of("FlowMatchLCMScheduler", {})
    for shift in [1.0, 3.0]:
        consistent(4, 8, shift=shift)
    consistent(shift=3.0, shift_terminal=0.1)
    consistent(shift=3.0, scale_factors=[], upscale_mode="bilinear")
    ends = dict(sigma_min=0.02, sigma_max=3.0)
    for prediction, spacing in itertools.product(["epsilon", "v_prediction"], ["karras", "exponential"]):
        cases.of("EDMEulerScheduler", ends)(prediction_type=prediction, sigma_schedule=spacing)
        for order, kind in itertools.product([1, 2, 3], ["midpoint", "heun"]):
            cases.of("EDMDPMSolverMultistepScheduler", ends)(
                prediction_type=prediction, sigma_schedule=spacing, solver_order=order, solver_type=kind, rho=5.0)
    cases.of("EDMDPMSolverMultistepScheduler", ends)(algorithm_type="sde-dpmsolver++")


def settings():
    """What every class reads: the arguments it is made with, and the range of noise that it looks for in the file all the same."""
    found = {}
    for name in MODULES:
        code = code_of(name)
        known = set(inspect.signature(getattr(code, name).__init__).parameters) - {"self"}
        if "hasattr(self.config, \"sigma_min\")" in inspect.getsource(code):
            known |= {"sigma_min", "sigma_max"}
        found[name] = sorted(known)
    return found


def main():
    cases = Cases()
    for family in [changed, spaced, euler, exponential, classical, other]:
        family(cases)
    seen, distinct = set(), []
    for case in cases:
        key = json.dumps([case["file"], case["steps"], case.get("to")], sort_keys=True)
        if key not in seen:
            seen.add(key)
            distinct.append(case)
    versions = dict(diffusers=diffusers.__version__, torch=torch.__version__, numpy=numpy.__version__, python=platform.python_version())
    golden = dict(script="schedulers_chosen.py", versions=versions, initial=INITIAL, noises=NOISES, settings=settings(), cases=distinct)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepPipelinesTests/Fixtures/schedulers-chosen.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(distinct)} runs, {target.stat().st_size} bytes, {versions}")


if __name__ == "__main__":
    main()
