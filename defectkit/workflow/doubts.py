"""What was found in a frame, less what chance or another defect explains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import find_mic

from ..defects.point_defects import marked_atoms
from ..defects.sites import VACANT
from ..phases.compounds import UNKNOWN, coordination
from ..phases.crystals import SIMPLE_CUBIC
from ..phases.graph import near_pairs, unwrapped
from ..phases.prototypes import sites_of
from . import tables

if TYPE_CHECKING:
    from ase import Atoms

    from ..defects import PointDefects
    from ..phases.compounds import Prototype
    from ..phases.crystals import Structure
    from ..phases.extended import ExtendedDefect

SURFACES = ("surface", "cluster surface", "cavity")  # which a sheet of one layer has not
DISTURBED = (
    *SURFACES,
    "step",
    "edge",
    "grain boundary",
    "phase boundary",
    "dislocation",
    "disordered region",
    "gas bubble",
    "adatom island",
)
GATHERED = ("precipitate", "gas bubble")  # their atoms are told together
WHOLE = 0.99  # of the atoms: one lattice explains the frame
STRAINED = ("step", "grain boundary", "phase boundary", "dislocation")  # three shells further
ON_ITS_SITE = ("antisite", "substitutional")
LEAST_MELT = 100  # atoms: fewer may be one crystal of too few cells for a lattice
OF_FEW = 0.04, 0.45  # misfit and margin; of 96 random packings the nearest had 0.043 and 0.43
ALIKE = 0.6  # of an element's atoms: as many neighbours; a melt's commonest number has half
SHARP, DISTINCT = 0.025, 0.1  # misfit and margin of a prototype that stands without a lattice
SAME_PLACE = 1.5  # Å
MOST_SITES = 64  # of a primitive cell: a larger one may hold a boundary or a defect
SURE = 0.15  # Å: rms displacement below which no site of a cell is missed
MOST_AROUND = 0.5  # of the atoms beside point defects


def in_crystal(structure: Structure) -> np.ndarray:
    """Flags of the atoms in a crystal; of water those in ice."""
    return (structure.codes > 0) & (structure.labels != "liquid water")


def without_chance_prototype(found: Any, atoms: Atoms, outside: np.ndarray) -> Any:
    """The prototype, unknown where it fits no better than a melt's shells fit one on the mean.

    For a frame that no lattice explains and in which few atoms fit a template. In one of fewer
    than 100 atoms, which may have too few cells for a lattice, the prototype stands where it is
    nearer than to any melt, or where most atoms of each element, but those at a surface (indices
    `outside`), have as many neighbours.
    """
    if found.misfit < SHARP and found.margin > DISTINCT:
        return found
    if len(atoms) < LEAST_MELT:
        near = found.misfit < OF_FEW[0] and found.margin > OF_FEW[1]
        if near or _alike(atoms, np.delete(np.arange(len(atoms)), outside)):
            return found
    return replace(found, name=UNKNOWN, margin=0.0, words=f"no order of a crystal; {found.words}")


def _alike(atoms, inside):
    """Whether most of these atoms of each element have one number of unlike neighbours."""
    number, kinds = coordination(atoms)[inside], atoms.numbers[inside]
    shares = [np.bincount(number[kinds == z]).max() / (kinds == z).sum() for z in np.unique(kinds)]
    return min(shares, default=1.0) >= ALIKE


def without_other_cell(
    found: Prototype | None, point: PointDefects, extended: list[ExtendedDefect]
) -> Prototype | None:
    """The prototype, unknown where the lattice's primitive cell cannot be made of its cells.

    A multiple of its sites is no contradiction: tilted perovskites have 10 or 20 sites for 5. A
    cell with a surface or another extended defect, and one whose elements are mixed, say nothing.
    """
    crystal = point.crystal
    if (
        found is None
        or found.stacking is not None
        or crystal is None
        or extended
        or crystal.explained < WHOLE
        or not crystal.frame.closed.all()
        or not crystal.frame.kinds.any()
    ):
        return found
    own, ideal = len(crystal.sites.basis), sites_of(found.name)
    if ideal is None or own > MOST_SITES or own % ideal == 0 or own < ideal and crystal.rms > SURE:
        return found
    words = f"{own} sites in the primitive cell, not {ideal} as in {found.name}; {found.words}"
    return replace(found, name=UNKNOWN, margin=0.0, words=words)


def without_chance_cubic(
    structure: Structure, point: PointDefects, extended: list[ExtendedDefect]
) -> Structure:
    """The structure less simple cubic where the lattice of the frame has several sites in a cell.

    Six neighbours at nearly right angles are soon found: white tin's are such.
    """
    crystal = point.crystal
    if (
        crystal is None
        or len(crystal.sites.basis) == 1
        or structure.sublattice.any()
        or any(d.kind in SURFACES for d in extended)
        or len(np.unique(crystal.sites.numbers)) > 1
    ):
        return structure
    return replace(structure, codes=np.where(structure.codes == SIMPLE_CUBIC, 0, structure.codes))


def without_doubtful_lines(
    extended: list[ExtendedDefect], point: PointDefects
) -> list[ExtendedDefect]:
    """The extended defects less lines that only a row of point defects suggests.

    Round a dislocation no single lattice gives the atoms their sites. Where one explains all but a
    hundredth of them, disordered atoms in a row, round which no Burgers circuit could be drawn,
    are point defects (in a small cell and their images).
    """
    crystal = point.crystal
    if not point.decided or crystal is None or crystal.explained < WHOLE:
        return extended
    return [d for d in extended if d.kind != "dislocation" or d.details.get("burgers")]


def without_doubtful_walls(
    extended: list[ExtendedDefect], point: PointDefects, structure: Structure
) -> list[ExtendedDefect]:
    """The extended defects less grain boundaries that are the atoms about a point defect.

    Beside a vacancy between two near twin planes atoms of no crystal see both orientations. A
    boundary that ends inside the crystal, all of it within three shells of what a lattice that
    explains the frame leaves over, is none.
    """
    crystal = point.crystal
    if crystal is None or crystal.explained < WHOLE or not point.sites:
        return extended
    near = grown(point.flagged, structure, 2)

    def is_none(defect):
        return (
            defect.kind == "grain boundary"
            and near[defect.atoms].all()
            and not len(unwrapped(defect.atoms, *near_pairs(structure, 1.5))[1])
        )

    return [d for d in extended if not is_none(d)]


def without_doubtful_holes(
    extended: list[ExtendedDefect], point: PointDefects, atoms: Atoms
) -> list[ExtendedDefect]:
    """The extended defects less surface vacancies where a lattice of all atoms has no vacant site.

    Layers of several elements have gaps of their own.
    """
    crystal = point.crystal
    if crystal is None or crystal.explained < WHOLE:
        return extended
    vacant = np.array([s.position for s in point.sites if s.kind in VACANT]).reshape(-1, 3)

    def is_none(defect):
        if defect.kind != "surface vacancy":
            return False
        away = find_mic(vacant - defect.position, atoms.cell, atoms.pbc)[1] if len(vacant) else []
        return not (np.asarray(away) < SAME_PLACE).any()

    return [d for d in extended if not is_none(d)]


def disturbed_atoms(
    extended: list[ExtendedDefect], structure: Structure
) -> tuple[np.ndarray, np.ndarray]:
    """Flags of what extended defects disturb, and of that what lies at the core of a dislocation.

    Steps, boundaries and cores disturb three shells around them.
    """
    disturbed, strained, core = (np.zeros(len(structure.codes), bool) for _ in range(3))
    for defect in extended:
        if defect.kind in DISTURBED:
            disturbed[defect.atoms] = True
        if defect.kind in STRAINED or defect.details.get("layer"):
            strained[defect.atoms] = True
        if defect.kind == "dislocation":
            core[defect.atoms] = True
    return disturbed | grown(strained, structure, 3), grown(core, structure, 3)


def grown(flags: np.ndarray, structure: Structure, shells: int) -> np.ndarray:
    """Flags of atoms and of those up to so many shells of neighbours away."""
    for _ in range(shells):
        flags = flags | flags[structure.neighbours[:, :12]].any(axis=1)
    return flags


def without_disturbed(
    point: PointDefects, extended: list[ExtendedDefect], structure: Structure, atoms: Atoms
) -> PointDefects:
    """The point defects that are not the disorder of a surface, a boundary or a core.

    A site is left out where most atoms around it belong to such an extended defect or lie within
    three shells of a step or boundary, where it lies in a cavity, or where any atom around lies so
    near the core of a dislocation: the step of a surface is no divacancy, a core no interstitial.
    Round a dislocation the sites of one lattice are wrong far from it, too: there a vacant site or
    an atom without one counts only if most atoms around it fit no template. What was found on a
    surface as its vacancy or adatom stays, and so does a vacant site of the one lattice that has
    all atoms between two flat surfaces. The atoms of a precipitate are no substitutionals.
    """
    disturbed, core = disturbed_atoms(extended, structure)
    if point.crystal is None:  # told by the order around, which is broken at a surface
        core = core | grown(disturbed, structure, 2)
    if not point.sites or not (disturbed.any() or any(d.kind in GATHERED for d in extended)):
        return point
    around = [np.union1d(s.neighbours, s.atoms).astype(int) for s in point.sites]
    whole = in_crystal(structure) & any(d.kind == "dislocation" for d in extended)
    told = [d.position for d in extended if d.kind in tables.ON_SURFACES]
    cavities = [d for d in extended if d.kind == "cavity"]
    together = [d.atoms for d in extended if d.kind in GATHERED]
    gathered = np.unique(np.concatenate([[], *together]))
    one = point.crystal is not None and point.crystal.explained >= WHOLE
    flat = one and all(d.kind in ("surface", *tables.ON_SURFACES) for d in extended)

    def stands(site, near):
        if any(_inside(site.position, cavity, atoms) for cavity in cavities):
            return False
        if site.kind in ON_ITS_SITE and np.isin(site.atoms, gathered).all():
            return False
        foreign = site.kind == "substitutional"  # at a surface, too
        if foreign or not len(near) or _at_one(site.position, told, atoms):
            return True
        if flat and site.kind in VACANT:
            return True
        bent = site.kind not in ON_ITS_SITE and whole[near].mean() > 0.5
        return disturbed[near].mean() <= 0.5 and not core[near].any() and not bent

    kept = [site for site, near in zip(point.sites, around, strict=True) if stands(site, near)]
    left = sum(s.kind not in ON_ITS_SITE for s in point.sites)
    left -= sum(s.kind not in ON_ITS_SITE for s in kept)
    more = f"; not counted: vacant or extra sites beside what is more than a point, {left}"
    return replace(
        point,
        sites=kept,
        flagged=marked_atoms(kept, len(atoms)),
        reason=point.reason + more * (left > 0),
        beside=left,
    )


def told_of_solution(point: PointDefects, n_atoms: int) -> PointDefects:
    """The point defects, flagged without the surroundings of foreign atoms where these are many.

    In a solid solution of a tenth most atoms have a foreign neighbour: they are the crystal. The
    sites stay; more than half of the atoms flagged is too many.
    """
    alloyed = sum(site.kind in ON_ITS_SITE for site in point.sites)
    if not alloyed or point.flagged.mean() <= MOST_AROUND:
        return point
    told = (
        f"{point.reason}; a solid solution, {alloyed} atoms on sites of another element: what is "
        "beside them keeps the name of the crystal"
    )
    others = [site for site in point.sites if site.kind not in ON_ITS_SITE]
    return replace(point, flagged=marked_atoms(others, n_atoms), reason=told)


def _inside(position, cavity, atoms):
    """Whether a position lies no farther from a cavity's centre than the atoms that line it."""
    places = np.vstack([position[None], atoms.positions[cavity.atoms]])
    away = find_mic(places - cavity.position, atoms.cell, atoms.pbc)[1]
    return away[0] <= away[1:].max()


def _at_one(position, places, atoms):
    """Whether a position lies within 1.5 Å of one of the places."""
    return any(
        find_mic(place - position, atoms.cell, atoms.pbc)[1] < SAME_PLACE for place in places
    )
