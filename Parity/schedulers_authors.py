"""Goldens of the authors' programs, for what diffusers does not have, computed in float64.

    python Parity/schedulers_authors.py FOLDER [output.json]

FOLDER holds copies of four files, which are not part of this repository:

    dpm_solver_pytorch.py   github.com/LuChengTHU/dpm-solver   52bc3fbcd5de56d60917b826b15d2b69460fc2fa
    uni_pc.py               github.com/wl-zhao/UniPC           cf9de85bf2ed68137e6fba5f165f451677b174c4
    sampling.py             github.com/crowsonkb/k-diffusion   4601bf085320592473f681a62808ed873d17fad5 (k_diffusion/sampling.py)
    uni_sampler.py          github.com/thu-nics/USF            5b89ef51f95fddb4be76e9c49f01d755b961485e (codebases/edm/uni_sampler)

Everything runs on the linear VP schedule in continuous time, from t = 1 to 1e-3, with the network of schedulers.py told 999 t. DEIS in time
and in rho is computed here from the integrals of its paper, since its program sums them on 10 000 points.
"""
import contextlib
import importlib.util
import io
import json
import math
import random
import sys
import types
from pathlib import Path

import numpy
import torch

import schedulers
from schedulers import INITIAL, NOISES, STEPS

torch.set_default_dtype(torch.float64)
SKIPS = {"linspace": "time_uniform", "log-snr": "logSNR", "quadratic": "time_quadratic"}
CASES, ADAPTIVE = [], []


