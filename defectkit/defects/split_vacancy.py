"""Which half of a split vacancy is vacant: the plane midway, by the crystal all around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from .reconstruction import Order

SURROUNDINGS = 4.2  # spacings about the middle of the bond
ALIKE = 0.35  # spacings: a bond that differs by less is the same bond of the crystal
SAME_SITE = 0.4  # spacings: atoms nearer than this, once shifted, are on the same site
OVERLAP = 0.6  # share of a bulk bond's surroundings that must be found again
MOST_BONDS = 400  # of the bulk to compare with


def settle(
    half: np.ndarray,
    other: np.ndarray,
    tree: cKDTree,
    owner: np.ndarray,
    flagged: np.ndarray,
    order: Order,
) -> tuple[np.ndarray, np.ndarray]:
    """The vacant and the other site (3,) in Å of a split vacancy whose atom is midway.

    The reconstructed sites carry the heat of a few atoms, and which of them is vacant hangs on
    a tenth of an ångström. So the surroundings of bonds of the bulk along the same direction are
    laid over those of the split vacancy; the mean shift places the middle by hundreds of atoms.

    half, other  the sites as found (Å), nearest images of each other
    tree         the atoms and their images; `owner` is the atom of each point
    flagged      indices of atoms that the bulk is not learnt from
    """
    mover = owner[tree.query(half)[1]]
    bonds = _bulk_bonds(other - half, tree, owner, np.append(flagged, mover), order)
    middle = 0.5 * (half + other)
    reach = (SURROUNDINGS + SAME_SITE) * order.spacing
    near = np.array(tree.query_ball_point(middle, reach))
    around = cKDTree(tree.data[near[owner[near] != mover]])
    placed = [_laid_over(start, end, middle, around, tree, owner, order) for start, end in bonds]
    placed = [p for p in placed if p is not None]
    if not placed:
        return half, other
    middle = np.mean(placed, axis=0)
    bond = np.mean([tree.data[end] - tree.data[start] for start, end in bonds], axis=0)
    points = tree.data[owner == mover]
    atom = points[np.linalg.norm(points - middle, axis=1).argmin()]
    bond = bond if (atom - middle) @ bond > 0 else -bond
    return middle - 0.5 * bond, middle + 0.5 * bond


def _bulk_bonds(vector, tree, owner, avoid, order):
    """Up to MOST_BONDS pairs (start, end) of points with a bond like `vector`."""
    bulk = np.setdiff1d(np.arange(owner.max() + 1), avoid)
    pairs = cKDTree(tree.data[bulk]).sparse_distance_matrix(
        tree, order.bond, output_type="ndarray"
    )
    start, end = bulk[pairs["i"]], pairs["j"]
    apart = np.linalg.norm(tree.data[end] - tree.data[start] - vector, axis=1)
    alike = (apart < ALIKE * order.spacing) & ~np.isin(owner[end], avoid)
    found = np.stack([start[alike], end[alike]], axis=1)
    found = found[np.lexsort(found.T)]
    return found[np.linspace(0, len(found) - 1, min(MOST_BONDS, len(found))).astype(int)]


def _laid_over(start, end, middle, around, tree, owner, order):
    """Where the middle of a bulk bond comes to lie when its surroundings fit `around`, or None."""
    centre = 0.5 * (tree.data[start] + tree.data[end])
    near = np.array(tree.query_ball_point(centre, SURROUNDINGS * order.spacing))
    near = near[(owner[near] != owner[start]) & (owner[near] != owner[end])]
    shape, place = tree.data[near] - centre, middle
    for _ in range(3):
        away, hit = around.query(place + shape, distance_upper_bound=SAME_SITE * order.spacing)
        there = np.isfinite(away)
        if there.sum() < max(OVERLAP * len(shape), 4):
            return None
        place = (around.data[hit[there]] - shape[there]).mean(axis=0)
    return place
