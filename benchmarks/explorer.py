"""How long the explorer takes to answer in Python when maps of 20 000 points are there.

    python benchmarks/explorer.py

Processor time of each kind of choice, median of interleaved rounds. What a browser adds is printed
by tests/browser.
"""

import itertools

import numpy as np
from _timing import digits, interleaved, keep
from ase.build import bulk

from defectkit import view

ROUNDS = 9
FRAMES = 20


def main():
    crystal = bulk("Si", cubic=True) * (5, 5, 5)
    n = FRAMES * len(crystal)
    labels = np.arange(n) % 5
    maps = {
        (method, window): np.random.default_rng(window).normal(size=(n, 2))
        for method in ("umap", "pca")
        for window in (1, 10)
    }
    explorer = view.explorer(FRAMES * [crystal], labels=labels, maps=maps)
    methods, windows = itertools.cycle(("pca", "umap")), itertools.cycle((10, 1))
    frames, clusters = itertools.cycle(range(1, FRAMES)), itertools.cycle((3, 4))

    def merge():
        explorer.merge([1, 2])
        explorer.undo()

    tasks = {
        "method": lambda: explorer.choose(method=next(methods)),
        "window": lambda: explorer.choose(window=next(windows)),
        "frame": lambda: explorer.choose(frame=next(frames)),
        "select a cluster": lambda: explorer.select(cluster=next(clusters)),
        "merge, undo": merge,
    }
    seconds = interleaved(tasks, ROUNDS)
    keep(
        "explorer",
        {"points": n, "atoms": len(crystal)}
        | {"processor_s": {what: digits(np.median(s)) for what, s in seconds.items()}},
    )


if __name__ == "__main__":
    main()
