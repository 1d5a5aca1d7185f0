"""Components of published sizes: Quickstep, OpenVINO and diffusers in turns on one machine.

    python bench.py --program PATH --work FOLDER --rounds N --markdown FILE.md [NAME …]

Every round runs every contender as a process of its own: one evaluation that is not counted, then `--runs` that are. A contender's time in a
round is the median of those; its ratio is formed within the round, so that what slows the machine down slows both. Peak memory is that of
the whole process. Differences are the largest one to diffusers eager in units of its output's standard deviation. What is measured is also kept
in FILE.json after every round; networks that are not named keep what stands there. A contender that fails, or would not fit into memory, is
told of in the table and does not end the run.
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
# Peak memory as a multiple of the weights, where it was seen to be more than twice as much.
MULTIPLE = {"diffusers, compiled and frozen": 3.1}


class Failure(Exception):
    """A contender that did not finish."""


def run(command, threads):
    """Standard output and peak memory of one process. wait4 reports the child's own peak here: this process is small."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failure(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{errors.decode()[-2000:]}")
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


def available():
    """Bytes that a process may take."""
    line = next(line for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def prepare(name, contenders, options):
    """The network's folder with weights, inputs, the reference's answer and OpenVINO's form."""
    folder = options.work / name
    run([sys.executable, str(HERE / "models.py"), name, str(options.work)], options.threads)
    if "OpenVINO" in contenders:
        run([sys.executable, str(HERE / "convert.py"), str(folder)], options.threads)
    if not (folder / "expected.safetensors").exists():
        run([sys.executable, str(HERE / "run_diffusers.py"), str(folder), "1", str(options.threads), "eager"], options.threads)
        (folder / "diffusers.safetensors").rename(folder / "expected.safetensors")
    return folder


def bench(name, options, keep):
    """Measures one network; `keep` is called with what is there after every round."""
    contenders = [key for key in (*OURS, *PEERS) if not options.only or key in options.only]
    folder = prepare(name, contenders, options)
    weights = sum(file.stat().st_size for file in folder.glob("diffusion_pytorch_model*.safetensors"))
    result = {"name": name, "weights": weights, "runs": options.runs, "threads": options.threads,
              "times": {key: [] for key in contenders}, "peaks": {}, "differences": {}, "missing": {}}
    for contender, multiple in MULTIPLE.items():
        if contender in contenders and multiple * weights > available():
            result["missing"][contender] = f"needs about {multiple * weights / 1e9:.0f} GB, {available() / 1e9:.0f} GB are free"
    for index in range(options.rounds):
        for contender in contenders:
            if contender in result["missing"]:
                continue
            try:
                seconds, peak = one(name, contender, folder, options)
            except Failure as failure:
                result["missing"][contender] = str(failure).splitlines()[-1]
                print(f"{name}, round {index + 1}: {contender} failed: {failure}", file=sys.stderr, flush=True)
                continue
            result["times"][contender].append(statistics.median(seconds))
            result["peaks"][contender] = max(peak, result["peaks"].get(contender, 0))
            result["differences"][contender] = difference(folder, contender)
            print(f"{name}, round {index + 1}: {contender} {result['times'][contender][-1]:.2f} s, {peak / 1e9:.2f} GB",
                  file=sys.stderr, flush=True)
        keep(result)
    return result


def span(values, digits):
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def markdown(results):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    lines = [f"Machine: {cpu}, {os.cpu_count()} cores, load at the end {os.getloadavg()[0]:.2f}. Seconds of one evaluation, batch 1, float32: "
             "median of the rounds and, in brackets, least and most; ratios are formed within a round."]
    for result in results:
        ours = result["times"].get("quickstep", [])
        rounds = max(map(len, result["times"].values()))
        lines += ["", f"### {result['name']}, weights {result['weights'] / 1e9:.2f} GB", "",
                  f"{rounds} rounds of {result['runs']} counted evaluations, {result['threads']} threads.", "",
                  "| contender | seconds | quickstep / contender | peak memory, GB | largest difference, σ |", "|---|---|---|---|---|"]
        for contender, times in result["times"].items():
            if contender in result["missing"]:
                lines.append(f"| {contender} | {result['missing'][contender]} | | | |")
            elif times:
                ratios = [mine / theirs for mine, theirs in zip(ours, times)]
                lines.append(f"| {contender} | {span(times, 2)} | {span(ratios, 2) if ratios else ''} | "
                             f"{result['peaks'][contender] / 1e9:.2f} | {result['differences'][contender]:.1e} |")
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
    stored = options.markdown.with_suffix(".json") if options.markdown else None
    results = {item["name"]: item for item in json.loads(stored.read_text())} if stored and stored.exists() else {}

    def keep(result):
        results[result["name"]] = result
        ordered = [results[name] for name in MODELS if name in results]
        if stored:
            stored.write_text(json.dumps(ordered, indent=1))
            options.markdown.write_text(markdown(ordered))

    for name in options.names or MODELS:
        try:
            bench(name, options, keep)
        except Failure as failure:
            sys.exit(f"{name} could not be prepared: {failure}")
    print(markdown([results[name] for name in MODELS if name in results]))


if __name__ == "__main__":
    main()
