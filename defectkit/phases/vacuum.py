"""Empty space in a frame: where a ball fits that is larger than any hole of a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from . import _mdapy
from .graph import periodic_tree, unwrapped

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure

_GAP = 6  # radii of the ball, of a gap that is empty without end
_SLIT, _LEAST_SLIT = 1.03, 4.2  # radii and Å, of one between planes; graphite has 3.4 Å, or 0.96
BALL = 1.7  # radius over the edge of one atom's volume; a vacancy holds 1.1, two 1.3


@dataclass
class Vacuum:
    """One connected empty space.

    Attributes
    ----------
    centres : array (k, 3), Å, where the ball's centre may be, on a grid
    periodic : array (k, 3) of Å, independent ways through it into its own images
    outside : bool, whether it goes out through an open axis
    volume : float, Å^3, swept by the ball's centre
    """

    centres: np.ndarray
    periodic: np.ndarray
    outside: bool
    volume: float


def ball_radius(structure: Structure) -> float:
    """Å, radius of the ball: 1.7 edges of the volume per atom, from the 18 nearest atoms."""
    reach = np.linalg.norm(structure.vectors[:, -1], axis=-1)
    # The lower half of them: atoms at a surface have to look further.
    edge = np.median(reach[reach <= np.median(reach)]) * (4 / 3 * np.pi / 18.5) ** (1 / 3)
    return BALL * edge


def empty_spaces(atoms: Atoms, structure: Structure, radius: float | None = None) -> list[Vacuum]:
    """Vacua of a frame, the largest first: list of Vacuum, empty for a bulk crystal."""
    if not structure.neighbours.size:
        return []
    radius = ball_radius(structure) if radius is None else radius
    box, positions, pbc, origin = _roomy(atoms, structure, radius)
    inverse = np.linalg.inv(box)
    height = 1 / np.linalg.norm(inverse, axis=0)
    counts = np.maximum(np.ceil(height / (radius / 3)), 1).astype(int)
    while counts.prod() > 40_000_000:
        counts = np.maximum(counts // 2, 1)
    fraction = positions @ inverse
    fraction -= np.floor(fraction) * pbc
    cells = np.minimum((fraction * counts).astype(int), counts - 1)
    filled = np.zeros(counts, bool)
    filled[tuple(cells.T)] = True
    modes = ["wrap" if p else "constant" for p in pbc]
    for axis in range(3):
        size = [3 if a == axis else 1 for a in range(3)]
        filled = ndimage.maximum_filter(filled, size=size, mode=modes[axis], cval=0)
    free = np.argwhere(~filled)
    if not len(free):
        return []
    tree, _ = periodic_tree(positions, box, pbc, radius * 1.01)
    centres = ((free + 0.5) / counts) @ box
    near = tree.query(centres, distance_upper_bound=radius)[0]
    keep = ~np.isfinite(near)
    return _spaces(free[keep], centres[keep] + origin, counts, box, pbc)


def _roomy(atoms, structure, radius):
    """Box with vacuum of 2.5 radii added along open axes, positions in it, and its origin.

    Along periodic axes a gap between two planes is made _GAP radii wide, from whatever it was: no
    crystal has an empty layer of _SLIT radii, though the ball may not fit into it.
    """
    pbc = np.asarray(atoms.pbc)
    points = _mdapy.frame(structure.positions, atoms.cell.complete().array, pbc, 0.0)
    box, positions = points.box.copy(), points.positions
    height = np.linalg.norm(box, axis=1)
    extra = 2.5 * radius
    origin = np.zeros(3)
    for axis in np.flatnonzero(~pbc):
        unit = box[axis] / height[axis]
        box[axis] = unit * (height[axis] + 2 * extra)
        positions = positions + unit * extra
        origin -= unit * extra
    # From the box's own origin back to where the atoms were given.
    shift = structure.positions - (positions + origin)
    inverse = np.linalg.inv(box)
    whole = shift - np.round(shift @ inverse) * pbc @ box
    box, positions, moved = _with_gaps(box, positions, pbc, radius)
    return box, positions, pbc, origin + np.median(whole, axis=0) + moved


def _with_gaps(box, positions, pbc, radius):
    """Box whose widest gap along each periodic axis is _GAP radii, positions in it, its origin.

    The ball fits, and the grid is no larger than the matter needs.
    """
    inverse, origin, narrow = np.linalg.inv(box), np.zeros(3), box.copy()
    fraction = positions @ inverse
    fraction -= np.floor(fraction) * pbc
    for axis in np.flatnonzero(pbc):
        per_length = np.linalg.norm(inverse[:, axis])
        room, slit = _GAP * radius * per_length, max(_SLIT * radius, _LEAST_SLIT) * per_length
        along = np.sort(fraction[:, axis])
        gaps = np.diff(along, append=along[0] + 1)
        widest = gaps.argmax()
        if gaps[widest] < slit:
            continue
        start = along[(widest + 1) % len(along)]
        size = 1 - gaps[widest] + room
        past = fraction[:, axis] - start
        fraction[:, axis] = (past + (past < 0)) / size
        narrow[axis] = box[axis] * size
        origin += start * box[axis]
    return narrow, fraction @ narrow, origin


def _spaces(cells, centres, counts, box, pbc):
    if not len(cells):
        return []
    index = np.full(counts, -1)
    index[tuple(cells.T)] = np.arange(len(cells))
    ones, others, turns = [], [], []
    for axis in range(3):
        moved = cells.copy()
        moved[:, axis] += 1
        over = moved[:, axis] >= counts[axis]
        moved[:, axis] %= counts[axis]
        hit = index[tuple(moved.T)]
        good = (hit >= 0) & (~over | pbc[axis])
        ones.append(np.flatnonzero(good))
        others.append(hit[good])
        turn = np.zeros((good.sum(), 3))
        turn[over[good], axis] = 1
        turns.append(turn)
    i, j, turns = np.concatenate(ones), np.concatenate(others), np.concatenate(turns)
    graph = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(len(cells),) * 2)
    label = connected_components(graph, directed=False)[1]
    found = []
    for k in np.argsort(-np.bincount(label), kind="stable"):
        members = np.flatnonzero(label == k)
        edges = label[i] == k
        edge_cells = cells[members]
        outside = any(not pbc[a] and np.any(edge_cells[:, a] == 0) for a in range(3))
        ways = _ways(members, i[edges], j[edges], turns[edges]) @ box
        volume = len(members) * abs(np.linalg.det(box)) / counts.prod()
        found.append(Vacuum(centres[members], ways, outside, float(volume)))
    return found


def _ways(members, i, j, turns):
    """Independent cell vectors (in cells) along which a space meets its own images."""
    both = np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([turns, -turns])
    return unwrapped(members, *both, loop=0.5)[1]  # offsets in cells instead of Å


def exposed(
    atoms: Atoms,
    structure: Structure,
    spaces: Sequence[Vacuum],
    radius: float | None = None,
    directions: int = 200,
) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that the ball touches from a vacuum, and the outward normal of each.

    Returns atoms (m,) of int and normals (m, 3), unit vectors: the mean of the directions along
    which the ball can touch the atom.
    """
    if not spaces:
        return np.zeros(0, int), np.zeros((0, 3))
    radius = ball_radius(structure) if radius is None else radius
    box, positions, pbc, origin = _roomy(atoms, structure, radius)
    centres = np.concatenate([space.centres for space in spaces]) - origin
    tree, owner = periodic_tree(positions, box, pbc, 1.7 * radius)
    vacuum_tree, _ = periodic_tree(centres, box, pbc, 1.7 * radius)
    near = vacuum_tree.query(positions, distance_upper_bound=1.6 * radius)[0]
    candidates = np.flatnonzero(np.isfinite(near))
    sphere = _sphere(directions)
    atoms_found, normals = [], []
    for part in np.array_split(candidates, 1 + len(candidates) // 20_000):
        fraction = positions[part] @ np.linalg.inv(box)
        own = (fraction - np.floor(fraction) * pbc) @ box
        probes = own[:, None] + radius * sphere
        distance = tree.query(probes.reshape(-1, 3))[0].reshape(len(part), -1)
        free = distance > 0.97 * radius
        mean = free @ sphere
        touched = free.any(axis=1)
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        atoms_found.append(part[touched])
        normals.append((mean / np.maximum(length, 1e-12))[touched])
    return np.concatenate(atoms_found), np.concatenate(normals)


def _sphere(n):
    k = np.arange(n) + 0.5
    polar, turn = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
    return np.stack(
        [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1
    )
