"""The structure that tells one descriptor from another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bulk

SIDE = 4.0  # Å, of its cubes of four atoms
CENTRES = range(12)  # those that are described


def probe(elements: Sequence[str] | None = None, cutoff: float = 6.0) -> Atoms:
    """A face-centred cubic crystal that is shaken, of up to three of the elements (default Cu).

    Two cutoffs (Å) wide, 3 to 6 cubes of four atoms along each side; always the same.

    >>> len(probe(["Na", "Cl"]))
    108
    """
    elements = list(elements or ["Cu"])[:3]
    n = int(np.clip(np.ceil(2 * cutoff / SIDE), 3, 6))
    atoms = bulk("Cu", cubic=True, a=SIDE) * (n, n, n)
    k = np.arange(len(atoms))
    atoms.positions += 0.3 * np.sin(np.c_[k, 2 * k + 1, 3 * k + 2] ** 2)
    atoms.symbols = [elements[i % len(elements)] for i in k]
    return atoms
