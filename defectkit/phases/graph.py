"""Neighbours as a graph: pairs, connected groups, periodic images, and how a group is spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree


def near_pairs(structure: Any, reach: float = 1.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i, j and vectors (Å) of atoms nearer than `reach` spacings, from the 18 nearest."""
    if not structure.neighbours.size:
        return np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3))
    distance = np.linalg.norm(structure.vectors, axis=-1)
    i, k = np.nonzero(distance < reach * structure.spacing)
    return i, structure.neighbours[i, k], structure.vectors[i, k]


def groups(n: int, i: np.ndarray, j: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Connected groups of the `chosen` (flags) among n, linked by pairs; the largest first."""
    both = chosen[i] & chosen[j]
    graph = coo_array((np.ones(both.sum(), np.int8), (i[both], j[both])), shape=(n, n))
    label = connected_components(graph, directed=False)[1]
    members = np.flatnonzero(chosen)
    order = members[np.argsort(label[members], kind="stable")]
    cuts = np.flatnonzero(np.diff(label[order])) + 1
    return sorted((g for g in np.split(order, cuts) if len(g)), key=len, reverse=True)


def unwrapped(
    members: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    vectors: np.ndarray,
    start: int | None = None,
    loop: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a connected group relative to its first atom, and the ways round the cell.

    Follows the pairs from atom to atom. Returns offsets (m, 3), Å, and the independent periodic
    vectors (k, 3), Å, k = 0 to 3, along which the group meets its own images.
    """
    rank = np.full(max(i.max(initial=0), j.max(initial=0), members.max()) + 1, -1)
    rank[members] = np.arange(len(members))
    inside = (rank[i] >= 0) & (rank[j] >= 0)
    a, b, v = rank[i[inside]], rank[j[inside]], vectors[inside]
    order = np.argsort(a, kind="stable")
    a, b, v = a[order], b[order], v[order]
    first = np.searchsorted(a, np.arange(len(members) + 1))
    offset, seen = np.zeros((len(members), 3)), np.zeros(len(members), bool)
    begin = 0 if start is None else int(rank[start])
    seen[begin], queue = True, np.array([begin])
    while len(queue):
        count = first[queue + 1] - first[queue]
        edge = (
            np.repeat(first[queue], count)
            + np.arange(count.sum())
            - np.repeat(np.cumsum(count) - count, count)
        )
        source = np.repeat(queue, count)
        fresh = ~seen[b[edge]]
        edge, source = edge[fresh], source[fresh]
        queue, at = np.unique(b[edge], return_index=True)
        offset[queue] = offset[source[at]] + v[edge[at]]
        seen[queue] = True
    away = offset[a] + v - offset[b]
    round_trip = away[np.linalg.norm(away, axis=1) > loop]
    return offset, independent(round_trip)


def independent(vectors: Any) -> np.ndarray:
    """The shortest linearly independent ones among periodic vectors."""
    if not len(vectors):
        return np.zeros((0, 3))
    vectors = np.unique(vectors.round(1), axis=0)
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")]
    kept = []
    for vector in vectors:
        trial = np.array([*kept, vector])
        if np.linalg.matrix_rank(trial, tol=0.2 * np.linalg.norm(trial, axis=1).min()) > len(kept):
            kept.append(vector)
        if len(kept) == 3:
            break
    return np.array(kept).reshape(-1, 3)


def padded(
    positions: np.ndarray, box: np.ndarray, pbc: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions with the periodic images within `reach` (Å) of the cell, and whose each is."""
    inverse = np.linalg.inv(box)
    fraction = positions @ inverse
    fraction -= np.floor(fraction) * pbc
    margin = reach * np.linalg.norm(inverse, axis=0)
    span = np.where(pbc, np.ceil(margin), 0).astype(int)
    parts, owner = [], []
    for shift in np.ndindex(*(2 * span + 1)):
        moved = fraction + (np.array(shift) - span)
        inside = np.all(~np.asarray(pbc) | ((moved > -margin) & (moved < 1 + margin)), axis=1)
        parts.append(moved[inside])
        owner.append(np.flatnonzero(inside))
    return np.concatenate(parts) @ box, np.concatenate(owner)


def wrapped(positions: np.ndarray, box: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Positions (n, 3) in Å inside the box along its periodic directions."""
    fraction = positions @ np.linalg.inv(box)
    return (fraction - np.floor(fraction) * pbc) @ box


def periodic_tree(
    positions: np.ndarray, box: np.ndarray, pbc: np.ndarray, reach: float
) -> tuple[cKDTree, np.ndarray]:
    """A k-d tree of the padded positions, with the owner of each point."""
    place, owner = padded(positions, box, pbc, reach)
    return cKDTree(place), owner
