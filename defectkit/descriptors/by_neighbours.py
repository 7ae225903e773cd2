"""Any descriptor averaged over each atom and its neighbours, as a descriptor."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..neighbours.average import neighbour_average
from .protocol import AtomDescriptor, check_descriptor
from .records import as_dict, from_dict

WHOLE = 2**62  # centres at a time: what one frame's neighbours share is computed once


def neighbour_averaged(descriptor: Any, shell: float) -> AtomDescriptor:
    """Features averaged over each atom and its neighbours of the same element.

    What Lechner and Dellago did to bond order parameters (J. Chem. Phys. 129, 114707 (2008)):
    phases come further apart in hot frames, what is thinner than the shell is washed out. In a
    classifier it streams like any other descriptor; for a frame's features see
    `averaging.neighbour_average`.

    Parameters
    ----------
    descriptor : SymmetryFunctions or another descriptor, or its record (`as_dict`)
    shell : float
        Å, the end of the first shell of neighbours: 2.9 in silicon, 3.5 between the oxygens of
        water.

    Returns
    -------
    AtomDescriptor with the columns of `descriptor`; it sees as far as both together.

    Raises
    ------
    ValueError
        What is no descriptor; a shell that is not above 0.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from defectkit import SymmetryFunctions
    >>> smooth = neighbour_averaged(SymmetryFunctions.silicon(), 2.9)
    >>> smooth(bulk("Si", cubic=True)).shape
    (8, 35)
    """
    inner = from_dict(descriptor) if isinstance(descriptor, dict) else descriptor
    if check_descriptor(inner, "descriptor") is None:
        raise ValueError("descriptor=None gives no features; pass a SymmetryFunctions.")
    if isinstance(shell, bool) or not 0.0 < shell < np.inf:
        raise ValueError(
            f"shell={shell!r} must be a positive length in Å: the end of the first shell."
        )

    elements = inner.elements
    names = inner.names(elements[0]) if elements else inner.names("")
    return AtomDescriptor(
        partial(_means, inner, shell),
        "neighbour average",
        {"descriptor": as_dict(inner), "shell": float(shell)},
        inner.cutoff + shell,
        elements=elements,
        columns=names or None,
        sensitive_to=inner.sensitive_to,
        rebuild="neighbour_averaged",
        batch=WHOLE,
    )


def _means(descriptor, shell, atoms, index):
    numbers, parts = atoms.numbers[index], {}
    for number in np.unique(numbers):
        own = np.flatnonzero(atoms.numbers == number)
        averaged = neighbour_average(descriptor(atoms, own), atoms[own], shell)
        parts[number] = averaged[np.searchsorted(own, index[numbers == number])]
    out = np.empty((len(index), *{part.shape[1] for part in parts.values()}))
    for number, part in parts.items():
        out[numbers == number] = part
    return out
