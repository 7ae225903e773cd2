"""Point defects of any crystal from one frame: found, placed and named, without a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike

from .._checks import check_is_frame
from .crystal import Crystal, explain
from .geometry import ghosts, nearest_spacing
from .naming import name_defects
from .reconstruction import learn_order
from .sites import VACANT, Site, as_flags, locate_defects
from .unit_cell import explain_unit_cell

if TYPE_CHECKING:
    from ase import Atoms

FEWEST = 8  # atoms
ATOMS_PER_SECOND = 10_000  # rough speed, for max_seconds
FEWEST_LOCAL = 30  # atoms to learn the order of the bulk from
MAX_FLAGGED = 0.4  # fraction of the atoms flagged for which the rest tells the order
MAX_BETWEEN = 0.35  # pair distribution between the first two shells of a crystal, in place of 1
MAX_LOCAL = 0.02  # sites, of all atoms


@dataclass(frozen=True, eq=False)
class PointDefects:
    """Point defects of one frame.

    Attributes
    ----------
    sites : list of Site
        Vacancies first, then interstitials, antisites, substitutionals.
    flagged : array (n_atoms,) of bool
        Atoms of the defects and their neighbours.
    decided : bool
        Whether the frame has a crystal order in which point defects are defined; without one
        `sites` is empty and means nothing.
    reason : str
        What the decision rests on.
    crystal : Crystal or None
        The lattice and sites behind it.
    beside : int
        Vacant sites and atoms without one that were left out: a surface's, a boundary's.
    """

    sites: list
    flagged: np.ndarray
    decided: bool
    reason: str
    crystal: Crystal | None = field(default=None, repr=False)
    beside: int = 0

    def __repr__(self):
        lines = [f"PointDefects: {len(self.sites)} ({self.reason})"]
        return "\n".join(lines + [f"  {site!r}" for site in self.sites])


def find_point_defects(
    atoms: Atoms, flagged: ArrayLike | None = None, max_seconds: float | None = None
) -> PointDefects:
    """Point defects of one frame of any crystal: elements, compounds, sheets, slabs.

    1. Shifts that bring most atoms on atoms of the same element are the translations of the
       crystal; those of a periodic cell are fractions of its vectors.
    2. The atoms folded by them into one primitive cell lie around the sites of the perfect
       crystal. The element of most atoms at a site is the element of the site.
    3. Each atom is given a site, one to one, at the smallest sum of squared displacements. A site
       left over is a vacancy, an atom left over an interstitial; an atom on a site of another
       element is an antisite or, if the element is foreign, a substitutional.

    No table of structures is used, and nothing is found where the lattice does not explain at
    least 85 % of the atoms.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å); at least three primitive cells of the crystal (fewer: `find_in_unit_cell`).
    flagged : array (n_atoms,) of bool or int indices, optional
        Atoms that a clustering calls the defect; hints for cells that no lattice fits as a whole.
    max_seconds : float, optional
        A frame that would take longer is left undecided, with the reason; about a second for
        10 000 atoms.

    Returns
    -------
    PointDefects

    Raises
    ------
    ValueError
        Positions or a cell that are not finite, no atoms, a periodic direction without vector,
        flags that do not match the atoms.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 2, 2)
    >>> del atoms[0]
    >>> site, = find_point_defects(atoms).sites
    >>> site.kind, site.element, len(site.atoms)
    ('vacancy', 'Na', 6)
    """
    positions, numbers, cell, pbc = _checked(atoms)
    n_atoms = len(atoms)
    flagged = None if flagged is None else as_flags(flagged, n_atoms)
    nothing = np.zeros(n_atoms, bool)
    if n_atoms < FEWEST:
        return PointDefects(
            [], nothing, False, f"{n_atoms} atoms are too few to tell a crystal from its defects"
        )
    if max_seconds is not None and n_atoms > ATOMS_PER_SECOND * max_seconds:
        return PointDefects(
            [],
            nothing,
            False,
            f"{n_atoms} atoms take about {n_atoms / ATOMS_PER_SECOND:.0f} s, more "
            f"than max_seconds={max_seconds:g}; allow more time",
        )
    crystal, why = explain(positions, numbers, cell, pbc)
    if crystal is None:
        sites = None if flagged is None else _local(atoms, flagged)
        if sites is None:
            return PointDefects([], nothing, False, why)
        return PointDefects(
            sites,
            marked_atoms(sites, n_atoms),
            True,
            "no lattice fits the whole cell; the flagged atoms were taken out and "
            "put back as the order around the others asks for",
        )
    sites, notes = name_defects(crystal, positions, numbers, cell, pbc)
    told = _told(crystal, numbers) + notes
    return PointDefects(sites, marked_atoms(sites, n_atoms), True, told, crystal)


def find_in_unit_cell(atoms: Atoms) -> PointDefects:
    """Point defects of one unit cell, whose symmetry operations stand in for translations.

    Operations (rotations, reflections, centrings) that bring most atoms on atoms of the same
    element are those of the crystal; each equal site then has as many votes on what it holds.
    For cells of 10 to 1000 atoms and three or more equal sites, where `find_point_defects` says
    that there are too few primitive cells.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å), periodic in three directions.

    Returns
    -------
    PointDefects
        Undecided where the cell has fewer than four operations, as a melt or a glass.

    Raises
    ------
    ValueError
        As `find_point_defects`.
    """
    positions, numbers, cell, pbc = _checked(atoms)
    crystal, told = explain_unit_cell(positions, numbers, cell, pbc)
    if crystal is None:
        return PointDefects([], np.zeros(len(atoms), bool), False, told)
    sites, notes = name_defects(crystal, positions, numbers, cell, pbc)
    return PointDefects(sites, marked_atoms(sites, len(atoms)), True, told + notes, crystal)


def marked_atoms(sites: Sequence[Site], n_atoms: int) -> np.ndarray:
    """Flags (n_atoms,) of the atoms that belong to a site or are next to it."""
    marked = np.zeros(n_atoms, bool)
    for site in sites:
        marked[site.atoms] = marked[site.neighbours] = True
    return marked


def _local(atoms, flagged):
    """Sites among flagged atoms by the order around the others, or None where that is no crystal.

    A crystal has next to no distances between its first and second shells.
    """
    if len(atoms) < FEWEST_LOCAL or flagged.mean() > MAX_FLAGGED or not flagged.any():
        return None
    cell, pbc = atoms.cell.complete().array, np.array(atoms.pbc)
    spacing = nearest_spacing(atoms.positions, cell, pbc)
    points, _ = ghosts(atoms.positions, cell, pbc, 3.0 * spacing)
    order = learn_order(points, len(atoms), ~flagged, spacing)
    if np.interp(order.bond / order.step, np.arange(len(order.table)), order.table[:, 0]) > np.log(
        MAX_BETWEEN
    ):
        return None
    found = locate_defects(atoms, flagged)
    if len(found) > max(MAX_LOCAL * len(atoms), 2):
        return None
    element = atoms.get_chemical_symbols()[0] if len(set(atoms.numbers)) == 1 else ""
    return [
        replace(
            site,
            element=element
            or "".join({atoms.symbols[a] for a in site.atoms} if site.kind not in VACANT else ""),
            confidence=float(
                np.clip(0.7 * (site.fit if site.kind in VACANT else 1 - site.fit), 0.05, 0.7)
            ),
            evidence=f"fits the order of the bulk {site.fit:.2f} times as well as its "
            "atoms do (median)",
        )
        for site in found
    ]


def _told(crystal, numbers):
    """What the decision rests on, in one sentence."""
    sites, count = crystal.sites, crystal.lattice.multiplicity
    formula = " ".join(
        f"{chemical_symbols[z]}{n}"
        for z, n in zip(*np.unique(sites.numbers, return_counts=True), strict=True)
    )
    return (
        f"a lattice of {count} primitive cells of {len(sites.basis)} sites ({formula}) "
        f"explains {crystal.explained:.1%} of {len(numbers)} atoms, rms displacement "
        f"{crystal.rms:.2f} Å"
    )


def _checked(atoms):
    """Positions, numbers, cell and boundaries of a frame that can be analysed."""
    check_is_frame(atoms)
    if not len(atoms):
        raise ValueError("The frame has no atoms; give one with a crystal in it.")
    wrong = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"The positions of {len(wrong)} atoms are not finite, the first is atom "
            f"{wrong[0]}; leave this frame out."
        )
    pbc = np.array(atoms.pbc)
    if not np.isfinite(atoms.cell.array).all():
        raise ValueError("The cell is not finite; set atoms.cell.")
    if (pbc & ~atoms.cell.any(axis=1)).any():
        raise ValueError("A periodic direction has no cell vector; set atoms.cell or atoms.pbc.")
    cell = atoms.cell.complete().array
    if abs(np.linalg.det(cell)) < 1e-3 * np.prod(np.linalg.norm(cell, axis=1)):
        raise ValueError("The cell vectors lie in a plane; set atoms.cell.")
    return atoms.get_positions(), atoms.numbers.copy(), cell, pbc
