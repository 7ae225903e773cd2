"""Labels to sites: where the vacancy is, which atom is interstitial, which layer is surface."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from numpy.typing import ArrayLike

from .._checks import check_is_frame
from .._shown import Shown
from .geometry import distances, linked, nearest_spacing, wrap
from .reconstruction import REACH, one_sidedness, reconstruct
from .split_vacancy import settle
from .wigner_seitz_analysis import OFF_LATTICE

if TYPE_CHECKING:
    from ase import Atoms

MIDWAY = 0.6  # spacings: an atom nearer to the vacancy than this is moving into it
AT_SURFACE = 0.33  # mean direction to the atoms around: an atom of a surface, not an interstitial
TIE = 0.1  # spacings: sites that differ by less are as near to an interstitial
FEWEST = 20  # atoms to learn an order from
VACANT = ("vacancy", "divacancy", "vacancy cluster", "split vacancy")


def vacancy_kind(together: int) -> str:
    """Name of a vacant site that is one of so many next to each other."""
    return {1: "vacancy", 2: "divacancy"}.get(together, "vacancy cluster")


@dataclass(frozen=True, eq=False, repr=False)
class Site(Shown):
    """One point defect.

    Attributes
    ----------
    kind : str
        "vacancy", "divacancy" (one of two vacant sites next to each other), "vacancy cluster" (one
        of three or more), "split vacancy" (an atom is on its way into it, midway between two
        vacant sites), "interstitial" (one atom off the lattice), "dumbbell" (two atoms share a
        site), "crowdion" (n + 1 atoms share n sites of a close-packed row), "di-interstitial" (one
        of several atoms off the lattice next to each other), "adatom" (on a surface), "antisite"
        (an atom on the site of another element of the compound), "substitutional" (a foreign
        element), "rotated bond" (two atoms turned about the middle of their bond: Stone-Wales).
    position : array (3,)
        Å, inside the cell: the empty lattice site, the atom off the lattice, the middle of a
        dumbbell or crowdion, the lattice site of a wrong element.
    atoms : array of int
        Vacancy: the flagged atoms around it. Interstitial: the atoms off the lattice. Antisite,
        substitutional: the atom.
    neighbours : array of int
        All atoms within a bond of `position`, flagged or not.
    fit : float
        How well one atom more (vacancy), or the atom that is there (interstitial), fits the order
        of the bulk: 1 as its atoms do, 0 and below not at all. NaN where no fit was made.
    other : array (3,) or None
        Split vacancy: the other of the two half-vacant sites (Å), from which the atom on its way
        comes. `position` is the one further from this atom; midway, heat decides.
    element : str
        The missing or extra element; "Ga on N" for a Ga atom on a site of N; "" where unknown.
    confidence : float
        0 to 1; `evidence` says in one sentence what it rests on. NaN where it was not measured.
    evidence : str
    """

    kind: str
    position: np.ndarray
    atoms: np.ndarray
    neighbours: np.ndarray
    fit: float
    other: np.ndarray | None = None
    element: str = ""
    confidence: float = np.nan
    evidence: str = ""

    def _summary(self):
        facts = [
            ("position (Å)", ", ".join(f"{x:.2f}" for x in self.position)),
            ("atoms", f"{len(self.atoms)}, beside them {len(self.neighbours)} neighbours"),
        ]
        for what, value in (("fit", self.fit), ("confidence", self.confidence)):
            if np.isfinite(value):
                facts.append((what, f"{value:.2f}"))
        if self.evidence:
            facts.append(("evidence", self.evidence))
        return f"{self.element} {self.kind}".strip(), facts

    def __repr__(self):
        place = ", ".join(f"{x:.2f}" for x in np.ravel(self.position))
        sure = "" if np.isnan(self.confidence) else f", confidence {self.confidence:.2f}"
        name = f"{self.element} {self.kind}".strip()
        return f"<Site: {name} at ({place}) Å, atoms {np.asarray(self.atoms).tolist()}{sure}>"


def locate_vacancies(atoms: Atoms, flagged: ArrayLike) -> list[Site]:
    """Position and neighbours of each vacancy among the flagged atoms.

    A vacancy is where one atom more would be an atom of the bulk. What the bulk looks like is
    learnt from the unflagged atoms of the frame, so nothing is tuned to a crystal or potential.

    1. The log likelihood of an environment: sum over the neighbours of ln g(r), the pair
       distribution of the unflagged atoms out to two nearest-neighbour spacings, less the squares
       of the bonds that the place and its neighbours would have in excess of the bulk's number.
    2. Flagged atoms (groups of them nearer than two spacings, under periodic boundaries) are taken
       out, and the hole is filled by one atom after the other, each where the likelihood is
       greatest, as long as one fits at least 0.2 times as well as the median atom of the bulk.
    3. Removed atoms are given to the filled sites, one to one, at the smallest sum of squared
       distances. A site left over is a vacancy; an atom left over is an interstitial. Where
       nothing is left over, atoms bonded to the flagged ones are taken out too, and again.

    So shells may be incomplete or have wrong members, and isolated flagged atoms, or groups of
    them in a perfect crystal, give no vacancy.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å), any cell and boundaries; for molecules the lattice that counts, such as the
        oxygens of ice. At least 20 atoms.
    flagged : array (n_atoms,) of bool, or of int indices
        Atoms that the clustering calls the defect, such as ``labels == 1``. Fewer than half of the
        atoms.

    Returns
    -------
    list of Site, best fit first; empty where no vacancy is found or nothing is flagged.

    Raises
    ------
    ValueError
        Flags that do not match the atoms or that mark half of them, positions that are not
        finite, too few atoms.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Si", cubic=True, a=5.43) * (2, 2, 2)
    >>> del atoms[0]                                     # at the corner of the cell
    >>> from ase.neighborlist import neighbor_list
    >>> coordination = np.bincount(neighbor_list("i", atoms, 2.6))
    >>> site, = locate_vacancies(atoms, coordination < 4)
    >>> site.kind, site.neighbours.tolist()
    ('vacancy', [0, 26, 44, 54])
    >>> bool(np.linalg.norm(site.position - np.rint(site.position / 10.86) * 10.86) < 0.1)
    True
    """
    return [site for site in locate_defects(atoms, flagged) if site.kind in VACANT]


def locate_interstitials(atoms: Atoms, flagged: ArrayLike) -> list[Site]:
    """Atoms that have no lattice site, and where the extra mass sits, among the flagged atoms.

    Found as `locate_vacancies` does it: the atoms for which no site is left once the flagged
    atoms are taken out and the crystal is filled again. One atom far from the next site is
    reported alone ("interstitial": tetrahedral, hexagonal, ...), at its own position. If the
    owner of that site is off it too, by more than 0.34 spacings, the two are a "dumbbell", at
    their mean position.

    Parameters, returns and raises as `locate_vacancies`; worst fit first.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Si", cubic=True, a=5.43) * (2, 2, 2)
    >>> atoms.append("Si")
    >>> atoms.positions[-1] = [2.715, 2.715, 2.715]      # a tetrahedral site
    >>> site, = locate_interstitials(atoms, flagged=[64])
    >>> site.kind, site.atoms.tolist(), site.position.round(3).tolist()
    ('interstitial', [64], [2.715, 2.715, 2.715])
    """
    return [site for site in locate_defects(atoms, flagged) if site.kind not in VACANT]


def locate_defects(atoms: Atoms, flagged: ArrayLike) -> list[Site]:
    """Vacancies and interstitials among the flagged atoms, from one analysis; vacancies first.

    See `locate_vacancies` and `locate_interstitials`. Where that finds nothing, the analysis is
    done once more with the atoms bonded to the flagged ones flagged too: a cluster may hold the
    atom off the lattice without the neighbours that it pushes away.
    """
    flagged, positions, cell, pbc = checked_flags(atoms, flagged)
    if not flagged.any():
        return []
    found = _located(flagged, flagged, positions, cell, pbc)
    if not found:
        i, j = neighbor_list("ij", atoms, 1.25 * nearest_spacing(positions, cell, pbc))
        wider = flagged.copy()
        wider[j[flagged[i]]] = True
        if wider.sum() <= len(atoms) // 2:
            found = _located(wider, flagged, positions, cell, pbc)
    return found


def _located(taken, flagged, positions, cell, pbc):
    """Sites from one analysis that takes the atoms `taken` for the defect."""
    order, tree, owner, own, groups = reconstruct(positions, cell, pbc, taken)

    def site(kind, place, members, fit):
        place = wrap(np.reshape(place, (1, 3)), cell, pbc)[0]
        near = np.unique(owner[tree.query_ball_point(place, order.bond)])
        if kind not in VACANT:
            near = np.setdiff1d(near, members)
        return Site(kind, place, np.sort(members), near, float(fit))

    vacancies, extra = [], []
    for group in groups:
        vacancies += [
            site("vacancy", place, [], fit)
            for place, fit, atom in zip(group.sites, group.fits, group.owners, strict=True)
            if atom < 0
        ]
        extra += [site(*found) for found in _extra(group, order, tree, own, cell, pbc)]
    vacancies = _distinct(sorted(vacancies, key=lambda s: -s.fit), 0.5 * order.spacing, cell, pbc)
    extra = _distinct(sorted(extra, key=lambda s: s.fit), 0.25 * order.spacing, cell, pbc)
    if vacancies:
        owned = {
            atom: place
            for group in groups
            for atom, place in zip(group.owners, group.sites, strict=True)
        }
        vacancies = _described(vacancies, flagged, owned, order, tree, owner, cell, pbc)
    return vacancies + extra


def _described(vacancies, flagged, owned, order, tree, owner, cell, pbc):
    """The vacancies with their kinds and the flagged atoms nearest to each.

    `owned` holds the site of each atom that was taken out and put back.
    """
    places, flagged = np.array([v.position for v in vacancies]), np.flatnonzero(flagged)
    apart = distances(places, places, cell, pbc) + np.diag(np.full(len(places), np.inf))
    away = distances(tree.data[flagged], places, cell, pbc)
    mine = (away == away.min(axis=1, keepdims=True)) & (away < REACH * order.spacing)
    near, mover = tree.query(places)
    group = linked(apart < order.bond)
    names = [vacancy_kind(n) for n in np.bincount(group)[group]]
    kinds = np.where(near < MIDWAY * order.spacing, "split vacancy", names)
    described = []
    for vacancy, kind, own, atom in zip(vacancies, kinds, mine.T, owner[mover], strict=True):
        if kind == "split vacancy" and atom in owned:
            half = vacancy.position
            other = half + find_mic(owned[atom] - half, cell, pbc)[0]
            vacant, other = settle(half, other, tree, owner, flagged, order)
            places = wrap(np.array([vacant, other]), cell, pbc)
            vacancy = replace(vacancy, position=places[0], other=places[1])
        described.append(replace(vacancy, kind=str(kind), atoms=flagged[own]))
    return described


def _extra(group, order, tree, own, cell, pbc):
    """Kind, place, atoms and fit of each atom of a group that no site is left for."""
    found, inside = [], one_sidedness(order, tree, tree.data[group.extra]) < AT_SURFACE
    for atom in group.extra[inside]:
        place, members = tree.data[atom], [atom]
        away = distances(group.sites, place[None], cell, pbc)[:, 0]
        near = (away < order.spacing) & (away < away.min(initial=np.inf) + TIE * order.spacing)
        near &= group.owners >= 0
        if near.any():
            sites, partners = group.sites[near], group.owners[near]
            length = find_mic(tree.data[partners] - sites, cell, pbc)[1]
            site, partner = sites[length.argmax()], partners[length.argmax()]
            if length.max() > OFF_LATTICE * order.spacing:
                members.append(partner)
                place = site + find_mic(tree.data[members] - site, cell, pbc)[0].mean(axis=0)
        found.append(
            (
                "dumbbell" if len(members) > 1 else "interstitial",
                place,
                members,
                own[members].min(),
            )
        )
    return found


def _distinct(sites, limit, cell, pbc):
    """Sites in order, without those nearer than `limit` Å to one before or sharing its atoms."""
    kept = []
    for site in sites:
        near = (
            distances(site.position[None], [s.position for s in kept], cell, pbc) if kept else None
        )
        if near is None or near.min() > limit:
            kept.append(site)
    return kept


def as_flags(flagged: ArrayLike, n_atoms: int) -> np.ndarray:
    """Flags (n_atoms,) of bool from such flags or int indices; ValueError for anything else."""
    flagged = np.asarray(flagged)
    if flagged.dtype == bool:
        if flagged.shape != (n_atoms,):
            raise ValueError(
                f"flagged has shape {flagged.shape} for a frame of {n_atoms} atoms; "
                "give one bool per atom of this frame, or indices."
            )
        return flagged
    if not flagged.size:
        return np.zeros(n_atoms, bool)
    if flagged.dtype.kind not in "iu":
        raise ValueError(
            f"flagged is of type {flagged.dtype}; give bools or int indices, for "
            "example labels == 1."
        )
    if len(np.unique(flagged)) < flagged.size:
        raise ValueError(
            f"flagged has the same number several times among {flagged.size}, as labels do; give "
            "bools, such as labels == 1, or each index once."
        )
    if not -1 < flagged.min() <= flagged.max() < n_atoms:
        raise ValueError(
            f"flagged has indices from {flagged.min()} to {flagged.max()} for a "
            f"frame of {n_atoms} atoms; give indices within this frame."
        )
    return np.isin(np.arange(n_atoms), flagged)


def checked_flags(
    atoms: Atoms, flagged: ArrayLike, most: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flags as booleans; positions, cell and boundaries of a frame that can be analysed."""
    check_is_frame(atoms)
    n_atoms = len(atoms)
    if n_atoms < FEWEST:
        raise ValueError(
            f"{n_atoms} atoms are too few to learn the order of the bulk from; use "
            f"a cell of at least {FEWEST}, repeated if need be."
        )
    flagged = as_flags(flagged, n_atoms)
    if flagged.mean() > most:
        raise ValueError(
            f"flagged marks {flagged.sum()} of {n_atoms} atoms; flag the cluster of "
            "the defect, not that of the bulk."
        )
    wrong = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"The positions of {len(wrong)} atoms are not finite, the first is atom "
            f"{wrong[0]}; leave this frame out."
        )
    pbc = np.array(atoms.pbc)
    if (pbc & ~atoms.cell.any(axis=1)).any():
        raise ValueError("A periodic direction has no cell vector; set atoms.cell or atoms.pbc.")
    return flagged, atoms.get_positions(), atoms.cell.complete().array, pbc
