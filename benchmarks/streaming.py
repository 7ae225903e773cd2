"""Cost of labelling a streamed trajectory: per atom over its length, and on one and two workers.

Diamond silicon of 512 atoms, rattled, as extended XYZ; classifier of four phases. Serial runs of
10^4, 10^5 and 10^6 atom-frames in processor time; with --dask also wall time serially and on a
local cluster of one and of two workers, interleaved: two idle cores are needed for it to mean
much.

    python benchmarks/streaming.py [--dask] [--largest 1000000]
"""

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import ase.io  # noqa: E402
import numpy as np  # noqa: E402
from _timing import keep, ratio  # noqa: E402
from ase.build import bulk  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit.parametric import EnvironmentClassifier  # noqa: E402
from defectkit.streaming import classify_trajectory, local_client  # noqa: E402
from defectkit.trajectory import iter_frames  # noqa: E402

ROUNDS = 9


def model():
    data = dk.load("si-phases")
    symmetry = dk.SymmetryFunctions.silicon()
    X = np.concatenate(dk.features(data.frames, symmetry, progress=False))
    return EnvironmentClassifier(symmetry, "Si", window=5, max_epochs=10, progress=False).fit(
        X, data.truth["phase"], data.truth["frame"]
    )


def write(path, n_frames):
    start = bulk("Si", cubic=True) * (4, 4, 4)
    with open(path, "w") as file:
        for n in range(n_frames):
            atoms = start.copy()
            atoms.rattle(0.1, seed=n)
            ase.io.write(file, atoms, format="extxyz")


def timed(clock, work):
    start = clock()
    work()
    return clock() - start


def serial(folder, fitted, largest):
    """µs per atom-frame, all and its parts, by length."""
    result = {}
    for size in (10**4, 10**5, 10**6):
        if size > largest:
            break
        n = round(size / 512)
        path = folder / f"{size}.extxyz"
        write(path, n)
        output = folder / f"{size}.out.extxyz"
        parts = {
            "all": partial(classify_trajectory, path, fitted, progress=False, output=output),
            "reading": lambda: [None for _ in iter_frames(path)],  # noqa: B023
            "reading and features": lambda: [
                None
                for atoms in iter_frames(path)  # noqa: B023
                if fitted.symmetry(atoms) is None
            ],
        }
        result[str(size)] = {
            name: round(1e6 * timed(time.process_time, work) / (n * 512), 2)
            for name, work in parts.items()
        }
        print(size, "atom-frames, µs per atom-frame:", result[str(size)], flush=True)
    return result


def shared(folder, fitted):
    """Wall seconds serially, on one worker and on two, medians of interleaved rounds."""
    path = folder / "shared.extxyz"
    write(path, 1800)
    times = {0: [], 1: [], 2: []}
    for number in range(ROUNDS):
        for workers, taken in times.items():
            output = folder / f"{number}.{workers}.extxyz"
            label = partial(classify_trajectory, path, fitted, progress=False, output=output)
            if workers:
                with _cluster(workers, fitted) as client:
                    taken.append(timed(time.perf_counter, partial(label, client=client)))
            else:
                taken.append(timed(time.perf_counter, label))
            output.unlink()  # else the disk is still being written to in the next run
    seconds = {str(w): round(float(np.median(t)), 2) for w, t in times.items()}
    numbers = {"wall_s_by_workers": seconds}
    for name, (a, b) in {"one_over_two": (1, 2), "one_over_serial": (1, 0)}.items():
        numbers[name] = ratio(times[a], times[b])
    print("wall s by workers:", numbers)
    return numbers


@contextmanager
def _cluster(workers, fitted):
    """A client of that many workers, which have labelled a frame."""
    with local_client(workers) as client:
        client.gather(
            [
                client.submit(_label_one, fitted, workers=[worker], pure=False)
                for worker in client.nthreads()
            ]
        )
        yield client


def _label_one(fitted):
    """Loads what a worker needs, as this process has it loaded already."""
    with tempfile.TemporaryDirectory() as folder:
        classify_trajectory(
            [bulk("Si", cubic=True)], fitted, 1, Path(folder) / "one.extxyz", progress=False
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--largest", type=int, default=10**6)
    arguments = parser.parse_args()
    fitted = model()
    with tempfile.TemporaryDirectory() as name:
        numbers = {"serial_us_per_atom_frame": serial(Path(name), fitted, arguments.largest)}
        if arguments.dask:
            numbers["dask"] = shared(Path(name), fitted)
    keep("streaming", numbers)
