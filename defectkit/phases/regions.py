"""Grains and phases: connected atoms of one crystal and one orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .graph import groups, near_pairs
from .orientation import mean_orientation
from .smoothing import aligned
from .templates import SYSTEM

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure


@dataclass
class Region:
    """Connected atoms of one crystal in one orientation.

    Attributes
    ----------
    name : str
    code : int, as in `Structure.codes`
    atoms : array of int
    fraction : float, of all atoms of the frame
    rotation : array (3, 3) or None
        From the crystal's axes to the frame's; None where the name has none (ice, water, other).
    spread : float
        Degrees, rms of the atoms' orientations about it.
    """

    name: str
    code: int
    atoms: np.ndarray
    fraction: float
    rotation: np.ndarray | None
    spread: float

    def __repr__(self):
        turned = "" if self.rotation is None else f", orientation within {self.spread:.1f} degrees"
        return f"{self.name}, {len(self.atoms)} atoms ({self.fraction:.1%}){turned}"


def regions(
    atoms: Atoms, structure: Structure, angle: float = 8.0, min_size: int | None = None
) -> list[Region]:
    """Grains and phases of a frame, the largest first.

    Parameters
    ----------
    atoms : ase.Atoms
    structure : Structure
        Of this frame, from `structure_types`.
    angle : float
        Degrees: neighbours turned against each other by more belong to two grains.
    min_size : int, optional
        Smaller groups are left out; default 5, or the whole frame where that is smaller.

    Returns
    -------
    list of Region. Atoms called "other" form no region.
    """
    n = len(atoms)
    min_size = min(5, n) if min_size is None else min_size
    i, j, _ = near_pairs(structure, 1.3)
    same = (structure.codes[i] == structure.codes[j]) & (structure.codes[i] > 0)
    same &= structure.sublattice[i] == structure.sublattice[j]
    i, j = i[same], j[same]
    turned = np.isin(structure.codes[i], list(SYSTEM)) & ~structure.sublattice[i]
    q = structure.quaternion
    keep = np.ones(len(i), bool)
    known = turned & np.isfinite(q[i, 0]) & np.isfinite(q[j, 0])
    keep[turned] = False
    keep[known] = aligned(q, structure.codes, i[known], j[known], angle)
    found = []
    for members in groups(n, i[keep], j[keep], structure.codes > 0):
        if len(members) < min_size:
            continue
        code = int(structure.codes[members[0]])
        rotation, spread = None, float("nan")
        fitted = members[np.isfinite(q[members, 0]) & (structure.template[members] == code)]
        if code in SYSTEM and len(fitted):
            rotation, spread = mean_orientation(structure.rotation[fitted], code)
        found.append(
            Region(structure.names[code], code, members, len(members) / n, rotation, spread)
        )
    return found
