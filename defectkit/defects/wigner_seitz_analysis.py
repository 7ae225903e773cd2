"""The truth of a reference lattice: which of its sites are vacant or shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial import cKDTree

from .geometry import ghosts, nearest_spacing, wrap

OFF_LATTICE = 0.34  # spacings from its site: an atom of a dumbbell (0.8 Å in silicon)


@dataclass(frozen=True, eq=False)
class WignerSeitz:
    """Vacant and multiply filled sites of one frame.

    Attributes
    ----------
    site_of : array (n_atoms,) of int
        Nearest site of each atom.
    occupancy : array (n_sites,) of int
        Atoms of each site.
    vacant, shared : arrays of int
        Sites with no atom, with more than one.
    vacancies : array (n_vacant, 3)
        Positions (Å) of the vacant sites in the frame's cell.
    shared_sites : array (n_shared, 3)
        Positions (Å) of the sites with more than one atom.
    interstitials : array (n, 3)
        Mean positions (Å) of the atoms off the lattice, one for each shared site.
    interstitial_atoms : list of arrays of int
        These atoms, for each shared site.
    halves : array (n_vacant, 3)
        Where a vacancy is split, the other of its two half-vacant sites (Å); NaN where whole.
    """

    site_of: np.ndarray
    occupancy: np.ndarray
    vacant: np.ndarray
    shared: np.ndarray
    vacancies: np.ndarray
    shared_sites: np.ndarray
    interstitials: np.ndarray
    interstitial_atoms: list
    halves: np.ndarray


@overload
def wigner_seitz(frames: Atoms, reference: Atoms) -> WignerSeitz: ...
@overload
def wigner_seitz(frames: Sequence[Atoms], reference: Atoms) -> list[WignerSeitz]: ...
def wigner_seitz(
    frames: Atoms | Sequence[Atoms], reference: Atoms
) -> WignerSeitz | list[WignerSeitz]:
    """Vacant and multiply filled sites of each frame against a perfect crystal: the truth.

    Each atom counts for its nearest site. Frames are mapped on the reference by their scaled
    coordinates, so a strained, sheared or rotated cell does no harm; atoms may be wrapped or not.
    A rigid drift of the lattice is found (the smallest that brings atoms to sites: a whole lattice
    vector cannot be seen, and would only rename the sites), as the mean over the atoms at their
    sites, and taken off. Of the atoms of a shared site those further from it than 0.34
    nearest-neighbour spacings are off the lattice (at least the furthest): one for a tetrahedral
    or hexagonal interstitial, two for a dumbbell.

    A vacancy is split where an atom is midway between the vacant site and its own: nearer to the
    plane between them than the root mean square displacement of the frame's atoms along one
    direction. Which of the two sites is the vacant one then changes with every vibration.

    Parameters
    ----------
    frames : ase.Atoms or sequence of them
        Any number of atoms, in a cell that deforms that of the reference.
    reference : ase.Atoms
        The perfect crystal, with as many cells as the frames.

    Returns
    -------
    WignerSeitz, or a list of them for a sequence.

    Raises
    ------
    ValueError
        Atoms that differ from the sites by more than a fifth, or boundaries that differ.

    Examples
    --------
    >>> from ase.build import bulk
    >>> perfect = bulk("Si", cubic=True) * (2, 2, 2)
    >>> damaged = perfect.copy()
    >>> del damaged[5]
    >>> damaged.positions += [0.4, 0.7, -0.2]
    >>> wigner_seitz(damaged, perfect).vacant.tolist()
    [5]
    """
    if isinstance(frames, Atoms):
        return wigner_seitz([frames], reference)[0]
    cell, pbc = reference.cell.complete().array, np.array(reference.pbc)
    sites = wrap(reference.get_positions(), cell, pbc)
    for k, atoms in enumerate(frames):
        if abs(len(atoms) - len(sites)) > 0.2 * len(sites) or (atoms.pbc != pbc).any():
            raise ValueError(
                f"Frame {k} has {len(atoms)} atoms and pbc {atoms.pbc.tolist()}, the "
                f"reference {len(sites)} and {pbc.tolist()}; give the perfect "
                "crystal with as many unit cells."
            )
        if not np.isfinite(atoms.positions).all():
            raise ValueError(f"Frame {k} has positions that are not finite; leave it out.")
    spacing = nearest_spacing(sites, cell, pbc)
    points, owner = ghosts(sites, cell, pbc, 3 * spacing)
    lattice = cKDTree(points)
    return [_wigner_seitz(atoms, sites, cell, pbc, spacing, lattice, owner) for atoms in frames]


def _wigner_seitz(atoms, sites, cell, pbc, spacing, lattice, owner):
    """Analysis of one frame; `lattice` is the tree of the sites and their images."""
    to_reference = np.linalg.inv(atoms.cell.complete().array) @ cell
    positions = atoms.get_positions() @ to_reference
    drift = _drift(positions, cell, pbc, spacing, lattice)
    inside = wrap(positions - drift, cell, pbc)
    away, near = lattice.query(inside)
    site_of, off = owner[near], inside - lattice.data[near]
    occupancy = np.bincount(site_of, minlength=len(sites))
    vacant, shared = np.flatnonzero(occupancy == 0), np.flatnonzero(occupancy > 1)
    members, middle = [], np.empty((len(shared), 3))
    for k, site in enumerate(shared):
        mine = np.flatnonzero(site_of == site)
        members.append(mine[away[mine] >= min(OFF_LATTICE * spacing, away[mine].max())])
        middle[k] = sites[site] + off[members[-1]].mean(axis=0)
    halves = _halves(vacant, sites, cell, pbc, spacing, site_of, off)
    back = np.linalg.inv(to_reference)

    def in_frame(places):
        return wrap((places + drift) @ back, atoms.cell.complete().array, pbc)

    return WignerSeitz(
        site_of,
        occupancy,
        vacant,
        shared,
        in_frame(sites[vacant]),
        in_frame(sites[shared]),
        in_frame(middle),
        members,
        in_frame(halves),
    )


def _halves(vacant, sites, cell, pbc, spacing, site_of, off):
    """The site of the atom midway to each vacant site, or NaN."""
    heat = np.sqrt((off**2).mean())
    halves = np.full((len(vacant), 3), np.nan)
    for k, site in enumerate(vacant):
        step, length = find_mic(sites[site] - sites[site_of], cell, pbc)
        beside = np.flatnonzero(length < 1.25 * spacing)
        if len(beside):
            to_go = length[beside] / 2 - (off[beside] * step[beside]).sum(1) / length[beside]
            if to_go.min() < heat:
                halves[k] = sites[site_of[beside[to_go.argmin()]]]
    return halves


def _drift(positions, cell, pbc, spacing, lattice):
    """Smallest rigid shift (Å) that brings the lattice of the atoms to that of the sites.

    Medians find it, since they do not mind the atoms of a defect; the mean over the atoms at
    their sites then has the smaller error by heat, which decides where an atom is midway.
    """

    def settle(shift, chosen, n_steps, centre=np.median):
        for _ in range(n_steps):
            inside = wrap(chosen - shift, cell, pbc)
            away, near = lattice.query(inside)
            there = away < (OFF_LATTICE * spacing if centre is np.mean else np.inf)
            more = centre((inside - lattice.data[near])[there], axis=0) if there.any() else 0.0
            shift = shift + more
            if np.abs(more).max() < 1e-4:
                break
        return shift, np.percentile(away, 75)

    shift, misfit = settle(np.zeros(3), positions, 10)
    if misfit >= 0.25 * spacing:
        some = positions[np.linspace(0, len(positions) - 1, 300).astype(int)]
        trials = wrap(some[::25], cell, pbc)
        near = lattice.query(trials, k=16)[1]
        tried = [settle(v, some, 3) for v in (trials[:, None] - lattice.data[near]).reshape(-1, 3)]
        limit = 1.1 * min(misfit for _, misfit in tried) + 0.02 * spacing
        best = min((shift for shift, misfit in tried if misfit <= limit), key=np.linalg.norm)
        shift = settle(best, positions, 10)[0]
    return settle(shift, positions, 10, np.mean)[0]
