"""Cost of the maps: against each library called plainly, all methods at once, and a large case.

    python benchmarks/maps.py overhead    # embed against the library with the same settings
    python benchmarks/maps.py together    # embed_all against three plain calls
    python benchmarks/maps.py large       # 79 200 x 30, all methods and clusters: time and memory
    python benchmarks/maps.py million     # clusters of 10^6 points and their description

Processor time, since other work on the machine does not count in it; wall time beside it where
the number of threads matters.
"""

import json
import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from _timing import digits, interleaved, keep, ratio

N = 12_000
ROUNDS = 3
PROCESSES = 2  # of each kind; the first maps of a process compile parts of the libraries


def silicon(n):
    import defectkit as dk

    data = dk.load("si-phases")
    X = np.concatenate(dk.features(data.frames, dk.SymmetryFunctions.silicon(), progress=False))
    some = np.sort(np.random.default_rng(0).permutation(len(X))[:n])
    return dk.standardise(X)[some], data.truth["phase"][some]


def overhead():
    """`embed` on standardised features against the same call of the library, one thread."""
    import pacmap
    import umap

    import defectkit as dk

    X, _ = silicon(N)
    tasks = {
        "umap, plain": lambda: umap.UMAP(init="pca", random_state=0, n_jobs=1).fit_transform(X),
        "umap, embed": lambda: dk.embed(X, "umap", standardise=False),
        "pacmap, plain": lambda: pacmap.PaCMAP(FP_ratio=2.5, random_state=0).fit_transform(X),
        "pacmap, embed": lambda: dk.embed(X, "pacmap", standardise=False),
    }
    for task in tasks.values():
        task()
    seconds = interleaved(tasks, ROUNDS)
    keep(
        "maps_overhead",
        {
            "n": N,
            "seconds_median": {k: digits(np.median(v)) for k, v in seconds.items()},
            **{
                f"{m}: embed over plain": ratio(seconds[f"{m}, embed"], seconds[f"{m}, plain"])
                for m in ("umap", "pacmap")
            },
        },
    )


PLAIN = """
import sklearn.decomposition, umap, pacmap
maps = {"pca": sklearn.decomposition.PCA(2).fit_transform(X),
        "umap": umap.UMAP(random_state=0).fit_transform(X),
        "pacmap": pacmap.PaCMAP(random_state=0).fit_transform(X)}
"""
TOGETHER = """
import defectkit as dk
maps = dk.embed_all(X, standardise=False)
"""
SCRIPT = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import umap, pacmap, sklearn.decomposition, defectkit
X = np.load(sys.argv[1])
def processor():
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
seconds = []
for again in range(2):
    cpu, wall = processor(), time.perf_counter()
    {work}
    seconds.append([processor() - cpu, time.perf_counter() - wall])
