"""Goldens of the authors' programs for solvers that are fitted to a model, computed in float64, for Tests/QuickstepDiffusionTests.

    python Parity/fitted_authors.py FOLDER [output.json]

FOLDER holds copies of files which are not part of this repository:

    dpm_solver_v3.py                github.com/thu-ml/DPM-Solver-v3   ba168717cef161d3b0b0fae1d69f8ff66838aee3
    olss.py                         github.com/alibaba/EasyNLP        a4ee9568fa094f5825346f3acd0d65b15f1e3a95 (diffusion/olss_scheduler)
    uni_sampler.py, dpm_solver_pytorch.py   those of schedulers_authors.py
    edm_analytical_massprod_O2.py   github.com/Animadversio/GaussianTeleportationDiffusion
                                    77cbd43c0ce2b077da7fbb59bbbeb6053716473b (benchmark)

DPM-Solver-v3 runs on the linear VP schedule in continuous time with the network of schedulers.py told 999 t, and with statistics by formula, which
the tests compute as well; its steps begin and end at points of the statistics, as the program rounds them. So does the unified framework's program
with decisions drawn at random, most of them in the basis of the statistics. OLSS is fitted to DDIM runs of
60 steps of the same network on the scaled-linear schedule and then run from other starts.
"""
import ast
import contextlib
import importlib.util
import io
import json
import math
import random
import sys
import tempfile
from pathlib import Path

import numpy
import torch

import schedulers
from schedulers import INITIAL, Double
from schedulers_authors import decisions

torch.set_default_dtype(torch.float64)
INTERVALS = 600
STEPS = [4, 10, 20]


