"""Goldens of the authors' programs for caches of U-Nets: whole guided trajectories of a tiny network with random weights.

    python Parity/unet_caches_authors.py FOLDER

FOLDER holds copies of five files, which are not part of this repository:

    deepcache.py                  github.com/horseee/DeepCache             1691a3ab22308fe06685e4ff151a9ab175be2dc4 (DeepCache/extension)
    pipeline_stable_diffusion.py  the same                                 (DeepCache/sd)
    utils_sd.py                   github.com/hutaiHang/Faster-Diffusion    d64bfed8e8ba5d99c3014aa2508b4db3f49261e2
    utils.py                      github.com/BienLuky/CacheQuant           9470ddf1bac09337ce3281f797357ac35997a358 (quant)
    cifar_dec.py                  the same                                 (error_dec/cifar)

Of the last four only functions are taken, since the files need programs that nothing else here needs. Writes
Tests/QuickstepAccelerationTests/Fixtures/unet-caches: `unet` (configuration, weights in half precision), deepcache.safetensors,
faster-diffusion.safetensors, cachequant.json, centred.json.
"""
import ast
import importlib.util
import json
import sys
import types
import typing
import warnings
from copy import deepcopy
from pathlib import Path

import numpy
import torch
from random_weights import disturb, noise
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepAccelerationTests/Fixtures/unet-caches"
SCALE = 3.0
SIDE = 8


def taken(path, names, **namespace):
    """Functions and classes of a file, without running the rest of it."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    exec(compile(tree, str(path), "exec"), namespace)
    return namespace


def network():
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(
        sample_size=SIDE, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12, attention_head_dim=2)
    return disturb("unet-caches", model)


def inputs():
    """Two pictures; prompts of the branches one after the other; residuals as a ControlNet gives them, one number per channel."""
    channels = [8, 8, 8, 8, 16, 16]
    down = [noise("unet-caches", f"residual {index}", 1, count, 1, 1) * 0.5 for index, count in enumerate(channels)]
    return {
        "initial": noise("unet-caches", "latents", 2, 4, SIDE, SIDE), "prompt": noise("unet-caches", "prompt", 4, 5, 12),
        **{f"residual.{index}": value for index, value in enumerate(down)},
        "residual.middle": noise("unet-caches", "residual middle", 1, 16, 1, 1) * 0.5,
    }


def scheduler(kind, steps):
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    shared = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1)
    made = (DDIMScheduler(**shared, clip_sample=False, set_alpha_to_one=True) if kind == "ddim"
            else DPMSolverMultistepScheduler(**shared, algorithm_type="dpmsolver++", solver_order=2, final_sigmas_type="zero",
                                             lower_order_final=True))
    made.set_timesteps(steps)
    return made


def guided(output):
    negative, positive = output.chunk(2)
    return negative + SCALE * (positive - negative)


def residuals(given, timestep, rows):
    """What stands for a ControlNet: it depends on the time, so that an old one can be told from a new one."""
    factor = 0.5 + float(timestep) / 1000
    side = [SIDE] * 3 + [SIDE // 2] * 3
    down = tuple((given[f"residual.{i}"] * factor).expand(rows, -1, s, s) for i, s in enumerate(side))
    return down, (given["residual.middle"] * factor).expand(rows, -1, SIDE // 2, SIDE // 2)


def deepcache(folder, model, given):
    spec = importlib.util.spec_from_file_location("deepcache", folder / "deepcache.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    golden, cases = {}, []
    for branch, interval, steps, first, controlled in (
            [(branch, 2, 10, 0, False) for branch in range(6)] + [(branch, 3, 10, 0, False) for branch in (0, 2, 3)]
            + [(1, 5, 20, 0, False), (0, 3, 10, 4, False), (3, 2, 10, 3, False), (0, 2, 10, 0, True), (4, 3, 10, 0, True), (0, 1, 10, 0, False)]):
        steps_of = scheduler("ddim", steps)
        helper = module.DeepCacheSDHelper(pipe=types.SimpleNamespace(unet=model, scheduler=steps_of))
        helper.set_params(cache_interval=interval, cache_branch_id=branch)
        helper.enable()
        state = given["initial"]
        for timestep in steps_of.timesteps[first:]:
            more = {}
            if controlled:
                down, middle = residuals(given, timestep, 4)
                more = dict(down_block_additional_residuals=down, mid_block_additional_residual=middle)
            output = model(torch.cat([state] * 2), timestep, encoder_hidden_states=given["prompt"], **more).sample
            state = steps_of.step(guided(output), timestep, state).prev_sample
        helper.disable()
        name = f"branch{branch}-interval{interval}-steps{steps}-from{first}" + ("-control" if controlled else "")
        golden[name] = state
        cases.append(dict(name=name, branch=branch, interval=interval, control=controlled, timesteps=steps_of.timesteps[first:].tolist()))
    return golden, cases


def faster_diffusion(folder, model, given):
    import diffusers.models.unets.unet_2d_condition as unets

    names = ["warpped_feature", "warpped_skip_feature", "warpped_text_emb", "warpped_timestep", "register_faster_forward", "register_time"]
    program = taken(
        folder / "utils_sd.py", names, torch=torch, np=numpy, deepcopy=deepcopy, UNet2DConditionOutput=unets.UNet2DConditionOutput,
        logger=unets.logger, **{name: getattr(typing, name) for name in ("Any", "Dict", "List", "Optional", "Tuple", "Union")})
    plain = model.forward
    golden, cases = {}, []
    for kind, steps, mode, weight, controlled in (
            ("ddim", 50, "50ls", 0.003, False), ("ddim", 50, "50ls", 0.0, False), ("ddim", 50, "pro", 0.05, False), ("ddim", 50, "s2", 0.003, False),
            ("ddim", 100, "100ls", 0.003, False), ("dpm", 20, 3, 0.05, False), ("dpm", 20, 4, 0.0, True), ("ddim", 50, "50ls", 0.003, True)):
        steps_of = scheduler(kind, steps)
        program["register_faster_forward"](model, mode)
        timesteps = steps_of.timesteps
        state = given["initial"]
        is_key = keys(mode)
        step = 0
        while step < steps:
            span = [timesteps[step]]
            program["register_time"](model, step)
            first = step
            step += 1
            while step < steps and not is_key(step):
                span.append(timesteps[step])
                step += 1
            more = {}
            if controlled:
                down, middle = residuals(given, span[0], 4)
                more = dict(down_block_additional_residuals=down, mid_block_additional_residual=middle)
            output = guided(model(torch.cat([state] * 2), span, encoder_hidden_states=given["prompt"], **more).sample)
            # The authors' loop: prior noise before each step of the span, whose outputs were made at once.
            for index, timestep in enumerate(span):
                if timestep / 1000 < 0.5:
                    state = state + weight * given["initial"]
                state = steps_of.step(output.chunk(len(span))[index], timestep, state).prev_sample
            assert is_key(first)
        model.forward = plain
        name = f"{kind}-{steps}-{mode}-noise{weight}" + ("-control" if controlled else "")
        golden[name] = state
        cases.append(dict(name=name, solver=kind, mode=str(mode), noise=weight, control=controlled, timesteps=timesteps.tolist()))
    return golden, cases


def keys(mode):
    """Of the evaluations of a run, as the authors' forward decides."""
    if isinstance(mode, int):
        return lambda i: i % mode == 0
    return {
        "50ls": lambda i: i in [0, 1, 2, 3, 5, 10, 15, 25, 35], "pro": lambda i: int(numpy.sqrt(9 + 8 * i)) ** 2 == 9 + 8 * i,
        "s2": lambda i: i < 20 or i > 40 or i % 2 == 0, "100ls": lambda i: i > 85 or i < 10 or i % 5 == 0}[mode]


