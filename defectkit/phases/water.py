"""Which atoms of a frame are water, and which are ions dissolved in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

#: Elements that stand in molecules beside hydrogen and oxygen: no ions of one atom.
MOLECULAR = (1, 5, 6, 7, 8, 14, 15, 16, 33, 34)
MOST_IONS, MOST_BARE = 0.3, 0.2  # of the oxygens; without hydrogens an oxide has more


def ions(numbers: np.ndarray) -> np.ndarray:
    """Flags (n_atoms,) of what can be ions of one atom in water."""
    return ~np.isin(numbers, MOLECULAR)


def of_water(numbers: np.ndarray) -> bool:
    """Whether these atomic numbers are those of water, with or without ions dissolved in it.

    Oxygen and two hydrogens for each, or none at all; and at most three ions of one atom to ten
    oxygens (one to five where hydrogens are left out), as in saturated brine.
    """
    oxygen, hydrogen = int((numbers == 8).sum()), int((numbers == 1).sum())
    dissolved = int(ions(numbers).sum())
    if oxygen + hydrogen + dissolved != len(numbers) or hydrogen not in (0, 2 * oxygen):
        return False
    return dissolved <= (MOST_IONS if hydrogen else MOST_BARE) * oxygen


def owners(points: Any, oxygen: np.ndarray, orthogonal: bool) -> np.ndarray:
    """Which oxygen (its rank among them) each atom of the frame is nearest to."""
    place = points.positions[: points.size]
    if orthogonal:
        length = np.diag(points.box)
        tree = cKDTree(place[oxygen] % length, boxsize=length)
        return tree.query(place % length)[1]
    images = [(np.array(shift) - 1) * points.pbc @ points.box for shift in np.ndindex(3, 3, 3)]
    tree = cKDTree(np.concatenate([place[oxygen] + image for image in images]))
    return tree.query(place)[1] % len(oxygen)
