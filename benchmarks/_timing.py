"""Interleaved runs, their ratios with spread, and the file they go to."""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"


def interleaved(tasks, rounds, clock=time.process_time):
    """Seconds of each task, {name: array (rounds,)}; one round runs every task once."""
    seconds = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = clock()
            task()
            seconds[name].append(clock() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(over, under):
    """Median and range of the ratio of two tasks, round by round."""
    r = np.asarray(over) / np.asarray(under)
    return {
        "ratio_median": digits(np.median(r)),
        "ratio_min": digits(r.min()),
        "ratio_max": digits(r.max()),
        "rounds": len(r),
    }


def digits(x):
    return float(f"{x:.3g}")


def machine():
    """In words, what the numbers were measured on."""
    names = (
        [
            line.split(":")[1].strip()
            for line in open("/proc/cpuinfo")
            if line.startswith("model name")
        ]
        if os.path.exists("/proc/cpuinfo")
        else []
    )
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load_average": digits(os.getloadavg()[0]),
        "python": platform.python_version(),
    }


def keep(name, numbers, here=True):
    """Writes results/NAME.json, with the machine if it was measured here, and prints it."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(numbers | ({"machine": machine()} if here else {}), indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text, flush=True)


def keep_each(name, doc, models, measure, option="--models"):
    """Command line of a benchmark of several models: each one's numbers are kept once it is done.

    `measure(model, seeds)`; numbers of models that are not measured this time stay as they are.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument(
        option, dest="models", nargs="+", choices=list(models), default=list(models)
    )
    arguments = parser.parse_args()
    path = RESULTS / f"{name}.json"
    for model in arguments.models:
        kept = json.loads(path.read_text()) if path.exists() else {}
        keep(name, kept | {model: measure(model, arguments.seeds)}, here=False)