def load(folder, name):
    for stub in ["torchsde", "torchdiffeq", "parity_k"]:
        sys.modules.setdefault(stub, types.ModuleType(stub))
    sys.modules["torchdiffeq"].odeint = None
    sys.modules["parity_k"].__path__ = []
    sys.modules["parity_k.utils"] = sys.modules["parity_k"].utils = types.ModuleType("utils")
    sys.modules["parity_k.utils"].append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
    spec = importlib.util.spec_from_file_location(f"parity_k.{name}", Path(folder) / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise(x, t):
    return schedulers.model(x, 999 * t.reshape(-1)[0].item(), "epsilon")


def start():
    return torch.tensor(INITIAL).reshape(1, 1, 1, -1)


def record(program, solver, spacing, steps, end):
    end = end.flatten().tolist()
    assert all(abs(v) < 1e3 for v in end), (solver, spacing, steps, end)
    CASES.append(dict(solver=solver, scheduler=program, spacing=spacing, prediction="epsilon", steps=steps, eta=0.0, end=end))


def dpm_solver(folder):
    code = load(folder, "dpm_solver_pytorch")
    schedule = code.NoiseScheduleVP("linear", dtype=torch.float64)
    program = "LuChengTHU/dpm-solver"

    def run(algorithm, **options):
        return code.DPM_Solver(noise, schedule, algorithm_type=algorithm).sample(start(), t_start=1.0, t_end=1e-3, **options)

    for order in [2, 3]:
        for algorithm, kind in [("dpmsolver", "epsilon"), ("dpmsolver++", "denoised")]:
            for tolerance in [0.05, 0.005]:
                calls = []
                counted = code.DPM_Solver(lambda x, t: (calls.append(t), noise(x, t))[1], schedule, algorithm_type=algorithm)
                with contextlib.redirect_stdout(io.StringIO()):
                    end = counted.sample(start(), t_start=1.0, t_end=1e-3, order=order, method="adaptive", rtol=tolerance)
                ADAPTIVE.append(dict(order=order, prediction=kind, tolerance=tolerance, evaluations=len(calls), end=end.flatten().tolist()))

    for spacing, skip in SKIPS.items():
        for variant, kind in [("midpoint", "dpmsolver"), ("taylor", "taylor")]:
            more = dict(skip_type=skip, solver_type=kind)
            for steps in STEPS:
                for order in [2, 3]:
                    ours = f"lower-order-below=10 variant={variant}"
                    plain = dict(more, steps=steps, order=order, method="multistep")
                    record(program, f"dpm-multistep order={order} {ours}", spacing, steps, run("dpmsolver", **plain))
                    record(program, f"dpm++-{order}m {ours}", spacing, steps, run("dpmsolver++", **plain))
                    single = dict(plain, method="singlestep")
                    if spacing != "log-snr":
                        ours = f"stages=grid blocks=official variant={variant}"
                        record(program, f"dpm-singlestep order={order} {ours}", spacing, steps, run("dpmsolver", **single))
                        record(program, f"dpm++-{order}s {ours}", spacing, steps, run("dpmsolver++", **single))
                        continue
                    outer = {2: (steps + 1) // 2, 3: steps // 3 + 1}[order]
                    ours = f"blocks=official evaluations={steps} variant={variant}"
                    record(program, f"dpm-singlestep order={order} {ours}", spacing, outer, run("dpmsolver", **single))
                    record(program, f"dpm++-{order}s {ours}", spacing, outer, run("dpmsolver++", **single))
                    fixed = dict(plain, method="singlestep_fixed", steps=steps * order)
                    record(program, f"dpm-singlestep order={order} variant={variant}", spacing, steps, run("dpmsolver", **fixed))


def unipc(folder):
    code = load(folder, "uni_pc")
    schedule = code.NoiseScheduleVP("linear", dtype=torch.float64) if "dtype" in code.NoiseScheduleVP.__init__.__code__.co_varnames \
        else code.NoiseScheduleVP("linear")
    for spacing, skip in SKIPS.items():
        for variant in ["bh1", "bh2"]:
            for denoised in [True, False]:
                for order in [1, 2, 3]:
                    for steps in STEPS:
                        solver = code.UniPC(noise, schedule, algorithm_type="data_prediction" if denoised else "noise_prediction",
                                            variant=variant)
                        with contextlib.redirect_stdout(io.StringIO()):
                            end = solver.sample(start(), steps=steps, t_start=1.0, t_end=1e-3, order=order, skip_type=skip,
                                                method="multistep")
                        kind = "denoised" if denoised else "epsilon"
                        record("wl-zhao/UniPC", f"unipc order={order} variant={variant} prediction={kind}", spacing, steps, end)


def log_alpha(t):
    return -t * t * (20 - 0.1) / 4 - t * 0.1 / 2


def sigma_at(t):
    return math.sqrt(-math.expm1(2 * log_alpha(t))) / math.exp(log_alpha(t))


def time_at(sigma):
    w = 2 * 19.9 * math.log1p(sigma * sigma)
    return w / ((math.sqrt(0.01 + w) + 0.1) * 19.9)


def k_diffusion(folder):
    code = load(folder, "sampling")
    code.trange = lambda n, **_: range(n)
    program = "crowsonkb/k-diffusion"

    def denoiser(x, sigma, **_):
        s = sigma.reshape(-1)[0].item()
        alpha = 1 / math.sqrt(1 + s * s)
        eps = schedulers.model(alpha * x, 999 * time_at(s), "epsilon")
        return x - s * eps

    high, low = sigma_at(1.0), sigma_at(1e-3)
    last = 1 / math.sqrt(1 + low * low)
    for steps in STEPS:
        sigmas = {"karras": code.get_sigmas_karras(steps + 1, low, high)[:-1],
                  "log-snr": code.get_sigmas_exponential(steps + 1, low, high)[:-1]}
        for spacing, levels in sigmas.items():
            def run(name, ours, **options):
                drawn = iter(NOISES)
                if "noise" not in options:
                    options["noise_sampler"] = lambda *_: torch.tensor(next(drawn)).reshape(1, 1, 1, -1)
                else:
                    options.pop("noise")
                y = start() * math.sqrt(1 + high * high)
                record(program, ours, spacing, steps, last * getattr(code, name)(denoiser, y, levels, disable=True, **options))

            free = "lower-order-final=false"
            run("sample_dpmpp_2m", f"dpm++-2m {free}", noise=None)
            for eta in [0.0, 0.5, 1.0]:
                run("sample_dpmpp_2m_sde", f"sde-dpm++ eta={eta} {free}", eta=eta)
                run("sample_dpmpp_2m_sde", f"sde-dpm++ eta={eta} variant=taylor s-noise=1.1 {free}", eta=eta, s_noise=1.1,
                    solver_type="heun")
                run("sample_dpmpp_3m_sde", f"sde-dpm++ order=3 eta={eta} variant=taylor {free}", eta=eta)
                run("sample_dpmpp_2s_ancestral", f"dpm++-2s eta={eta}", eta=eta)
                # There are noises for 25 steps of two.
                if steps <= 25:
                    run("sample_dpmpp_sde", f"dpm++-sde eta={eta}", eta=eta)
                    run("sample_dpmpp_sde", f"dpm++-sde eta={eta} r=0.4 s-noise=1.1", eta=eta, r=0.4, s_noise=1.1)


WORDS = {"denoised": "data_prediction", "epsilon": "noise_prediction", "statistics": "dpmsolver_v3_prediction"}


def decisions(random_numbers, steps, kinds=("denoised", "epsilon")):
    """Free choices of every kind that the program has, predictions among `kinds`; in its words and in ours."""
    theirs, ours = dict(orders=[], prediction_types=[], start_points=[], derivative_types=[], corrector_types=[]), []

    def estimates(order, start, ages, corrector):
        free = [age for age in ages if age != start]
        out, own = [], []
        for k in range(1, order):
            count = random_numbers.randint(k, min(len(free), 3))
            points = random_numbers.sample(free, count)
            if corrector and -1 not in points:
                points[0] = -1
            word = random_numbers.choice(["none", "linear", "bh1", "bh2", "0.5exp", "-0.5exp"]) if k == 1 else "none"
            slope = round(random_numbers.gauss(0, 0.05), 3)
            shift = 2 if corrector else 1
            name = {"none": None, "bh1": "unipc-bh1", "bh2": "unipc-bh2"}.get(word, word)
            out.append(dict(estimate=f"Difference_{count}", active_points=[-age - shift for age in points], relaxation=name,
                            relaxation_coefficient=slope))
            entry = dict(points=points)
            if word != "none":
                entry["relaxation"] = word
            if word == "linear":
                entry["coefficient"] = slope
            own.append(entry)
        return out, own

    for step in range(steps):
        start_age = random_numbers.choice([0, 0, 0, min(1, step)])
        order = random_numbers.randint(1, min(4, step + 1))
        kind = random_numbers.choice(kinds)
        given, own = estimates(order, start_age, range(step + 1), False)
        theirs["orders"].append(order)
        theirs["prediction_types"].append(WORDS[kind])
        theirs["start_points"].append(-1 - start_age)
        theirs["derivative_types"].append(given)
        decision = dict(prediction=kind, order=order, start=start_age, derivatives=own)
        corrector = dict(type="no_corrector")
        if step + 1 < steps and random_numbers.random() < 0.5:
            order = random_numbers.randint(2, min(4, step + 2))
            given, own = estimates(order, 0, range(-1, step + 1), True)
            corrector = dict(type="pseudo", start_point=-2, taylor_order=order, derivative_type=given)
            decision["corrector"] = dict(order=order, derivatives=own)
        theirs["corrector_types"].append(corrector)
        ours.append(decision)
    return theirs, ours


def usf(folder):
    code, vp = load(folder, "uni_sampler"), load(folder, "dpm_solver_pytorch")
    sampler_class = next(c for c in vars(code).values() if isinstance(c, type) and hasattr(c, "get_diff_derivative"))
    sampler = object.__new__(sampler_class)
    sigma_std = lambda t: math.sqrt(-math.expm1(2 * log_alpha(t.reshape(-1)[0].item())))
    sampler.noise_schedule = vp.NoiseScheduleVP("linear", dtype=torch.float64)
    sampler.correcting_x0_fn = sampler.correcting_xt_fn = None
    sampler.f_prediction_from_noise = lambda x, *_: torch.zeros_like(x)
    numbers = random.Random(7)
    for steps in [4, 5, 10, 20]:
        for repetition in range(10):
            spacing, skip = list(SKIPS.items())[repetition % 3]
            theirs, ours = decisions(numbers, steps)
            for first in ["network", "zero"]:
                # The program's own zero_x0 gives its two predictions different meanings; here x0 = 0 for both.
                sampler.model = lambda x, t: x / sigma_std(t) if first == "zero" and float(t.reshape(-1)[0]) > 0.999999 else noise(x, t)
                end = sampler.sample(start(), dict(theirs, afs="no_afs"), steps=steps, t_start=1.0, t_end=1e-3, skip_type=skip)
                text = json.dumps({"first-evaluation": first, "steps": ours}, separators=(",", ":"))
                if max(abs(v) for v in end.flatten().tolist()) < 50:
                    record("thu-nics/USF", f"usf decisions={text}", spacing, steps, end)


def deis():
    nodes, weights = numpy.polynomial.legendre.leggauss(40)

    def integrate(a, b, f):
        return sum(0.5 * (b - a) * w * f(0.5 * (a + b) + 0.5 * (b - a) * n) for n, w in zip(nodes, weights))

    def integral(a, b, f, pieces=20):
        edges = numpy.linspace(a, b, pieces + 1)
        return sum(integrate(p, q, f) for p, q in zip(edges, edges[1:]))

    def lagrange(points, j, u):
        return math.prod((u - p) / (points[j] - p) for i, p in enumerate(points) if i != j)

    rate = lambda t: -19.9 * t - 0.1  # d log(alpha bar)/dt
    for steps in STEPS:
        for spacing in ["linspace", "quadratic"]:
            times = numpy.linspace(1, 1e-3, steps + 1) if spacing == "linspace" else numpy.linspace(1, 1e-3**0.5, steps + 1) ** 2
            for variable in ["time", "rho"]:
                for order in [2, 3, 4]:
                    x, history = start(), []
                    for i, (s, t) in enumerate(zip(times, times[1:])):
                        history = [noise(x, torch.tensor([s]))] + history[:order - 1]
                        past = [times[i - j] for j in range(len(history))]
                        a_t, a_s = math.exp(log_alpha(t)), math.exp(log_alpha(s))
                        x = a_t / a_s * x
                        for j, eps in enumerate(history):
                            if variable == "time":
                                weight = integral(s, t, lambda u: a_t / math.exp(log_alpha(u)) * -0.5 * rate(u)
                                                  / math.sqrt(-math.expm1(2 * log_alpha(u))) * lagrange(past, j, u))
                            else:
                                points = [sigma_at(p) for p in past]
                                weight = a_t * integral(sigma_at(s), sigma_at(t), lambda u: lagrange(points, j, u), 1)
                            x = x + weight * eps
                    record("qsh-zh/deis", f"deis order={order} variable={variable} lower-order-final=false", spacing, steps, x)


def main():
    folder = sys.argv[1]
    for family in [dpm_solver, unipc, k_diffusion, usf]:
        family(folder)
    deis()
    golden = dict(versions=dict(torch=torch.__version__, numpy=numpy.__version__), initial=INITIAL, noises=NOISES, grids=[], cases=CASES,
                  adaptive=ADAPTIVE)
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/schedulers-authors.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(CASES)} trajectories, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
