"""SOAP power spectrum and the invariant part of the spherical expansion, computed by featomic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from .._checks import checked_elements
from .frames import enclosed
from .optional import library, version_of
from .protocol import AtomDescriptor


def power_spectrum(
    elements: Sequence[str],
    cutoff: float = 5.0,
    n_max: int = 6,
    l_max: int = 4,
    width: float = 0.3,
    smoothing: float = 0.5,
) -> AtomDescriptor:
    """Power spectrum of the smooth density of neighbours, as featomic defines it.

    Parameters
    ----------
    elements : sequence of str
        All elements of the frames.
    cutoff : float
        Å.
    n_max, l_max : int
        The highest radial and angular indices.
    width : float
        Of the Gaussian at each neighbour (Å).
    smoothing : float
        Width over which neighbours fade at the cutoff (Å).

    Returns
    -------
    AtomDescriptor

    Raises
    ------
    ImportError
        Without featomic.

    Notes
    -----
    Goscinski et al., Open Res. Europe 3, 81 (2023). The number of features grows with the square
    of the number of elements.
    """
    return _described(
        "SoapPowerSpectrum",
        "power_spectrum",
        "featomic power spectrum",
        elements,
        cutoff,
        {"n_max": int(n_max), "l_max": int(l_max), "width": float(width)},
        smoothing,
        lambda z: {"neighbor_1_type neighbor_2_type": list(combinations_with_replacement(z, 2))},
    )


def spherical_expansion(
    elements: Sequence[str],
    cutoff: float = 5.0,
    n_max: int = 12,
    width: float = 0.3,
    smoothing: float = 0.5,
) -> AtomDescriptor:
    """Invariant part of the spherical expansion: the density of neighbours over the distance.

    elements, cutoff, width, smoothing  as `power_spectrum`
    n_max                               the highest radial index

    The coefficients of angular momentum 0, for each element of the neighbours; all others turn
    with the atoms. So it sees distances and no angles: less than `power_spectrum`, which is
    made of all of them, at a small part of its cost. Raises ImportError without featomic.
    """
    return _described(
        "SphericalExpansion",
        "spherical_expansion",
        "featomic spherical expansion",
        elements,
        cutoff,
        {"n_max": int(n_max), "width": float(width)},
        smoothing,
        lambda z: {"neighbor_type": [(one,) for one in z]},
        ("o3_lambda", "o3_sigma"),
    )


def _described(calculator, adapter, kind, elements, cutoff, options, smoothing, columns, fixed=()):
    """Descriptor around one of featomic's calculators.

    columns  {names of the neighbours' keys: values, in the order of the columns}
    fixed    names of keys that are 0 and 1, of an expansion's invariant part
    """
    elements = checked_elements(elements)
    options = {**options, "smoothing": float(smoothing)}
    made = getattr(library("featomic", adapter), calculator)(
        cutoff={
            "radius": cutoff,
            "smoothing": {"type": "ShiftedCosine", "width": options["smoothing"]},
        },
        density={"type": "Gaussian", "width": options["width"]},
        basis={
            "type": "TensorProduct",
            "max_angular": options.get("l_max", 0),
            "radial": {"type": "Gto", "max_radial": options["n_max"]},
        },
    )
    z = [atomic_numbers[e] for e in elements]
    ((names, values),) = columns(z).items()

    def function(atoms, index):
        return _features(made, enclosed(atoms, cutoff), index, z, names.split(), values, fixed)

    return AtomDescriptor(
        function,
        kind,
        {"elements": list(elements), "cutoff": float(cutoff), **options},
        cutoff,
        elements=elements,
        version=version_of("featomic"),
        rebuild=adapter,
        sensitive_to="elements, distances and angles of the neighbours, not their handedness"
        if "l_max" in options
        else "elements and distances of the neighbours, not angles",
    )


def _features(calculator, atoms, index, z, names, values, fixed):
    """Rows of the atoms `index`: the blocks of each kind of neighbours side by side."""
    labels = library("metatensor", "featomic").Labels
    keys = labels(
        [*fixed, "center_type", *names],
        np.array([(*(0, 1)[: len(fixed)], c, *of) for c in z for of in values], np.int32),
    )
    wanted = np.unique(index)
    samples = labels(["system", "atom"], np.c_[np.zeros_like(wanted), wanted].astype(np.int32))
    found = calculator.compute(atoms, selected_samples=samples, selected_keys=keys)
    row = np.full(len(atoms), -1)
    row[wanted] = np.arange(len(wanted))
    out: Any = None
    for key, block in found.items():
        n = block.values.shape[-1]
        out = np.zeros((len(wanted), n * len(values))) if out is None else out
        start = n * values.index(tuple(int(key[name]) for name in names))
        rows = row[np.asarray(block.samples["atom"])]
        out[rows, start : start + n] = np.reshape(block.values, (len(rows), n))
    return out[row[index]]
