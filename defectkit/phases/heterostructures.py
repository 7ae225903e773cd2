"""Interfaces between crystals of different elements that one lattice, or two alike, go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.formula import Formula

from .boundaries import FLAT, wall_plane
from .compounds import common_elements
from .graph import groups, near_pairs

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure

AROUND = 16  # nearest atoms: in zinc blende and rock salt they hold neighbours of the own element
STRAY = 1  # atoms of another element among these that mixing or a defect may have put there
STRAY_SHARE = 0.05  # of a side: an element below it does not name the side
LEAST_SHARE, LEAST_ATOMS = 0.1, 8  # of a side
SOLID = 0.5  # of the atoms of a side fit a template or have neighbours oriented alike
EQUAL = 1.4  # largest ratio of two elements whose layers are as many, one of them cut off


@dataclass
class Interface:
    """One interface between two sides of different elements.

    Attributes
    ----------
    atoms : array of int
        Those that see both sides.
    normal : array (3,), unit vector
    centre : array (3,), Å
    flat : float, Å, rms distance of the atoms from the plane
    sides : tuple of str, their elements
    """

    atoms: np.ndarray
    normal: np.ndarray
    centre: np.ndarray
    flat: float
    sides: tuple


def interfaces(
    atoms: Atoms, structure: Structure, exclude: np.ndarray | None = None
) -> list[Interface]:
    """Interfaces between parts of a frame of which each has an element that the other lacks.

    Each atom is told by the elements among itself and its 16 nearest. Two sides are kinds of
    atoms, each at least a tenth of all, of which neither has all elements of the other; what sees
    both is the interface. A random alloy, an ordered compound and impurities have none, nor has
    what is no crystal; a wall that is not flat within 1.2 spacings is that of a precipitate.

    Parameters
    ----------
    atoms, structure
        One frame and its `structure_types`.
    exclude : array (n_atoms,) of bool, optional
        Atoms of surfaces, boundaries and the like.

    Returns
    -------
    list of Interface, those with most atoms first
    """
    kinds = common_elements(atoms)
    if len(kinds) < 2 or not structure.neighbours.size:
        return []
    side, members = _sides(atoms, structure, kinds)
    if not members:
        return []
    free = np.ones(len(atoms), bool) if exclude is None else ~exclude
    pairs = near_pairs(structure, 1.5)
    near = structure.neighbours[:, :AROUND]
    found = []
    for one, other in _unlike(members):
        sees = []
        for k in (one, other):
            flags = (side == k) | (side[near] == k).any(axis=1)
            loose = (side < 0) & flags[near].any(axis=1)
            sees.append(flags | loose)
        both = sees[0] & sees[1] & free
        names = tuple(_elements(atoms, side == k) for k in (one, other))
        for wall in groups(len(atoms), pairs[0], pairs[1], both):
            if len(wall) < LEAST_ATOMS:
                continue
            normal, centre, flat = wall_plane(structure, wall, wall, pairs)
            if flat < FLAT * structure.spacing:
                found.append(Interface(wall, normal, centre, flat, names))
    return sorted(found, key=lambda x: -len(x.atoms))


def _sides(atoms, structure, kinds):
    """The side of each atom (-1: of none), and the elements of each side."""
    near = structure.neighbours[:, :AROUND]
    seen = np.zeros(len(atoms), int)
    for bit, kind in enumerate(kinds):
        own = np.asarray(atoms.symbols == kind)
        seen |= (own.astype(int) + own[near].sum(axis=1) > STRAY) << bit
    codes, count = np.unique(seen, return_counts=True)
    large = codes[count >= max(LEAST_SHARE * len(atoms), LEAST_ATOMS)]
    side = np.full(len(atoms), -1)
    for k, code in enumerate(large):
        side[seen == code] = k
    solid = (structure.codes > 0) | (structure.coherent > SOLID)
    members = {
        k: {kind for bit, kind in enumerate(kinds) if code >> bit & 1}
        for k, code in enumerate(large)
    }
    paired = {k for pair in _unlike(members) for k in pair}
    known = [k for k in sorted(paired) if solid[side == k].mean() > SOLID]
    side[~np.isin(side, known)] = -1
    return side, {k: members[k] for k in known}


def _unlike(members):
    """Pairs of sides of which neither has all elements of the other."""
    return [
        (a, b)
        for a in members
        for b in members
        if a < b and members[a] - members[b] and members[b] - members[a]
    ]


def _elements(atoms, chosen):
    """Elements of the chosen atoms, as "GaAs" where there are as many of each, else "Ti-O"."""
    kinds, count = np.unique(np.array(atoms.get_chemical_symbols())[chosen], return_counts=True)
    common = count > STRAY_SHARE * count.sum()
    kinds, count = kinds[common], count[common]
    order = Formula.from_dict(dict.fromkeys(map(str, kinds), 1)).convert("metal")
    return ("" if count.max() < EQUAL * count.min() else "-").join(order)