def cachequant(folder):
    fisher = taken(folder / "utils.py", ["Fisher"], torch=torch, np=numpy)["Fisher"]
    fit = taken(folder / "cifar_dec.py", ["calculate_abCov"], torch=torch)["calculate_abCov"]
    schedules = []
    for steps, interval in ((12, 3), (20, 4), (20, 5), (30, 6), (25, 10), (9, 2)):
        # A walk whose speed changes, so that groups differ in length.
        speed = 0.2 + torch.linspace(0, 3, steps).sin().abs() ** 2
        features = (noise("cachequant", f"{steps}/{interval}", steps, 6) * speed[:, None]).cumsum(0)
        groups = -(-steps // interval)
        starts = fisher(list(features), groups).feature_to_interval_seq_optimal(interval)
        schedules.append(dict(interval=interval, features=[[float(v) for v in row] for row in features], starts=[int(s) for s in starts]))
    held, wanted = noise("cachequant", "held", 2, 3, 4, 4), noise("cachequant", "wanted", 2, 3, 4, 4)
    wanted = 0.7 * held + 0.2 * wanted + 0.1
    factors, offsets = fit(wanted, held)
    return dict(
        schedules=schedules, held=held.flatten().tolist(), wanted=wanted.flatten().tolist(), shape=list(held.shape), factors=factors.tolist(),
        offsets=offsets.tolist())


def centred(folder):
    choose = taken(folder / "pipeline_stable_diffusion.py", ["sample_from_quad_center"], np=numpy)["sample_from_quad_center"]
    cases = []
    for steps, interval, centre in ((50, 5, 15), (50, 5, 10), (50, 10, 20), (100, 5, 30), (50, 3, 15), (20, 2, 8), (30, 5, 0), (40, 4, 25)):
        # A negative number to a fractional power is complex; the cast keeps the real part, with a warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            full = choose(steps, -(-steps // interval), centre, 1.2)[0]
        cases.append(dict(steps=steps, interval=interval, centre=centre, full=[int(value) for value in full]))
    return cases


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    FOLDER.mkdir(parents=True, exist_ok=True)
    model, given = network(), inputs()
    model.half().save_pretrained(FOLDER / "unet", safe_serialization=True)
    model.float()
    for name, make in (("deepcache", deepcache), ("faster-diffusion", faster_diffusion)):
        with torch.inference_mode():
            golden, cases = make(folder, model, given)
        assert all(value.isfinite().all() and value.std() > 0.05 for value in golden.values())
        save_file({f"out.{key}": value.contiguous() for key, value in golden.items()} | {f"in.{key}": value for key, value in given.items()},
                  FOLDER / f"{name}.safetensors", metadata={"script": "Parity/unet_caches_authors.py", "cases": json.dumps(cases), "scale": str(SCALE)})
        print(name, {key: round(float(value.std()), 3) for key, value in golden.items()})
    (FOLDER / "cachequant.json").write_text(json.dumps(cachequant(folder)) + "\n")
    (FOLDER / "centred.json").write_text(json.dumps(centred(folder)) + "\n")
    print(*(json.dumps(case) for case in centred(folder)), sep="\n")
    print(sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()), "bytes")


if __name__ == "__main__":
    main()
