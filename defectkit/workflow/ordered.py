"""Cells that symmetry shows to be ordered: unit cells of crystals that no table holds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..defects import PointDefects, find_in_unit_cell
from ..defects.point_defects import marked_atoms
from ..defects.unit_cell import symmetry_order
from ..phases.compounds import UNKNOWN, Prototype
from ..phases.prototypes import sites_of
from ..phases.space_groups import SpaceGroup, space_group
from .doubts import in_crystal

if TYPE_CHECKING:
    from ase import Atoms

    from ..phases.crystals import Structure

ALLOY, ORDERED = " random alloy", " superstructure"
CRYSTALLINE = 0.5  # of the atoms fit a template: the crystal has a name without its space group
ALIKE = 0.5  # inequivalent atoms of the primitive cell of an alloy that is ordered
ORBIT = 4  # equal defects of the primitive cell, brought on one another by symmetry
MOST_CELLS = 64  # of a lattice in a frame that may be one unit cell of another crystal
BLURRED = 0.16  # spacings: rms displacement from the sites of a lattice that may be another's
MANY_CELLS = 8  # of a known compound: translations explain it if it is perfect
LARGEST = 400  # atoms of a unit cell that has next to no symmetry
FEW_VACANT = 3  # sites of a unit cell: more are a void
EXACT = 0.02  # Å: rms displacement at which a space group is that of the crystal
SHARPER = 0.6  # of the displacements from the sites of a pseudo-symmetry
CROWDED = 0.1  # point defects of all atoms
DISPLACED = 0.15  # Å: rms displacement from a lattice that a perfect cell does not need


class Symmetric(NamedTuple):
    """In place of a space group that heat or a defect hides."""

    words: str


def ordered_by_symmetry(
    atoms: Atoms, structure: Structure, compound: Prototype | None, point: PointDefects
) -> tuple[Prototype | None, PointDefects, SpaceGroup | Symmetric | None]:
    """The compound, the point defects and the space group, where that says more than they do.

    Asked only where no crystal is named, where a random alloy is, or of many point defects.
    """
    fits = np.mean(in_crystal(structure)) > CRYSTALLINE
    named = fits if compound is None else compound.name != UNKNOWN
    alloy = compound is not None and compound.name.endswith(ALLOY)
    many = len(point.sites) >= ORBIT or len(point.sites) > CROWDED * len(atoms)
    if named and not alloy and not many:
        return compound, point, None
    group = space_group(atoms)
    if group is None:
        symmetric = None if named or point.decided else _symmetric(atoms)
        if compound is not None and symmetric is not None:
            compound = replace(compound, words=f"{compound.words}; {symmetric.words}")
        return compound, point, symmetric
    if compound is not None and alloy and group.n_unlike <= ALIKE * group.n_primitive:
        told = f"{compound.words.removesuffix(', elements without order')}; {group.words}"
        lattice = compound.name.removesuffix(ALLOY)
        compound = replace(compound, name=lattice + ORDERED, words=told)
    elif compound is not None and not named:
        compound = replace(compound, words=f"{compound.words}; {group.words}")
    return compound, without_ordered(point, group), None if named else group


def _symmetric(atoms):
    """What says that a cell is a crystal though it has too little symmetry for more, or None."""
    number = symmetry_order(atoms) if len(atoms) <= LARGEST else 0
    if number < 2:
        return None
    return Symmetric(f"{number} symmetry operations of the cell bring most atoms on their like")


def told_by_symmetry(point: PointDefects, atoms: Atoms, named: Prototype | None) -> PointDefects:
    """The point defects of a unit cell's symmetry, where translations explain the frame worse.

    Bixbyite, of which a quarter of the anions is missing, is nearly fluorite, gamma brass nearly
    bcc. A cell of many primitive cells of a known compound that translations do not explain is no
    perfect one: two crystals that mirror each other are symmetric, too.
    """
    crystal = point.crystal
    if crystal is not None:
        blurred = crystal.rms > BLURRED * crystal.frame.spacing
        if not point.sites or crystal.lattice.multiplicity > MOST_CELLS or not blurred:
            return point
    own = None if named is None or named.margin <= 0 else sites_of(named.name)
    if crystal is None and own is not None and len(atoms) > MANY_CELLS * own:
        return point
    found = find_in_unit_cell(atoms)
    if not found.decided:
        return point
    if crystal is None:
        return found
    sharper = found.crystal is not None and found.crystal.rms < SHARPER * crystal.rms
    return found if sharper and len(found.sites) < len(point.sites) else point


def is_unit_cell(point: PointDefects) -> bool:
    """Whether the symmetry of one unit cell explains the atoms: its pores are no voids."""
    crystal = point.crystal
    return (
        crystal is not None
        and crystal.lattice.multiplicity == 1
        and len(crystal.vacant) <= FEW_VACANT
    )


def without_ordered(point: PointDefects, group: SpaceGroup) -> PointDefects:
    """The point defects less those that are the order of the crystal itself.

    Four or more equal ones in the primitive cell that symmetry brings on one another are sites of
    an ordered compound. Where more than a tenth of the atoms are defects of a lattice that the
    others lie beside, too, the lattice is not that of the cell.
    """
    crowded = len(point.sites) > CROWDED * len(point.flagged)
    if not point.decided or crowded and point.crystal and point.crystal.rms > DISPLACED:
        return PointDefects(
            [],
            np.zeros_like(point.flagged),
            False,
            f"{group.words}: too few unit cells in the frame to tell point defects",
        )
    orbits = defaultdict(set)
    for site in point.sites:
        if len(site.atoms) == 1:
            atom = int(site.atoms[0])
            orbits[site.kind, group.equivalent[atom]].add(int(group.primitive[atom]))
    regular = {key for key, members in orbits.items() if len(members) >= ORBIT}
    kept = [
        site
        for site in point.sites
        if len(site.atoms) != 1 or (site.kind, group.equivalent[site.atoms[0]]) not in regular
    ]
    if len(kept) == len(point.sites):
        crystal = point.crystal
        if crystal is not None and is_unit_cell(point) and crystal.rms < EXACT:
            return replace(point, reason=f"{point.reason}; {group.words}")
        return point
    told = (
        f"{point.reason}; {len(point.sites) - len(kept)} atoms on other sites are equivalent, an "
        f"ordered compound: {group.words}"
    )
    flagged = marked_atoms(kept, len(point.flagged))
    return replace(point, sites=kept, flagged=flagged, reason=told)
