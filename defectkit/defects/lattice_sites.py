"""The perfect crystal behind a frame: its sites, which atom is on which, what is left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .geometry import distances, ghosts, groups_of, wrap
from .translations import hermite

if TYPE_CHECKING:
    from .translations import Frame, Lattice

FILLED = 0.58  # a site is one of the crystal if so many of its images hold an atom
CLUSTER = 0.45  # spacings: radius of a site's atoms, laid over each other
OFF_SITE = 0.75  # spacings: an atom further from every free site has none
REGION = 1.6  # spacings: sites around a vacant one that are assigned again
WRONG_ELEMENT = 0.35  # spacings: what an atom on another element's site costs in the assignment
PER_SITE = 60  # images of a site that its centre is sought with
MAX_REGION = 3000  # sites assigned together


@dataclass(frozen=True)
class Sites:
    """Sites of the perfect crystal and the atoms on them.

    Attributes
    ----------
    basis : array (n_basis, 3)
        Places (Å) of the sites in one primitive cell.
    numbers : array (n_basis,) of int
        Atomic number of the element that most of a basis site's images hold.
    purity : array (n_basis,)
        Fraction of the atoms on the images of a basis site that are of that element.
    positions : array (n_sites, 3)
        Places (Å) of all sites in the cell, basis site by basis site.
    site_basis : array (n_sites,) of int
    owner : array (n_sites,) of int
        Atom on each site, -1: vacant.
    site_of : array (n_atoms,) of int
        Site of each atom, -1: none.
    off : array (n_atoms, 3)
        Displacement (Å) from its own site; of an atom without one, from the nearest site.
    nearest : array (n_atoms,) of int
        Nearest site.
    """

    basis: np.ndarray
    numbers: np.ndarray
    purity: np.ndarray
    positions: np.ndarray
    site_basis: np.ndarray
    owner: np.ndarray
    site_of: np.ndarray
    off: np.ndarray
    nearest: np.ndarray


def basis_sites(frame: Frame, lattice: Lattice, seed: int = 0) -> np.ndarray:
    """Places (n, 3) in Å of the sites in a primitive cell, from the atoms folded into it.

    Each holds at least 0.58 of its images' atoms. Places may overlap in no case: less than 0.45
    spacings apart they are one.
    """
    periodic = np.ones(3, bool)
    folded = wrap(frame.positions, lattice.vectors, periodic)
    n_atoms, radius = len(folded), CLUSTER * frame.spacing
    n_sites = n_atoms / lattice.multiplicity
    size = int(min(n_atoms, max(400, min(PER_SITE * n_sites, 6000), 20 * n_sites)))
    some = np.random.default_rng(seed).permutation(n_atoms)[:size]
    points, owner = ghosts(folded[some], lattice.vectors, periodic, 2 * radius)
    tree = cKDTree(points)
    pairs = cKDTree(points[:size]).sparse_distance_matrix(tree, radius, output_type="ndarray")
    i, j, step = pairs["i"], owner[pairs["j"]], points[pairs["j"]] - points[pairs["i"]]
    # the more neighbours, and the nearer: the smooth density of the folded atoms
    weight = 1 - (pairs["v"] / radius) ** 2
    density = np.bincount(i, weight, size)
    wanted = FILLED * lattice.multiplicity * size / n_atoms
    free, centres = np.ones(size, bool), []
    order = np.argsort(i, kind="stable")
    j, step, weight = j[order], step[order], weight[order]
    start = np.searchsorted(i[order], np.arange(size + 1))
    for seed_atom in np.argsort(-density, kind="stable"):
        mine = slice(start[seed_atom], start[seed_atom + 1])
        live = free[j[mine]]
        if not free[seed_atom] or live.sum() < 0.5 * wanted:
            continue
        place = points[seed_atom] + np.average(
            step[mine][live], axis=0, weights=weight[mine][live]
        )
        for _ in range(4):
            near = np.array(tree.query_ball_point(place, radius), int)
            near = near[free[owner[near]]]
            if not len(near):
                break
            place = points[near].mean(axis=0)
        free[owner[near]] = free[seed_atom] = False
        if len(np.unique(owner[near])) >= 0.8 * wanted:
            centres.append(place)
    if not centres:
        return np.empty((0, 3))
    return _refined(np.array(centres), folded, lattice, radius)


def _refined(centres, folded, lattice, radius):
    """Centres as means over all their atoms but the farthest tenth; those too empty are left."""
    periodic = np.ones(3, bool)
    for _ in range(3):
        points, owner = ghosts(centres, lattice.vectors, periodic, 2 * radius)
        tree = cKDTree(points)
        away, near = tree.query(folded)
        mine, off = owner[near], folded - points[near]
        count = np.bincount(mine[away < radius], minlength=len(centres))
        kept = count >= FILLED * lattice.multiplicity - 1e-9
        use = away < radius
        rms = np.sqrt(np.bincount(mine[use], away[use] ** 2, len(centres)) / np.maximum(count, 1))
        use &= away < 2.0 * rms[mine] + 1e-9
        number = np.maximum(np.bincount(mine[use], minlength=len(centres)), 1)
        shift = np.stack(
            [np.bincount(mine[use], off[use, k], len(centres)) / number for k in range(3)], axis=1
        )
        centres = wrap((centres + shift)[kept], lattice.vectors, periodic)
        if not len(centres):
            break
    return centres


def _cells(lattice):
    """Hermite form of the supercell and the strides that number the primitive cells in it."""
    form = hermite(lattice.supercell).astype(np.int64)
    sizes = np.diag(form)
    return form, np.array([sizes[1] * sizes[2], sizes[2], 1])


def _cell_index(lattice, shift):
    """Number of the primitive cell (n,) that lattice vectors `shift` (n, 3) of ints lead to."""
    form, strides = _cells(lattice)
    shift = shift.astype(np.int64).copy()
    for k in range(3):
        shift -= np.floor_divide(shift[:, k], form[k, k])[:, None] * form[k]
    return shift @ strides


def assign_sites(
    frame: Frame,
    lattice: Lattice,
    numbers: np.ndarray,
    basis: np.ndarray,
    elements: tuple[np.ndarray, np.ndarray] | None = None,
) -> Sites:
    """The Sites of the crystal with `basis` (n, 3), and the atom on each.

    `elements`: atomic number and purity of each basis site; default by the atoms on its images.

    Each atom belongs to its nearest site. Around vacant sites the atoms are assigned anew, one to
    one, at the smallest sum of squared distances; an atom on another element's site pays for it.
    An atom farther than 0.75 spacings from every free site has none.
    """
    periodic, multiplicity = np.ones(3, bool), lattice.multiplicity
    points, owner = ghosts(basis, lattice.vectors, periodic, 2.5 * frame.spacing)
    tree, cell_inverse = cKDTree(points), np.linalg.inv(lattice.vectors)
    folded = wrap(frame.positions, lattice.vectors, periodic)
    near = tree.query(folded)[1]
    site_basis = owner[near]
    image = frame.positions - folded + points[near] - basis[site_basis]
    index = _cell_index(lattice, np.rint(image @ cell_inverse))
    nearest = site_basis * multiplicity + index
    off = folded - points[near]
    majority, purity = elements or elements_of(site_basis, numbers, len(basis))

    form, strides = _cells(lattice)
    number = np.arange(multiplicity)
    cells = np.stack(
        [number // strides[0], number % strides[0] // strides[1], number % strides[1]], axis=1
    )
    positions = (basis[:, None] + cells @ lattice.vectors).reshape(-1, 3)
    positions = wrap(positions, frame.cell, np.array(frame.pbc) | frame.closed)
    basis_of = np.repeat(np.arange(len(basis)), multiplicity)

    # the nearest atom of the right element has the site first
    wrong = (numbers != majority[site_basis]) & (purity[site_basis] > 0.8)
    rank = np.lexsort(((off**2).sum(1) + wrong * (WRONG_ELEMENT * frame.spacing) ** 2, nearest))
    first = rank[np.r_[True, np.diff(nearest[rank]) > 0]]
    holder = np.full(len(positions), -1)
    holder[nearest[first]] = first
    site_of = np.full(len(numbers), -1)
    site_of[first] = nearest[first]
    right = [majority, purity, basis_of, numbers]
    _reassign(frame, positions, holder, site_of, nearest, right)
    # displacements from the sites as assigned
    there = np.flatnonzero((site_of >= 0) & (site_of != nearest))
    for atom in there:
        off[atom] = _vector(frame, positions[site_of[atom]], frame.positions[atom])
    return Sites(basis, majority, purity, positions, basis_of, holder, site_of, off, nearest)


def _vector(frame, start, end):
    """Shortest vector (3,) in Å from `start` to `end`."""
    near = ghosts(np.array([end]), frame.cell, frame.pbc, 0)[0][0]
    step = (near - start) @ np.linalg.inv(frame.cell)
    step -= np.rint(step) * frame.pbc
    grid = np.stack(np.meshgrid(*[[-1, 0, 1] if p else [0] for p in frame.pbc]), -1).reshape(-1, 3)
    options = (step + grid) @ frame.cell
    return options[(options**2).sum(1).argmin()]


def elements_of(
    site_basis: np.ndarray, numbers: np.ndarray, n_basis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Element of most atoms of each basis site (atomic number), and their fraction."""
    kinds, which = np.unique(numbers, return_inverse=True)
    count = np.zeros((n_basis, len(kinds)), int)
    np.add.at(count, (site_basis, which), 1)
    return kinds[count.argmax(1)], count.max(1) / np.maximum(count.sum(1), 1)


