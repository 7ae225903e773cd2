"""Compiles ahead of their first use the loops of descriptors, potentials, maps and `identify`.

    python -m defectkit.compile

Loops that numba cannot keep on disk are compiled by each process all the same.
"""

from __future__ import annotations

import time

import numpy as np
from ase.build import bulk

from .embedding import embed
from .symmetry.compile import compile_kernels
from .workflow import identify


def compile_all() -> None:
    """Uses each of them once, on a few atoms: what is on disk already is loaded."""
    compile_kernels(single=True)
    points = np.random.default_rng(0).normal(size=(200, 4))
    for method in ("umap", "pacmap"):
        embed(points, method)
    crystal = bulk("Si", cubic=True) * 2
    crystal.rattle(0.03, seed=1)
    vacancy, interstitial = crystal.copy(), crystal.copy()
    del vacancy[0]
    interstitial.append("Si")
    interstitial.positions[-1] = [2.7, 2.7, 2.7]
    for atoms in (vacancy, interstitial):
        identify(atoms, progress=False)


if __name__ == "__main__":
    began = time.perf_counter()
    compile_all()
    print(f"everything is compiled ({time.perf_counter() - began:.0f} s)")
