"""Which environments a map is made from when there are too many for one.

A draw depends on what the environments are, not on where they stand: each gets a number from a
hash of its rounded features. So the order of atoms and frames does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..imbalance import density_strata

ANCHORS = 3000  # environments that the local density is told by
STRATA = 20
SAME = 1e-6  # of a feature's largest value: rows that differ by less are copies


def lots(X: np.ndarray, seed: int) -> np.ndarray:
    """A number from 0 to 1 for each row, from a hash of its values to six digits and the seed."""
    scale = np.maximum(np.abs(X).max(axis=0), 1e-12)
    rounded = np.round(X / scale * 1e6).astype(np.int64).astype(np.uint64)
    state = np.full(len(X), (seed * 2654435761 + 0x9E3779B97F4A7C15) % 2**64, np.uint64)
    with np.errstate(over="ignore"):
        for column in rounded.T:
            state = _mixed(state ^ (column * np.uint64(0xBF58476D1CE4E5B9)))
    return state / np.float64(2**64)


def _mixed(x):
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def without_copies(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stand for all where every row comes twice, three times or more.

    An exact supercell is its cell so many times: nothing new is in it, but a map of it would be
    as many times as dense. Where the numbers of copies of all different rows have a common
    divisor m, one row of m is kept, so that what is common stays as common as it was. A hot
    trajectory has no copies and keeps its rows.

    X   (n, n_features)

    Returns
    -------
    kept  indices of the rows kept, ascending
    like  (n,) of int: which of the kept ones each row is
    """
    n = len(X)
    scaled = X / np.maximum(np.abs(X).max(axis=0), 1e-12)
    group = np.zeros(n, int)
    for direction in np.random.default_rng(0).normal(size=(3, X.shape[1])):
        along = scaled @ direction / np.linalg.norm(direction)
        order = np.lexsort((along, group))
        new = (np.diff(group[order]) > 0) | (np.diff(along[order]) > SAME)
        group[order] = np.concatenate([[0], np.cumsum(new)])
    count = np.bincount(group)
    times = int(np.gcd.reduce(count))
    if times == 1:
        return np.arange(n), np.arange(n)
    order = np.argsort(group, kind="stable")
    share = count // times
    rank = np.arange(n) - np.repeat(np.cumsum(count) - count, count)
    place = np.repeat(np.cumsum(share) - share, count) + rank % np.repeat(share, count)
    kept = order[rank < share[group[order]]]
    like = np.empty(n, int)
    like[order] = place
    ascending = np.argsort(kept)
    back = np.empty(len(kept), int)
    back[ascending] = np.arange(len(kept))
    return kept[ascending], back[like]


class Lottery(NamedTuple):
    """Rows in an order drawn by what they are, and how sparse their surroundings are.

    order  (n,) of int
    away   (n,), distance to the third nearest of 3000 rows
    """

    order: np.ndarray
    away: np.ndarray


def lottery(Z: np.ndarray, seed: int) -> Lottery:
    """The `Lottery` of rows (n, n_features), standardised."""
    order = np.argsort(lots(Z, seed), kind="stable")
    anchors = Z[np.sort(order[:ANCHORS])]
    search = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(anchors)
    return Lottery(order, search.kneighbors(Z)[0][:, 3])


def draw(Z: np.ndarray, n: int, seed: int, known: Lottery | None = None) -> np.ndarray:
    """Indices (n,) of rows to map, ascending: half at random, half so that rare kinds are kept.

    Z      (n_environments, n_features), standardised
    known  their `lottery` of this seed, where it is there already
    The second half is the density-balanced subsample of `defectkit.imbalance`.
    """
    if len(Z) <= n:
        return np.arange(len(Z))
    order, away = known or lottery(Z, seed)
    chosen = order[: n // 2]
    rest = order[n // 2 :]
    least = max(away[away > 0].min(), 1e-12) if (away > 0).any() else 1.0
    stratum, quota = density_strata(np.maximum(away[rest], least), n - n // 2, STRATA)
    rare = [rest[stratum == k][: quota[k]] for k in range(STRATA)]
    return np.sort(np.concatenate([chosen, *rare]))
