"""Time to import and to the first features in fresh processes, and throughput of a parametric net.

python benchmarks/small.py
"""

import os
import subprocess
import sys
import tempfile

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import numpy as np  # noqa: E402
from _timing import digits, interleaved, keep, ratio  # noqa: E402

import defectkit as dk  # noqa: E402

ROUNDS = 7
IMPORTS = {
    "python alone": "pass",
    "numpy": "import numpy",
    "defectkit": "import defectkit",
    "defectkit.embed": "import defectkit; defectkit.embed",
    "defectkit.features": "import defectkit; defectkit.features",
}
FIRST = """from ase import Atoms
import defectkit
atoms = Atoms("Si2", scaled_positions=[[0] * 3, [0.25] * 3], pbc=True,
              cell=[[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]])
defectkit.SymmetryFunctions.silicon()(atoms)
"""
COMPILE = "from defectkit.symmetry.compile import compile_kernels; compile_kernels()"
CHILD = "{}\nimport time; print(time.process_time())"


def imports():
    """Processor seconds of a fresh process that has only imported, median."""
    times = {name: [] for name in IMPORTS}
    for _ in range(ROUNDS):
        for name, line in IMPORTS.items():
            times[name].append(processor_seconds(line))
    return {name: digits(np.median(t)) for name, t in times.items()}


def first_features():
    """Processor seconds of a fresh process up to its first features, all imports included, median.

    Compiled before, to be compiled first, and with the kernels of forces compiled too.
    """
    times = {"compiled before": [], "compiling": [], "compiling, with forces": []}
    for _ in range(ROUNDS):
        times["compiled before"].append(processor_seconds(FIRST))
        for name, code in (("compiling", FIRST), ("compiling, with forces", COMPILE)):
            with tempfile.TemporaryDirectory() as folder:
                times[name].append(processor_seconds(code, NUMBA_CACHE_DIR=folder))
    return {name: digits(np.median(t)) for name, t in times.items()}


def processor_seconds(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(code)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return float(done.stdout)


def net():
    """Million environments a second on one core; features and net over the features alone."""
    symmetry = dk.SymmetryFunctions.silicon()
    frames = dk.load("si-phases-test").frames[:60]
    X = np.concatenate(dk.features(frames, symmetry, progress=False))
    model = dk.ParametricMap(symmetry, "Si", max_epochs=3, progress=False).fit(X, X[:, :2])
    many = np.tile(X, (100_000 // len(X) + 1, 1))
    tasks = {
        "net": lambda: model.predict(many),
        "features": lambda: [symmetry(atoms) for atoms in frames],
        "features and net": lambda: [model.predict(symmetry(atoms)) for atoms in frames],
    }
    for task in tasks.values():
        task()
    seconds = interleaved(tasks, ROUNDS)
    rate = 1e-6 * len(many) / seconds["net"]
    return {
        "million_environments_per_s": {
            "median": digits(np.median(rate)),
            "min": digits(rate.min()),
            "max": digits(rate.max()),
        },
        "features and net over features": ratio(seconds["features and net"], seconds["features"]),
    }


if __name__ == "__main__":
    processes = {"import_processor_s": imports(), "first_features_processor_s": first_features()}
    keep("small", processes | net())
