"""identify, from 64 atoms to a million and over long runs: time, memory, and what it found.

    python benchmarks/identify.py                  # all cases, a quarter of an hour
    python benchmarks/identify.py "64 atoms"       # some of them

Each case has a process of its own; `import_s` is its first import, which takes as long for every
case, `wall_s` the first call, which imports the rest of what it needs. One frame is copper with
vacancies, rattled by 0.08 Å; a run is the same crystal with one vacancy, rattled anew in each
frame (no dynamics: it measures the cost of reading and mapping).
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from _timing import RESULTS, digits, keep
from ase.build import bulk
from ase.io import write

HEAT = 0.08  # Å
CASES = {  # primitive cells along each edge, vacancies, frames
    "64 atoms": ((4, 4, 4), 1, 1),
    "100 000 atoms": ((47, 47, 47), 21, 1),
    "a million atoms": ((100, 100, 100), 200, 1),
    "2000 frames of 1000 atoms": ((10, 10, 10), 1, 2000),
    "10 000 frames of 100 atoms": ((5, 5, 4), 1, 10_000),
}


def crystal(cells, vacancies):
    atoms = bulk("Cu") * cells
    drawn = np.random.default_rng(0).choice(len(atoms), vacancies, replace=False)
    del atoms[drawn]
    return atoms


def rattled(atoms, seed):
    moved = atoms.copy()
    moved.positions += np.random.default_rng(seed).normal(0, HEAT, moved.positions.shape)
    return moved


def one(name):
    """Measures one case in this process."""
    cells, vacancies, n_frames = CASES[name]
    atoms = crystal(cells, vacancies)
    with tempfile.TemporaryDirectory() as folder:
        source = rattled(atoms, 0)
        if n_frames > 1:
            source = str(Path(folder) / "run.extxyz")
            write(source, (rattled(atoms, seed) for seed in range(n_frames)))
        begun = time.perf_counter()
        from defectkit import identify

        imported = time.perf_counter() - begun
        wall, processor = time.perf_counter(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it samples
            result = identify(source, progress=False)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    found = result.defects["kind"]
    n_looked_at = len(result.info["analysed_frames"])
    return {
        "atoms": len(atoms),
        "frames": n_frames,
        "vacancies": vacancies,
        "vacancies_found_per_frame": digits((found == "vacancy").sum() / n_looked_at),
        "others_found": int((found != "vacancy").sum()),
        "import_s": digits(imported),
        "wall_s": digits(wall),
        "processor_s": digits(processor),
        "peak_memory_GB": digits(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2),
    }


def main(names):
    path = RESULTS / "identify.json"
    numbers = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        done = subprocess.run(
            [sys.executable, __file__, "--one", name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        numbers[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, numbers[name], flush=True)
        keep("identify", {k: v for k, v in numbers.items() if k != "machine"})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        main(sys.argv[1:] or list(CASES))
