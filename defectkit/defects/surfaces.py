"""Layers of a slab, counted from its free surfaces inwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from .._checks import check_is_frame
from .geometry import ghosts, nearest_spacing
from .sites import checked_flags

if TYPE_CHECKING:
    from ase import Atoms


def surface_layers(
    atoms: Atoms, flagged: ArrayLike | None = None, axis: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Layer of each atom, counted from the nearer surface inwards, and on which side it lies.

    Layer 0 are the atoms at a free surface: their bonds point inwards, with a mean cosine beyond
    0.165, so both atoms of a buckled dimer count. Layer n + 1 are the atoms bonded to layer n
    that have no lower number. Bonds end at 1.25 nearest-neighbour spacings.

    Parameters
    ----------
    atoms : ase.Atoms
        A slab (Å) with vacuum on both sides, or open boundaries.
    flagged : array (n_atoms,) of bool, or of int indices, optional
        Atoms that the clustering calls surface. Layer 0 then holds only flagged atoms.
    axis : int, optional
        Cell vector that leaves the slab, 0, 1 or 2; the one with the widest gap between atoms.

    Returns
    -------
    layers : array (n_atoms,) of int
        0, 1, 2, ...; -1 for atoms not connected to a surface by bonds.
    sides : array (n_atoms,) of int
        1 nearer to the surface at the end of the cell vector, -1 to that at its start, 0 as far
        from both.

    Raises
    ------
    ValueError
        No free surface, none of the flagged atoms at one, flags that do not match the atoms, an
        axis that is none.
    """
    check_is_frame(atoms)
    flagged = np.ones(len(atoms), bool) if flagged is None else flagged
    flagged, positions, cell, pbc = checked_flags(atoms, flagged, 1)
    if axis not in (None, 0, 1, 2):
        raise ValueError(
            f"axis={axis!r} is no cell vector; give 0, 1 or 2, or leave it out to take the one "
            "with the widest gap."
        )
    spacing = nearest_spacing(positions, cell, pbc)
    placed, height, axis = _cut_in_vacuum(positions, cell, pbc, axis, 2 * spacing)
    points, owner = ghosts(placed, cell, pbc & (np.arange(3) != axis), 3 * spacing)
    bonds = cKDTree(points[: len(atoms)]).sparse_distance_matrix(
        cKDTree(points), 1.25 * spacing, output_type="ndarray"
    )
    bonds = bonds[bonds["v"] > 0]
    i, j = bonds["i"], owner[bonds["j"]]
    rise = (height[j] - height[i]) / bonds["v"]
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(atoms),) * 2).tocsr()
    mean_rise = np.bincount(i, rise, len(atoms)) / np.maximum(np.bincount(i, None, len(atoms)), 1)
    steps = []
    for side in (1, -1):
        outermost = np.flatnonzero(flagged & (side * mean_rise < -0.165))
        if not len(outermost):
            raise ValueError(
                "None of the flagged atoms lies at a free surface; flag the surface "
                "cluster, or leave out flagged."
            )
        steps.append(dijkstra(graph, unweighted=True, indices=outermost, min_only=True))
    steps = np.minimum(steps, len(atoms))
    layers = steps.min(axis=0).astype(int)
    layers[layers == len(atoms)] = -1
    return layers, np.sign(steps[1] - steps[0]).astype(int)


def surface_atoms(
    atoms: Atoms, flagged: ArrayLike | None = None, depth: int = 0, axis: int | None = None
) -> np.ndarray:
    """Which atoms lie at a free surface, down to a depth in layers.

    A clustering may flag atoms further in that feel the surface, such as those of the third layer
    below a dimer; they are left out here.

    Parameters
    ----------
    atoms, flagged, axis
        As for `surface_layers`.
    depth : int
        Last layer that counts: 0 is the outermost.

    Returns
    -------
    array (n_atoms,) of bool

    Raises
    ------
    ValueError
        As `surface_layers`; a depth below 0.
    """
    if depth < 0:
        raise ValueError(f"depth={depth}; use 0 for the outermost layer, or more.")
    layers = surface_layers(atoms, flagged, axis)[0]
    return (layers >= 0) & (layers <= depth)


def _cut_in_vacuum(positions, cell, pbc, axis, least):
    """Positions (Å) of a slab in one piece, heights along the normal that leaves it, that axis."""
    inverse = np.linalg.inv(cell)
    scaled, widths = positions @ inverse, []
    for k in range(3) if axis is None else [axis]:
        across = 1 / np.linalg.norm(inverse[:, k])
        place = np.sort(scaled[:, k] % 1 if pbc[k] else scaled[:, k])
        gaps = np.diff(place, append=place[0] + 1 if pbc[k] else np.inf)
        cut = place[gaps.argmax()] if pbc[k] else 0
        widths.append((gaps.max() * across, k, cut, across))
    width, axis, cut, across = max(widths)
    if width < least:
        raise ValueError(
            f"No free surface: the widest gap between atoms is {width:.1f} Å; "
            "pass a slab with vacuum, or its axis."
        )
    if pbc[axis]:
        scaled[:, axis] = (scaled[:, axis] - cut - 1e-9) % 1
    return scaled @ cell, scaled[:, axis] * across, axis
