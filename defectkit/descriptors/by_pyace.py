"""Atomic cluster expansion, computed by python-ace (pacemaker).

What is trusted: a potential's `.yaml` is read by python-ace as plain data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._checks import checked_elements
from .._types import FilePath
from ..io.download import sha256_of
from .frames import enclosed, in_slabs
from .optional import library, version_of
from .protocol import AtomDescriptor
from .weights import given_file

MOST = 10_000  # atoms of a slab
SEES = "elements, distances and angles of the neighbours, not their handedness"


def ace(
    elements: Sequence[str],
    cutoff: float = 5.0,
    n_max: Sequence[int] = (8, 4, 2),
    l_max: Sequence[int] = (0, 3, 2),
) -> AtomDescriptor:
    """Products of radial functions and spherical harmonics of the neighbours (ACE), a general set.

    Parameters
    ----------
    elements : sequence of str
        All elements of the frames.
    cutoff : float
        Å.
    n_max, l_max : sequence of int
        Radial functions and highest angular momentum of the products of one, two, three, ...
        neighbours.

    Returns
    -------
    AtomDescriptor

    Raises
    ------
    ImportError
        Without python-ace.

    Notes
    -----
    Drautz, Phys. Rev. B 99, 014104 (2019). Chebyshev polynomials of an exponentially scaled
    distance (parameter 5.25); the invariant B functions, not the energy.
    """
    elements = checked_elements(elements)
    n_max, l_max = list(map(int, n_max)), list(map(int, l_max))
    if len(n_max) != len(l_max) or not n_max:
        raise ValueError(f"n_max={n_max} and l_max={l_max} need one number for each order.")
    made = library("pyace", "ace").create_multispecies_basis_config(
        {
            "deltaSplineBins": 0.001,
            "elements": sorted(elements),
            "embeddings": {
                "ALL": {
                    "npot": "FinnisSinclairShiftedScaled",
                    "fs_parameters": [1, 1],
                    "ndensity": 1,
                }
            },
            "bonds": {
                "ALL": {
                    "radbase": "ChebExpCos",
                    "radparameters": [5.25],
                    "rcut": float(cutoff),
                    "dcut": 0.01,
                    "NameOfCutoffFunction": "cos",
                }
            },
            "functions": {"ALL": {"nradmax_by_orders": n_max, "lmax_by_orders": l_max}},
        }
    )
    parameters = {
        "elements": list(elements),
        "cutoff": float(cutoff),
        "n_max": n_max,
        "l_max": l_max,
    }
    return _described(
        library("pyace.basis", "ace").ACEBBasisSet(made),
        parameters,
        elements,
        float(cutoff),
        "ace",
    )


def ace_from_file(path: FilePath) -> AtomDescriptor:
    """As `ace`, the B functions of a fitted potential.

    path  the `.yaml` that pacemaker wrote

    A saved model records the file's digest, not the file: give the descriptor to `load_model`
    again. Raises FileNotFoundError, and ValueError for a file that is no such potential.
    """
    code = library("pyace.basis", "ace")
    path = given_file(path, "is no potential", "give the .yaml that pacemaker wrote")
    try:
        basis = code.ACEBBasisSet(str(path))
    except Exception as error:  # compiled code raises every kind
        raise ValueError(
            f"{path} is no potential that python-ace reads "
            f"({type(error).__name__}); give the .yaml that pacemaker wrote."
        ) from error
    digest = sha256_of(path)
    return _described(
        basis,
        {"ace_sha256": digest},
        checked_elements(list(basis.elements_name)),
        float(basis.cutoffmax),
        "",
    )


def _described(basis, parameters, elements, cutoff, rebuild):
    calculator = library("pyace.asecalc", "ace").PyACECalculator(basis)

    def describe(part):
        calculator.calculate(enclosed(part, cutoff), properties=("energy",))
        return np.array(calculator.projections, float)

    return AtomDescriptor(
        lambda atoms, index: in_slabs(atoms, index, cutoff, MOST, describe),
        "ACE",
        parameters,
        cutoff,
        elements=elements,
        version=version_of("pyace"),
        rebuild=rebuild,
        batch=10**9,
        sensitive_to=SEES,
    )
