"""Put a damaged crystal right: which sites the order of the bulk asks for, without a lattice.

The order is learnt from the frame itself: the pair distribution of its unflagged atoms and how
many neighbours they have. Flagged atoms are taken out and the hole is filled again, one atom at a
time, wherever an atom more would fit as the atoms of the bulk do. A filled site that no removed
atom belongs to is a vacancy; a removed atom that no filled site is left for is an interstitial.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .fit import ascend
from .geometry import distances, ghosts, groups_of, nearest_spacing, wrap

REACH = 2.0  # range of the order learnt, in nearest-neighbour spacings
LINK = 1.9  # flagged atoms nearer than this, in spacings, are looked at together
RANGE = 4.5  # of the surroundings of a group of flagged atoms, in spacings
WIDTH = 0.08  # smoothing of the pair distribution, in spacings: heat and relaxation
FLOOR = -3.0  # log likelihood of a distance that the bulk never shows
SLACK = 0.25  # neighbours beyond the bulk's number that cost nothing
# shares of the median fit of the bulk's atoms:
GOOD_FIT = 0.2  # a place that fits better is a site
KEEP_FIT = 0.9  # a flagged atom that fits better stays
MISFITS = (0.05, 0.5, np.inf)  # an atom bonded to flagged ones that fits worse is taken out too:
#                  the next limit is tried where the one before shows no defect, or several
ONE_SIDED = 0.55  # length of the mean direction to the atoms around that makes a place outside
EXTRA_FIT = 0.6  # an atom that fits better is no interstitial
MOST_REMOVED = 40  # atoms, and a third of all, beyond what is flagged
MAX_SITES = 200  # filled per group of flagged atoms


@dataclass(frozen=True)
class Order:
    """Order round an atom of the bulk.

    `table` holds, at distances 0, step, 2 step, ... (Å): log of the pair distribution, its slope,
    the weight of a bond (1 within the first shell, 0 beyond) and its slope. Bonds end at `bond` Å,
    are `bond_length` Å long on average, and each atom has `coordination` of them.
    """

    spacing: float
    step: float
    table: np.ndarray
    bond: float
    coordination: float
    bond_length: float


def learn_order(points: np.ndarray, n_atoms: int, bulk: np.ndarray, spacing: float) -> Order:
    """Order round the atoms where `bulk` is True; `points` starts with the cell's own atoms."""
    reach, step = REACH * spacing, 0.002 * spacing
    tree, n_bins = cKDTree(points), 1200
    pairs = cKDTree(points[:n_atoms][bulk]).sparse_distance_matrix(
        tree, n_bins * step, output_type="ndarray"
    )
    distance = pairs["v"][pairs["v"] > 1e-6]
    radius = (np.arange(n_bins) + 0.5) * step
    counts = np.histogram(distance, n_bins, (0, n_bins * step))[0].astype(float)
    # the density inside the sphere, not of the cell, which may hold vacuum
    density = (counts.sum() / bulk.sum() + 1) / (4 / 3 * np.pi * (n_bins * step) ** 3)
    smooth = WIDTH * spacing / step
    shell = 4 * np.pi * radius**2 * step * density * bulk.sum()
    g = gaussian_filter1d(counts, smooth, mode="constant") / gaussian_filter1d(shell, smooth)
    log_g = np.log(np.maximum(g, np.exp(FLOOR)))
    # nearer than any bond: steeper the nearer, so that a site moves away from an atom
    log_g = np.where(radius < 0.75 * spacing, FLOOR - 15 * (0.75 - radius / spacing), log_g)
    log_g *= np.cos(np.pi / 2 * np.clip((radius - 1.4 * spacing) / (0.6 * spacing), 0, 1)) ** 2
    between = (radius > spacing) & (radius < 1.5 * spacing)
    bond = np.median(radius[between][g[between] <= g[between].min() + 1e-3])
    weight = np.clip((bond - radius) / (0.24 * spacing) + 0.5, 0, 1)
    weight = weight**2 * (3 - 2 * weight)
    table = np.stack([log_g, np.gradient(log_g, step), weight, np.gradient(weight, step)], axis=1)
    table = table[: int(reach / step)]
    table[-1] = 0
    bonds = np.interp(distance, radius, weight)
    return Order(
        spacing,
        step,
        table,
        float(bond),
        float(bonds.sum() / bulk.sum()),
        float(np.average(distance, weights=bonds)),
    )


def look_up(order: Order, distance: np.ndarray) -> np.ndarray:
    """The four tables of `order` at `distance`, linear in between; zero beyond the reach."""
    at = np.minimum(distance / order.step - 0.5, len(order.table) - 1.001)
    low = np.maximum(at, 0).astype(int)
    part = (at - low)[..., None]
    return order.table[low] * (1 - part) + order.table[low + 1] * part


