"""SOAP power spectrum, computed by featomic."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from ase.data import atomic_numbers

from .._checks import checked_elements
from .frames import enclosed
from .optional import library, version_of
from .protocol import AtomDescriptor


def power_spectrum(
    elements,
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
    elements = checked_elements(elements)
    options = {
        "n_max": int(n_max),
        "l_max": int(l_max),
        "width": float(width),
        "smoothing": float(smoothing),
    }
    calculator = library("featomic", "power_spectrum").SoapPowerSpectrum(
        cutoff={
            "radius": cutoff,
            "smoothing": {"type": "ShiftedCosine", "width": options["smoothing"]},
        },
        density={"type": "Gaussian", "width": options["width"]},
        basis={
            "type": "TensorProduct",
            "max_angular": options["l_max"],
            "radial": {"type": "Gto", "max_radial": options["n_max"]},
        },
    )
    z = [atomic_numbers[e] for e in elements]

    def function(atoms, index):
        return _features(calculator, enclosed(atoms, cutoff), index, z)

    return AtomDescriptor(
        function,
        "featomic power spectrum",
        {"elements": list(elements), "cutoff": float(cutoff), **options},
        cutoff,
        elements=elements,
        version=version_of("featomic"),
        rebuild="power_spectrum",
        sensitive_to="elements, distances and angles of the neighbours, not their handedness",
    )


def _features(calculator, atoms, index, z):
    """Rows of the atoms `index`: the blocks of each pair of neighbour elements side by side."""
    labels = library("metatensor", "power_spectrum").Labels
    pairs = list(combinations_with_replacement(z, 2))
    keys = labels(
        ["center_type", "neighbor_1_type", "neighbor_2_type"],
        np.array([(c, *pair) for c in z for pair in pairs], np.int32),
    )
    wanted = np.unique(index)
    samples = labels(["system", "atom"], np.c_[np.zeros_like(wanted), wanted].astype(np.int32))
    found = calculator.compute(atoms, selected_samples=samples, selected_keys=keys)
    row = np.full(len(atoms), -1)
    row[wanted] = np.arange(len(wanted))
    out = None
    for key, block in found.items():
        n = block.values.shape[1]
        out = np.zeros((len(wanted), n * len(pairs))) if out is None else out
        start = n * pairs.index((key["neighbor_1_type"], key["neighbor_2_type"]))
        out[row[np.asarray(block.samples["atom"])], start : start + n] = block.values
    return out[row[index]]