print(json.dumps(seconds))
np.savez(sys.argv[2], **maps)
"""


def together():
    """Seconds (processor, wall) of both: first maps of a process, and second."""
    import tempfile

    import defectkit as dk
    from defectkit.clusters import agreement, knn_error

    X, phase = silicon(N)
    numbers, seconds = {"n": N}, {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/X.npy", X)
        for _ in range(PROCESSES):
            for threads in ("1", str(os.cpu_count())):
                for name, work in (("plain", PLAIN), ("together", TOGETHER)):
                    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
                    done = subprocess.run(
                        [
                            sys.executable,
                            "-c",
                            SCRIPT.format(work=work.replace("\n", "\n    ")),
                            f"{folder}/X.npy",
                            f"{folder}/{name}.npz",
                        ],
                        check=True,
                        text=True,
                        capture_output=True,
                        env=os.environ | dict.fromkeys(names, threads),
                    )
                    both = json.loads(done.stdout.splitlines()[-1])
                    for which, pair in zip(("first", "second"), both, strict=True):
                        key = f"{which} maps of a process, {threads} thread(s)"
                        seconds.setdefault((key, name), []).append(pair)
        maps = {name: dict(np.load(f"{folder}/{name}.npz")) for name in ("plain", "together")}
    for key in dict.fromkeys(k for k, _ in seconds):
        for column, clock in enumerate(("processor", "wall")):
            a, b = (np.array(seconds[key, n])[:, column] for n in ("together", "plain"))
            numbers[f"together over plain, {key}, {clock} time"] = ratio(a, b) | {
                "together_s": digits(np.median(a)),
                "plain_s": digits(np.median(b)),
            }
    for m in maps["together"]:
        own = {name: dk.cluster(maps[name][m].astype(float)) for name in maps}
        numbers[f"labels, {m}"] = {
            "ari_together_with_plain": digits(agreement(own["together"], own["plain"])),
            "knn_error_together": digits(knn_error(maps["together"][m], phase)[0]),
            "knn_error_plain": digits(knn_error(maps["plain"][m], phase)[0]),
        }
    keep("maps_together", numbers)


def large():
    """Ice and water at 250 K, 110 averages over 0.75 ps of each (they overlap): 79 200 x 30.

    From the trajectories to labels in one process; peak memory is that of the whole process.
    """
    import defectkit as dk
    from defectkit import averaging
    from defectkit.clusters import agreement, linear_error

    clock = {"start": time.process_time()}
    wall = time.perf_counter()
    X, phase = [], []
    for kind, name in enumerate(("water-ice", "water-liquid")):
        data = dk.load(name)
        G = dk.features(data.frames, dk.SymmetryFunctions.water(), "O", progress=False)
        means = dk.moving_average(G, averaging.window_from_ps(0.75, data.dt))
        X.append(means[np.linspace(0, len(means) - 1, 110).astype(int)].reshape(-1, 30))
        phase.append(np.full(len(X[-1]), kind))
        del G, means, data
    X, phase = np.concatenate(X), np.concatenate(phase)
    clock["trajectories, features and averages"] = time.process_time()
    before = memory()
    maps = dk.embed_all(X, ("pca",)) | dk.embed_all(X, ("umap", "pacmap"))
    clock["maps"] = time.process_time()
    labels = {m: dk.cluster(Y) for m, Y in maps.items()}
    clock["clusters"] = time.process_time()
    steps = list(clock)
    numbers = {
        "shape": list(X.shape),
        "peak_memory_GB": digits(memory()),
        "peak_memory_GB_before_the_maps": digits(before),
        "wall_s": digits(time.perf_counter() - wall),
        "processor_s": {
            b: digits(clock[b] - clock[a]) for a, b in zip(steps, steps[1:], strict=False)
        },
    }
    for m in maps:
        numbers[m] = {
            "clusters": int(labels[m].max()) + 1,
            "ari_with_the_phases": digits(agreement(labels[m], phase)),
            "linear_error": digits(linear_error(maps[m], phase)[0]),
        }
    keep("maps_large", numbers)


def million():
    """Clusters of 10^6 points of a map, and their description: neighbours, q4, q6, open sides.

    Copper of 100 frames of 10 000 atoms, rattled; the map is five normal distributions of 60 to
    1 %.
    """
    from ase.build import bulk

    import defectkit as dk
    from defectkit.clusters import agreement, describe

    rng, n = np.random.default_rng(0), 10**6
    drawn = rng.choice(5, n, p=[0.6, 0.3, 0.07, 0.02, 0.01])
    Y = rng.normal(size=(n, 2)) + 12 * np.array([[0, 0], [1, 0], [0, 1], [1, 1], [-1, 0]])[drawn]
    crystal = bulk("Cu") * (20, 20, 25)
    frames = [crystal.copy() for _ in range(n // len(crystal))]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.08, seed=seed)
    describe(drawn[: len(crystal)], frames[:1], 3.1)  # compiled
    clock = [time.process_time()]
    labels = dk.cluster(Y)
    clock.append(time.process_time())
    table = describe(labels, frames, 3.1)
    clock.append(time.process_time())
    keep(
        "maps_million",
        {
            "points": n,
            "processor_s": dict(
                zip(("clusters", "description"), map(digits, np.diff(clock)), strict=True)
            ),
            "ari_with_the_distributions": digits(agreement(labels, drawn)),
            "coordination": digits(table["coordination"].iloc[0]),
            "peak_memory_GB": digits(memory()),
        },
    )


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # GB, on Linux


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] in ("overhead", "large", "million"):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
            if os.environ.get(name) != "1":  # read when the libraries are loaded: start anew
                os.environ |= dict.fromkeys(
                    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
                )
                os.execv(sys.executable, [sys.executable, *sys.argv])
    modes = {"overhead": overhead, "together": together, "large": large, "million": million}
    modes[sys.argv[1]]()