def load(folder, name):
    spec = importlib.util.spec_from_file_location(name, Path(folder) / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def statistics(lambdas):
    """l, s and b at every level for six elements, as files hold them: float32."""
    e = numpy.arange(1, 7)
    at = lambdas[:, None]
    fields = [0.8 + 0.15 * numpy.sin(0.5 * at + e), 0.2 * numpy.cos(0.4 * at * e), 0.1 * numpy.sin(at - e)]
    return [f.astype(numpy.float32).astype(numpy.float64).reshape(-1, 1, 1, 6) for f in fields]


def write_statistics(place, l, s, b):
    numpy.savez(Path(place) / "l.npz", l=l)
    numpy.savez(Path(place) / "sb.npz", s=s, b=b)


def network(x, t):
    return schedulers.model(x, 999 * t.reshape(-1)[0].item(), "epsilon")


def v3(folder):
    code = load(folder, "dpm_solver_v3")
    # The program is written for a GPU and for float32 lists of times.
    torch.Tensor.cuda = lambda self, *_, **__: self
    torch.FloatTensor = lambda values: torch.tensor([float(v) for v in values])
    schedule = code.NoiseScheduleVP("linear")
    ends = [schedule.marginal_lambda(torch.tensor(t)).item() for t in (1.0, 1e-3)]
    lambdas = numpy.linspace(*ends, INTERVALS + 1)
    l, s, b = statistics(lambdas)
    cases = []
    with tempfile.TemporaryDirectory() as place:
        write_statistics(place, l, s, b)
        for skip in ["logSNR", "time_uniform", "time_quadratic"]:
            for steps in STEPS:
                with contextlib.redirect_stdout(io.StringIO()):
                    solver = code.DPM_Solver_v3(place, schedule, steps=steps, t_start=1.0, t_end=1e-3, skip_type=skip, device="cpu")
                for order in [1, 2, 3]:
                    for predictor in [False, True]:
                        for use, pseudo, half in [(False, False, False), (True, False, False), (True, True, False), (True, True, True)]:
                            for lower in [False, True]:
                                x = torch.tensor(INITIAL).reshape(1, 1, 1, -1)
                                end = solver.sample(x, network, order, predictor, use, pseudo, lower, half).flatten().tolist()
                                assert all(abs(v) < 1e3 for v in end), (skip, steps, order, end)
                                parameters = {
                                    "order": order, "pseudo-predictor": predictor, "pseudo-corrector": pseudo, "lower-order-final": lower,
                                    "corrector": "never" if not use else "first-half" if half else "always", "quadrature": "trapezoid",
                                }
                                text = {k: str(v).lower() for k, v in parameters.items()}
                                cases.append(dict(timesteps=[999 * float(t) for t in solver.timesteps], parameters=text, end=end))
    return dict(lambdas=ends, intervals=INTERVALS, cases=cases)


def usf(folder):
    code, vp = load(folder, "uni_sampler"), load(folder, "dpm_solver_pytorch")
    code.np = Double(numpy)
    torch.Tensor.cuda = lambda self, *_, **__: self
    sampler_class = next(c for c in vars(code).values() if isinstance(c, type) and hasattr(c, "get_diff_derivative"))
    sampler = object.__new__(sampler_class)
    sampler.noise_schedule = vp.NoiseScheduleVP("linear", dtype=torch.float64)
    sampler.correcting_x0_fn = sampler.correcting_xt_fn = None
    sampler.model, sampler.exp_coeffs = network, {}
    ends = [sampler.noise_schedule.marginal_lambda(torch.tensor([t])).item() for t in (1.0, 1e-3)]
    lambdas = numpy.linspace(*ends, INTERVALS + 1)
    with tempfile.TemporaryDirectory() as place:
        write_statistics(place, *statistics(lambdas))
        sampler.statistics_init(place, t_start=1.0, t_end=1e-3)
    numbers, cases = random.Random(11), []
    for steps in [4, 5, 8]:
        for repetition in range(18):
            skip = ["logSNR", "time_uniform", "time_quadratic"][repetition % 3]
            times = sampler.get_time_steps(skip_type=skip, t_T=1.0, t_0=1e-3, N=steps, device="cpu")
            times = sampler.convert_to_timesteps(sampler.convert_to_ems_indexes(times), "cpu")
            theirs, ours = decisions(numbers, steps, ["statistics"] if repetition % 2 else ["statistics", "statistics", "denoised", "epsilon"])
            x = torch.tensor(INITIAL).reshape(1, 1, 1, -1)
            end = sampler.sample(x, dict(theirs, afs="no_afs", timesteps=times), t_start=1.0, t_end=1e-3).flatten().tolist()
            if max(map(abs, end)) < 50:
                text = json.dumps({"steps": ours}, separators=(",", ":"))
                cases.append(dict(timesteps=[999 * float(t) for t in times], parameters=dict(decisions=text, quadrature="trapezoid"), end=end))
    return dict(lambdas=ends, intervals=INTERVALS, cases=cases)


def olss(folder):
    code = load(folder, "olss")
    code.tqdm = lambda values, **_: values
    full, runs = 60, 30
    betas = numpy.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    bars = numpy.cumprod(1 - betas)
    times = [int(t) for t in numpy.round(numpy.arange(1000, 0, -1000 / full)) - 1]
    alphas, sigmas = [math.sqrt(bars[t]) for t in times] + [1.0], [math.sqrt(1 - bars[t]) for t in times] + [0.0]
    network = lambda x, t: schedulers.model(x, float(t), "epsilon")
    starts = numpy.random.default_rng(5).standard_normal((runs + 3, 6)).round(6)
    x = torch.tensor(starts[:runs])
    states, noises = [x], []
    for i, t in enumerate(times):
        eps = network(x, t)
        x = alphas[i + 1] * (x - sigmas[i] * eps) / alphas[i] + sigmas[i + 1] * eps
        states.append(x)
        noises.append(eps)
    x_path, e_path, t_path = torch.stack(states), torch.stack(noises), torch.tensor(times)
    plans = []
    for steps in [2, 3, 4, 6]:
        found, wx, we = code.OLSSSolver().resolve_diffusion_process_graph(steps, t_path, x_path, e_path)
        scheduler = code.OLSSScheduler(found, code.OLSSSchedulerModel(wx, we))
        scheduler.set_timesteps(steps, device="cpu")
        x = torch.tensor(starts[runs:])
        for t in found.tolist():
            # The program adds up in place, in the tensor that holds the initial state times its weight.
            x = scheduler.step(network(x, t), t, x)[0]
        plans.append(dict(steps=steps, timesteps=found.tolist(), initial=wx.tolist(), ends=x.tolist()))
    return dict(steps=full, starts=starts[:runs].tolist(), held=starts[runs:].tolist(), plans=plans)


def teleportation(folder):
    """States of normal data carried to other noises, with all directions of the covariance and with some of them."""
    # The function stands in a script that begins to work when it is imported.
    tree = ast.parse((Path(folder) / "edm_analytical_massprod_O2.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "edm_x_t_traj"]
    space = dict(torch=torch)
    exec(compile(tree, "edm_x_t_traj", "exec"), space)
    random = numpy.random.default_rng(9)
    size, sigmas = 8, [60.0, 7.5, 1.25, 0.1]
    basis = numpy.linalg.qr(random.standard_normal((size, size)))[0]
    mean, states = random.standard_normal(size), random.standard_normal((3, size)) * sigmas[0]
    cases = []
    for rank in [size, 3]:
        variances = random.uniform(0.01, 4, rank)
        ends = space["edm_x_t_traj"](torch.tensor(states), torch.tensor(mean), torch.tensor(basis[:, :rank]), torch.tensor(variances),
                                     torch.tensor(sigmas))
        cases.append(dict(basis=basis[:, :rank].T.tolist(), variances=variances.tolist(), ends=ends.tolist()))
    return dict(mean=mean.tolist(), states=states.tolist(), sigmas=sigmas, cases=cases)


def main():
    folder = sys.argv[1]
    golden = dict(versions=dict(torch=torch.__version__, numpy=numpy.__version__), initial=INITIAL, v3=v3(folder), usf=usf(folder),
                  olss=olss(folder), teleportation=teleportation(folder))
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else (
        Path(__file__).resolve().parent.parent / "Tests/QuickstepDiffusionTests/Fixtures/fitted-authors.json")
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{len(golden['v3']['cases'])} and {len(golden['usf']['cases'])} trajectories, {len(golden['olss']['plans'])} plans, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
