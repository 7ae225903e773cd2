"""Compiles the kernels ahead of their first use: `python -m defectkit.symmetry.compile`."""

from __future__ import annotations

import time

import numpy as np
from ase.build import bulk

from ..neighbours.lists import neighbour_list
from . import kernels
from .functions import SymmetryFunctions
from .kernels.tables import make_net


def compile_kernels(single: bool = False) -> None:
    """Compiles what features and potentials need, unless that is on disk already.

    single  also features in single precision
    """
    atoms, symmetry = bulk("Si"), SymmetryFunctions.silicon()
    out = symmetry(atoms)
    net = make_net([(np.ones((out.shape[1], 1)), np.zeros(1), "l")])
    frame = symmetry.geometry(atoms, np.arange(2), *neighbour_list(atoms, symmetry.cutoff))
    plan, force, virial = symmetry.plan("Si"), np.zeros((1, 2, 3)), np.zeros((1, 3, 3))
    given = plan, net, True, np.zeros_like(out), np.zeros(2), force, virial
    kernels.forces_of(1, frame, *given)(0, 1)
    if single:
        symmetry.using(precision="single")(atoms)


if __name__ == "__main__":
    began = time.perf_counter()
    compile_kernels(single=True)
    print(f"the kernels are compiled ({time.perf_counter() - began:.1f} s)")
