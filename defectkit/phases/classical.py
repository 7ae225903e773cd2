"""Classical structure analysis of a frame as it is, to judge other answers by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import _mdapy
from .crystals import water_oxygens

if TYPE_CHECKING:
    from ase import Atoms

CNA = np.array(["other", "fcc", "hcp", "bcc", "icosahedral"])
DIAMOND = np.array(
    [
        "other",
        "diamond",
        "diamond",
        "diamond",
        "hexagonal diamond",
        "hexagonal diamond",
        "hexagonal diamond",
    ]
)


def classical_types(atoms: Atoms) -> dict[str, np.ndarray]:
    """Name of each atom's structure by each method: {method: array (n_atoms,) of str}.

    Polyhedral template matching with a largest rmsd of 0.15 and adaptive common neighbour
    analysis (for diamond its own form, where that finds more), both without taking heat out of
    the frame; CHILL+ alone where the atoms are water, "" for hydrogens.

    Raises ValueError as :func:`structure_types`.
    """
    oxygen = water_oxygens(atoms)
    chosen = atoms if oxygen is None else atoms[oxygen]
    points = _mdapy.frame(chosen.positions, chosen.cell.complete().array, chosen.pbc, 20.0)
    if oxygen is not None:
        found = np.full(len(atoms), "", dtype="<U20")
        found[oxygen] = np.array(_mdapy.ICES)[_mdapy.chill_plus(points)]
        return {"CHILL+": found}
    if len(points.positions) <= _mdapy.NEIGHBOURS:
        return {}
    neighbours = _mdapy.nearest(points)[0]
    codes, _, rmsd, _ = _mdapy.match_templates(points, neighbours, max_rmsd=0.15)
    codes = np.where(rmsd > 0.15, 0, codes)[: points.size]
    result = {"polyhedral template matching": np.array(_mdapy.TEMPLATES)[codes]}
    cna = CNA[_mdapy.common_neighbours(points, neighbours)]
    diamond = DIAMOND[_mdapy.diamond_types(points, neighbours)]
    found = max((cna, diamond), key=lambda types: (types != "other").sum())
    return result | {"common neighbour analysis": found}
