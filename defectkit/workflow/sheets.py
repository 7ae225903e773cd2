"""Edges of a sheet: atoms with fewer bonds to the other elements than most of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..neighbours.lists import neighbour_pairs
from ..phases import ExtendedDefect

if TYPE_CHECKING:
    from ase import Atoms

THICKEST, LEAST_VACUUM = 4.0, 6.0  # Å
MOST_TOLD = 12  # atoms that are named one by one
REACH = 1.45  # longest bond, in units of the median shortest distance to another element
APART = 1.6  # of those distances: longer ones are between layers


def is_sheet(atoms: Atoms) -> bool:
    """Whether the atoms lie in one sheet thinner than 4 Å with 6 Å of vacuum or more beside it.

    The outermost twentieth on each side does not count: a hot sheet ripples.
    """
    cell = atoms.cell.complete().array
    inverse = np.linalg.inv(cell)
    scaled = atoms.positions @ inverse
    for axis in range(3):
        across = 1 / np.linalg.norm(inverse[:, axis])
        place, vacuum = scaled[:, axis], np.inf
        if atoms.pbc[axis]:
            order = np.sort(place % 1)
            gaps = np.diff(order, append=order[0] + 1)
            vacuum = gaps.max() * across
            place = (place - order[gaps.argmax()] - 1e-9) % 1
        low, high = np.percentile(place, [5, 95])
        if (high - low) * across < THICKEST and vacuum > LEAST_VACUUM:
            return True
    return False


def bonds_to_others(atoms: Atoms) -> np.ndarray:
    """Number of bonds of each atom to atoms of other elements, (n_atoms,) of int."""
    i, j, d = neighbour_pairs("ijd", atoms, 4.5)
    other = atoms.numbers[i] != atoms.numbers[j]
    i, d = i[other], d[other]
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, i, d)
    bond = nearest[np.isfinite(nearest)]
    if len(bond):  # of two layers one may have other elements only in the other layer
        bond = bond[bond < APART * np.quantile(bond, 0.25)]
    reach = REACH * np.median(bond) if len(bond) else 0.0
    return np.bincount(i[d < reach], minlength=len(atoms))


def _told(members, element):
    """Atoms in words, "5 Mo (0, 21, 42, 62, 83)"; many are only counted."""
    which = f" ({', '.join(map(str, members))})" if len(members) <= MOST_TOLD else ""
    return f"{len(members)} {element}{which}"


def edges(atoms: Atoms, near_defects: np.ndarray) -> list[ExtendedDefect]:
    """Atoms of a sheet that lack bonds and are not beside a point defect, as one edge.

    atoms         one frame (Å) of a sheet of a compound
    near_defects  flags (n_atoms,) of atoms that a point defect explains
    """
    bonds, lacking, words = bonds_to_others(atoms), np.zeros(len(atoms), bool), []
    for element in sorted(set(atoms.symbols)):
        own = atoms.symbols == element
        usual = int(np.bincount(bonds[own]).argmax())
        few = own & (bonds < usual) & ~near_defects
        lacking |= few
        words += [
            f"{_told(np.flatnonzero(few & (bonds == k)), element)} with {k} of {usual} bonds"
            for k in np.unique(bonds[few])
        ]
    if not lacking.any():
        return []
    members = np.flatnonzero(lacking)
    return [
        ExtendedDefect(
            "edge",
            members,
            "edge of the sheet: " + ", ".join(words),
            None,
            atoms.positions[members].mean(axis=0),
            0.9,
        )
    ]
