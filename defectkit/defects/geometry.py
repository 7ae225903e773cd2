"""Periodic geometry of a frame: images of atoms, wrapping, distances, groups."""

from __future__ import annotations

import numpy as np
from ase.geometry import find_mic
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree


def ghosts(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the cell and all their periodic images up to `margin` Å outside it.

    Returns points (n, 3) in Å, of which the first are the wrapped positions in their order, and
    the index of the atom each belongs to (n,).
    """
    inverse = np.linalg.inv(cell)
    points = positions @ inverse
    points[:, pbc] -= np.floor(points[:, pbc])
    owner = np.arange(len(points))
    width = margin * np.linalg.norm(inverse, axis=0)
    for axis in np.flatnonzero(pbc):
        images, owners = [points], [owner]
        for shift in range(1, int(np.ceil(width[axis])) + 1):
            for sign in (shift, -shift):
                moved = points[:, axis] + sign
                near = (moved > -width[axis]) & (moved < 1 + width[axis])
                image = points[near]
                image[:, axis] += sign
                images.append(image)
                owners.append(owner[near])
        points, owner = np.concatenate(images), np.concatenate(owners)
    return points @ cell, owner


def wrap(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Positions (n, 3) moved into the cell along its periodic axes."""
    scaled = positions @ np.linalg.inv(cell)
    return positions - (np.floor(scaled) * pbc) @ cell


def distances(a: ArrayLike, b: ArrayLike, cell: np.ndarray, pbc: ArrayLike) -> np.ndarray:
    """Shortest distances (n, m) in Å between positions (n, 3) and (m, 3)."""
    vectors = np.reshape(a, (-1, 1, 3)) - np.reshape(b, (1, -1, 3))
    if not vectors.size:
        return np.empty(vectors.shape[:2])
    return find_mic(vectors.reshape(-1, 3), cell, pbc)[1].reshape(vectors.shape[:2])


def nearest_spacing(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> float:
    """Median distance from an atom to its nearest neighbour, in Å."""
    volume = abs(np.linalg.det(cell)) if pbc.all() else np.prod(np.ptp(positions, axis=0) + 1.0)
    points, _ = ghosts(positions, cell, pbc, 3 * (volume / len(positions)) ** (1 / 3))
    return float(np.median(cKDTree(points).query(points[: len(positions)], k=2)[0][:, 1]))


def linked(near: np.ndarray) -> np.ndarray:
    """Number of the connected group of each place (n,), from who is near whom (n, n)."""
    return connected_components(coo_array(near), directed=False)[1]


def groups_of(
    points: np.ndarray, owner: np.ndarray, members: np.ndarray, cutoff: float
) -> list[np.ndarray]:
    """Members (atom indices) in connected groups, linked when nearer than `cutoff` Å."""
    place = np.full(owner.max() + 1, -1)
    place[members] = np.arange(len(members))
    mine = np.flatnonzero(place[owner] >= 0)
    pairs = cKDTree(points[mine]).query_pairs(cutoff, output_type="ndarray")
    i, j = place[owner[mine[pairs]]].T
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(members),) * 2)
    count, label = connected_components(graph, directed=False)
    return [members[label == group] for group in range(count)]