def _reassign(frame, positions, holder, site_of, nearest, right):
    """Assign the atoms around vacant sites anew, in place."""
    majority, purity, basis_of, numbers = right
    spacing, limit = frame.spacing, OFF_SITE * frame.spacing
    empty, loose = np.flatnonzero(holder < 0), np.flatnonzero(site_of < 0)
    if not len(empty) or not len(positions):
        return
    images, owner = ghosts(positions, frame.cell, frame.pbc, 3 * spacing)
    tree = cKDTree(images)
    near = tree.query_ball_point(positions[empty], REGION * spacing)
    region = np.unique(owner[np.concatenate(near).astype(int)])
    for sites in groups_of(images, owner, region, 1.2 * spacing):
        atoms = holder[sites]
        atoms = atoms[atoms >= 0]
        atoms = np.union1d(atoms, loose[np.isin(nearest[loose], sites)])
        if not len(atoms) or len(sites) > MAX_REGION:
            continue
        away = distances(frame.positions[atoms], positions[sites], frame.cell, frame.pbc)
        basis = basis_of[sites]
        wrong = (numbers[atoms][:, None] != majority[basis]) & (purity[basis] > 0.8)
        cost = np.minimum(away, 2 * limit) ** 2 + wrong * (WRONG_ELEMENT * spacing) ** 2
        i, j = linear_sum_assignment(cost)
        holder[sites], site_of[atoms] = -1, -1
        close = away[i, j] < limit
        holder[sites[j[close]]] = atoms[i[close]]
        site_of[atoms[i[close]]] = sites[j[close]]
