"""Components of published sizes: Quickstep, OpenVINO and diffusers in turns on one machine.

    python bench.py --program PATH --work FOLDER --rounds N --markdown FILE [NAME …]

Every round runs every contender as a process of its own: one evaluation that is not counted, then `--runs` that are. A contender's time in a
round is the median of those; its ratio is formed within the round, so that what slows the machine down slows both. Peak memory is that of
the whole process. Differences are the largest one to diffusers eager in units of its output's standard deviation.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = {"quickstep": [], "quickstep, direct convolutions": ["--kernels", "direct"], "quickstep, bfloat16 weights": ["--dtype", "bfloat16"]}
PEERS = {
    "OpenVINO": ["run_openvino.py"], "diffusers": ["run_diffusers.py", "eager"], "diffusers, channels-last": ["run_diffusers.py", "channels-last"],
    "diffusers, compiled and frozen": ["run_diffusers.py", "compiled"],
}


def run(command, threads):
    """Standard output and peak memory of one process. wait4 reports the child's own peak here: this process is small."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{errors.decode()[-2000:]}")
    return output.decode(), usage.ru_maxrss * 1024


def one(name, contender, folder, options):
    """Seconds of the counted evaluations, and peak bytes."""
    runs, threads = options.runs + 1, options.threads
    if contender in OURS:
        output = folder / "quickstep.safetensors"
        command = [options.program, "forward", folder, "--inputs", folder / "inputs.safetensors", "--output", output, "--repeat", runs,
                   "--threads", threads, "--json", *OURS[contender]]
        text, peak = run([str(part) for part in command], threads)
        return json.loads(text)["seconds"][1:], peak
    script, *rest = PEERS[contender]
    text, peak = run([sys.executable, str(HERE / script), str(folder), str(runs), str(threads), *rest], threads)
    return json.loads(text.strip().splitlines()[-1])["seconds"][1:], peak


def difference(folder, contender):
    from safetensors.numpy import load_file

    file = "quickstep" if contender in OURS else "openvino" if contender == "OpenVINO" else "diffusers"
    expected = load_file(folder / "expected.safetensors")["sample"]
    actual = load_file(folder / f"{file}.safetensors")["sample"]
    return float(abs(actual - expected).max() / expected.std())


def bench(name, options):
    folder = options.work / name
    contenders = [key for key in (*OURS, *PEERS) if not options.only or key in options.only]
    run([sys.executable, str(HERE / "models.py"), name, str(options.work)], options.threads)
    if "OpenVINO" in contenders:
        run([sys.executable, str(HERE / "convert.py"), str(folder)], options.threads)
    if not (folder / "expected.safetensors").exists():
        run([sys.executable, str(HERE / "run_diffusers.py"), str(folder), "1", str(options.threads), "eager"], options.threads)
        (folder / "diffusers.safetensors").rename(folder / "expected.safetensors")
    times, peaks, gaps = {key: [] for key in contenders}, {}, {}
    for index in range(options.rounds):
        for contender in contenders:
            seconds, peak = one(name, contender, folder, options)
            times[contender].append(statistics.median(seconds))
            peaks[contender] = max(peak, peaks.get(contender, 0))
            gaps[contender] = difference(folder, contender)
            print(f"{name}, round {index + 1}: {contender} {times[contender][-1]:.2f} s, {peak / 1e9:.2f} GB", file=sys.stderr, flush=True)
    weights = sum(file.stat().st_size for file in folder.glob("diffusion_pytorch_model*.safetensors"))
    return {"name": name, "times": times, "peaks": peaks, "differences": gaps, "weights": weights}


def span(values, digits):
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def markdown(results, options):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    lines = [f"Machine: {cpu}, {os.cpu_count()} cores, {options.threads} threads, load at the end {os.getloadavg()[0]:.2f}. {options.rounds} rounds; "
             f"median and, in brackets, least and most. Times are seconds of one evaluation, batch 1."]
    for result in results:
        lines += ["", f"### {result['name']}, weights {result['weights'] / 1e9:.2f} GB", "",
                  "| contender | seconds | quickstep / contender | peak memory, GB | largest difference, σ |", "|---|---|---|---|---|"]
        for contender, times in result["times"].items():
            ratios = [ours / theirs for ours, theirs in zip(result["times"].get("quickstep", []), times)]
            lines.append(f"| {contender} | {span(times, 2)} | {span(ratios, 2) if ratios else ''} | {result['peaks'][contender] / 1e9:.2f} | "
                         f"{result['differences'][contender]:.1e} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", help="contenders by name; all when not given")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    from models import MODELS

    unknown = [name for name in options.names if name not in MODELS]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there is {', '.join(MODELS)}")
    results = []
    for name in options.names or MODELS:
        results.append(bench(name, options))
        if options.markdown:
            options.markdown.with_suffix(".json").write_text(json.dumps(results, indent=1))
            options.markdown.write_text(markdown(results, options))
    print(markdown(results, options))


if __name__ == "__main__":
    main()