def own_fit(order: Order, tree: cKDTree, points: np.ndarray) -> np.ndarray:
    """How well the atoms at `points`, themselves in `tree`, fit the order of the bulk."""
    distance, _ = tree.query(points, k=min(64, tree.n), distance_upper_bound=REACH * order.spacing)
    values = look_up(order, distance[:, 1:])
    crowding = values[..., 2].sum(1) - order.coordination - SLACK
    return values[..., 0].sum(1) - np.maximum(0, crowding) ** 2


def crowding(order: Order, tree: cKDTree, near: np.ndarray) -> np.ndarray:
    """Smooth coordination beyond the bulk's number and slack, of the points `near` of `tree`."""
    distance, _ = tree.query(
        tree.data[near], k=min(40, tree.n), distance_upper_bound=1.2 * order.bond
    )
    distance = distance[:, 1 : np.isfinite(distance).sum(1).max()]
    load = np.full(tree.n, -np.inf)
    load[near] = look_up(order, distance)[..., 2].sum(1) - order.coordination - SLACK
    return load


def maximise_fit(
    order: Order,
    tree: cKDTree,
    crowd: np.ndarray,
    starts: np.ndarray,
    n_steps: int = 40,
    tolerance: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest places of best fit for one atom more, and that fit: steepest ascent from `starts`.

    The fit is the log likelihood of the distances to the atoms around, less the squares of what
    the new atom and its neighbours get too many of bonds. A start that is a point of `tree` is
    moved as if it were not there.
    """
    reach = (REACH + 0.6) * order.spacing
    distance, near = tree.query(starts, k=min(90, tree.n), distance_upper_bound=reach)
    most = np.isfinite(distance).sum(1).max()
    distance, near = distance[:, :most], near[:, :most]
    there = np.isfinite(distance) & (distance > 1e-6)
    occupied = distance[:, :1] <= 1e-6
    near = np.where(there, near, 0)
    around = np.where(there[..., None], tree.data[near], 1e9)
    load = crowd[near] - occupied * look_up(order, distance)[..., 2]
    load = np.where(there, load, -np.inf)

    return ascend(
        starts,
        around,
        load,
        order.table,
        order.step,
        order.coordination + SLACK,
        order.spacing,
        n_steps,
        tolerance,
    )


def open_bonds(order: Order, tree: cKDTree, around: np.ndarray, limit: float) -> np.ndarray:
    """Where a neighbour is missing: one spacing along the open side of each unsaturated atom."""
    near = np.unique(np.concatenate(tree.query_ball_point(around, limit)).astype(int))
    points = tree.data[near]
    distance, j = tree.query(points, k=min(24, tree.n), distance_upper_bound=1.2 * order.bond)
    distance, j = distance[:, 1:], j[:, 1:]
    there = np.isfinite(distance)
    weight = look_up(order, distance)[..., 2]
    unit = tree.data[np.where(there, j, 0)] - points[:, None]
    unit /= np.where(there, np.maximum(distance, 1e-9), np.inf)[..., None]
    side = -(weight[..., None] * unit).sum(1)
    missing = weight.sum(1) < order.coordination - 0.5
    side, points = side[missing], points[missing]
    norm = np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    return points + order.spacing * side / norm


def one_sidedness(order: Order, tree: cKDTree, places: np.ndarray) -> np.ndarray:
    """Length of the mean direction to all atoms within reach: 0.5 in the plane of a surface."""
    if not len(places):
        return np.empty(0)
    distance, near = tree.query(
        places, k=min(64, tree.n), distance_upper_bound=REACH * order.spacing
    )
    there = np.isfinite(distance)[..., None]
    unit = np.where(there, tree.data[np.where(there[..., 0], near, 0)] - places[:, None], 0)
    unit /= np.where(there, np.maximum(distance, 1e-9)[..., None], 1)
    return np.linalg.norm(unit.sum(1) / np.maximum(there.sum(1), 1), axis=1)


def insert_sites(
    order: Order, pool: np.ndarray, homes: np.ndarray, shifts: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Sites (n, 3) near `homes`, and their fits, that complete the crystal of `pool`.

    The best place for one atom more is taken, all sites settle, and again, until none is as good
    as `least`. `shifts` are the lattice vectors of the images that count.
    """
    home_tree, sites, fits = cKDTree(homes), np.empty((0, 3)), np.empty(0)

    def with_sites():
        images = (sites[:, None] + shifts).reshape(-1, 3)
        close = home_tree.query(images)[0] < RANGE * order.spacing if len(sites) else []
        tree = cKDTree(np.concatenate([pool, images[close]]))
        near = home_tree.query(tree.data, distance_upper_bound=4 * order.spacing)[0] < np.inf
        return tree, crowding(order, tree, np.flatnonzero(near))

    while len(sites) < MAX_SITES:
        tree, crowd = with_sites()
        starts = np.concatenate([homes, open_bonds(order, tree, homes, 1.35 * order.spacing)])
        starts = starts[tree.query(starts)[0] > 0.4 * order.spacing]
        if not len(starts):
            break
        place, fit = maximise_fit(order, tree, crowd, starts, n_steps=8)
        lead = np.argsort(-fit)[:6]
        place, fit = maximise_fit(order, tree, crowd, place[lead])
        fit[one_sidedness(order, tree, place) > ONE_SIDED] = -np.inf
        best = np.argmax(fit)
        if not fit[best] >= least:
            break
        sites = np.concatenate([sites, place[best : best + 1]])
        tree, crowd = with_sites()
        sites, fits = maximise_fit(order, tree, crowd, sites, 60, 1e-4)
    return sites, fits


@dataclass(frozen=True)
class Group:
    """A group of flagged atoms, put right.

    `removed` atoms were taken out, `sites` (n, 3) in Å filled in, with their `fits` in units of
    the bulk's median. `owners` gives each site's atom, or -1: it is vacant. `extra` are the atoms
    that no site is left for.
    """

    flagged: np.ndarray
    removed: np.ndarray
    sites: np.ndarray
    fits: np.ndarray
    owners: np.ndarray
    extra: np.ndarray

    @property
    def n_defects(self) -> int:
        """Number of vacant sites and of atoms without one."""
        return int((self.owners < 0).sum()) + len(self.extra)


def _shifts(cell, pbc, reach):
    """Vectors to the images of the cell that may lie within `reach`."""
    steps = np.ceil(reach * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int)
    turns = [
        range(-n, n + 1) if periodic else (0,) for n, periodic in zip(steps, pbc, strict=True)
    ]
    return np.array(list(product(*turns))) @ cell


def reconstruct(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, flagged: np.ndarray
) -> tuple[Order, cKDTree, np.ndarray, np.ndarray, list[Group]]:
    """Take the flagged atoms out, fill the holes as the bulk is ordered, say who belongs where.

    Returns the Order, the tree of the atoms and their images, the atom of each point of the tree,
    the fit of each atom in units of the bulk's median, and the Groups.
    """
    n_atoms, spacing = len(positions), nearest_spacing(positions, cell, pbc)
    points, owner = ghosts(positions, cell, pbc, (RANGE + 0.5) * spacing)
    tree = cKDTree(points)
    # heat makes the distance to the nearest neighbour too small a unit
    spacing = learn_order(points, n_atoms, ~flagged, spacing).bond_length
    order = learn_order(points, n_atoms, ~flagged, spacing)
    own = own_fit(order, tree, points[:n_atoms])
    typical = np.median(own[~flagged])
    own = own / typical
    shifts = _shifts(cell, pbc, RANGE * spacing)

    def bonded_to(group, limit):
        near = np.concatenate(tree.query_ball_point(points[group], order.bond)).astype(int)
        near = np.unique(owner[near])
        return near[own[near] < limit]

    def refill(group, limit):
        removed = np.union1d(group[own[group] < KEEP_FIT], bonded_to(group, limit))
        if limit > MISFITS[0] and len(removed) - len(group) > min(MOST_REMOVED, n_atoms / 3):
            return None
        homes = points[np.union1d(group, removed)]
        near = np.concatenate(tree.query_ball_point(homes, RANGE * spacing)).astype(int)
        near = np.unique(near)
        pool = points[near[~np.isin(owner[near], removed)]]
        sites, fits = insert_sites(order, pool, homes, shifts, GOOD_FIT * typical)
        owners, alone = assign(removed, points[removed], sites, cell, pbc, spacing)
        return Group(
            group[flagged[group]],
            removed,
            wrap(sites, cell, pbc),
            fits / typical,
            owners,
            alone[own[alone] < EXTRA_FIT],
        )

    chosen = np.flatnonzero(flagged)
    found, chosen = [], np.union1d(chosen, bonded_to(chosen, MISFITS[0]))
    for group in groups_of(points, owner, chosen, LINK * spacing):
        best = refill(group, MISFITS[0])
        for limit in MISFITS[1:] if len(group) > 1 and best.n_defects != 1 else ():
            more = refill(group, limit)
            before, after = best.n_defects, more.n_defects if more else 0
            # what only shows when more is taken out is one defect or two, not the refill's failure
            if 0 < after < before or before == 0 < after <= 2:
                best = more
            if best.n_defects == 1 or 0 < before == after:
                break
        if len(best.extra) and (best.owners >= 0).all():
            # the neighbours are pushed off their sites: the lattice is that of those further out
            near = distances(best.sites, points[best.extra], cell, pbc).min(axis=1, initial=np.inf)
            partners = best.owners[near < spacing]
            more = refill(np.union1d(best.extra, partners), np.inf) if len(partners) else None
            if more and more.n_defects == best.n_defects:
                best = more
        found.append(best)
    return order, tree, owner, own, found


def assign(
    atoms: np.ndarray,
    positions: np.ndarray,
    sites: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    limit: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Atom of each site, one to one, at most `limit` Å away, or -1; the atoms without a site."""
    owners = np.full(len(sites), -1)
    if len(atoms) and len(sites):
        away = distances(positions, sites, cell, pbc)
        i, j = linear_sum_assignment(np.minimum(away, 1.5 * limit) ** 2)
        close = away[i, j] < limit
        owners[j[close]] = atoms[i[close]]
    return owners, np.setdiff1d(atoms, owners)
