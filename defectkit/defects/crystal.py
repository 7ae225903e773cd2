"""Which lattice explains a frame: the translations and sites that leave the fewest atoms over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lattice_sites import Sites, assign_sites, basis_sites
from .translations import Frame, Lattice, candidates, prepare, translation_lattices

ON_SITE = 0.45  # spacings: an atom nearer than this to its site is explained
EXPLAINED = 0.85  # fraction of the atoms that a crystal has to explain
MAX_DEFECTS = 0.12  # vacant sites and extra atoms, of all atoms
FEWEST_CELLS = 3  # primitive cells in the frame: fewer cannot outvote a defect
SHARPER = 0.6  # a coarser lattice that reduces the displacements so much is the true one
MAX_BASIS = 1000  # sites in a primitive cell
MAX_SHARPER_BASIS = 60  # of a coarser lattice
STATIC = 0.06  # spacings: rms displacement that no coarser lattice needs to reduce


@dataclass(frozen=True)
class Crystal:
    """A frame explained by a lattice and its sites; `rms` displacement (Å) of atoms on sites.

    `orbit` (n_basis,) numbers the sites of the primitive cell; the same number for those that
    symmetry operations bring on one another, where operations were looked for.
    """

    frame: Frame
    lattice: Lattice
    sites: Sites
    explained: float
    rms: float
    vacant: np.ndarray
    extra: np.ndarray
    orbit: np.ndarray

    @property
    def n_equal(self) -> np.ndarray:
        """Sites of the frame (n_basis,) that should hold what a site of the basis holds."""
        return self.lattice.multiplicity * np.bincount(self.orbit)[self.orbit]

    @property
    def n_defects(self) -> int:
        """Vacant sites and atoms without one."""
        return len(self.vacant) + len(self.extra)


def explain(
    positions: np.ndarray, numbers: np.ndarray, cell: np.ndarray, pbc: np.ndarray
) -> tuple[Crystal | None, str]:
    """The Crystal behind a frame, or None, and a sentence why there is none.

    Translations that keep the elements are tried first, then those in the plane of two cell
    vectors (a slab, a sheet, a planar fault), then both without telling elements apart (a random
    alloy).
    """
    reasons = []
    for kinds in (numbers, np.zeros(len(numbers), int)):
        frame = prepare(positions, kinds, cell, pbc)
        found = candidates(frame)
        if len(found.shifts):
            for plane in (None, 0, 1, 2):
                crystal, why = _best(frame, numbers, translation_lattices(frame, found, plane))
                if crystal is not None:
                    return crystal, ""
                reasons.append(why)
        if len(np.unique(numbers)) == 1:
            break
    told = [why for why in reasons if why]
    return None, told[0] if told else NO_ORDER


NO_ORDER = (
    "no crystal order shared by most atoms: liquid, amorphous, polycrystalline, or the "
    "cell is a single unit cell; point defects are not defined without one"
)


def _best(frame, numbers, chain):
    """The finest lattice of a chain that explains the frame, or a coarser, much sharper one."""
    best, why = None, ""
    for lattice in chain[::-1]:
        size = len(numbers) / lattice.multiplicity
        if lattice.multiplicity < FEWEST_CELLS or size > MAX_BASIS:
            break
        if best is not None and (best.rms < STATIC * frame.spacing or size > MAX_SHARPER_BASIS):
            break
        crystal, reason = _explained(frame, numbers, lattice)
        if best is None:
            best, why = crystal, why or reason
        elif crystal is None:
            break
        elif crystal.rms < SHARPER * best.rms and crystal.n_defects <= best.n_defects:
            best = crystal
    return best, why


def _explained(frame, numbers, lattice):
    """The Crystal of one lattice if it explains the frame, else None and why not."""
    basis = basis_sites(frame, lattice)
    return of_sites(frame, numbers, lattice, basis, np.arange(len(basis)))


def of_sites(
    frame: Frame,
    numbers: np.ndarray,
    lattice: Lattice,
    basis: np.ndarray,
    orbit: np.ndarray,
    elements: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[Crystal | None, str]:
    """The Crystal of a lattice and its basis if they explain the frame, else None and why not.

    orbit, elements      as Crystal.orbit, and as in `lattice_sites.assign_sites`
    """
    n_atoms, n_sites = len(numbers), len(basis) * lattice.multiplicity
    if not len(basis) or not 0.7 * n_atoms < n_sites < 1.3 * n_atoms:
        return None, ""
    sites = assign_sites(frame, lattice, numbers, basis, elements)
    on = sites.site_of >= 0
    away = np.linalg.norm(sites.off, axis=1)
    explained = float((on & (away < ON_SITE * frame.spacing)).mean())
    vacant, extra = np.flatnonzero(sites.owner < 0), np.flatnonzero(~on)
    crystal = Crystal(
        frame,
        lattice,
        sites,
        explained,
        float(np.sqrt((away[on] ** 2).mean())) if on.any() else np.inf,
        vacant,
        extra,
        orbit,
    )
    if explained < EXPLAINED:
        return None, (
            f"the best lattice explains only {explained:.0%} of the atoms; point "
            "defects are not defined"
        )
    if crystal.n_defects > max(MAX_DEFECTS * n_atoms, 2):
        return None, (
            f"the best lattice would leave {len(vacant)} sites vacant and {len(extra)} "
            f"of {n_atoms} atoms without one: too many for point defects"
        )
    return crystal, ""
