"""Dislocations: lines of atoms that fit no crystal, proved by a Burgers circuit around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from .crystals import BCC, DIAMOND, FCC, SIMPLE_CUBIC
from .graph import groups, near_pairs, unwrapped
from .orientation import direction_name

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure
    from .regions import Region

# length of the cubic edge over the interatomic distance, steps of the lattice per edge
LATTICE = {
    FCC: (np.sqrt(2), 2),
    BCC: (2 / np.sqrt(3), 2),
    DIAMOND: (4 / np.sqrt(3), 4),
    SIMPLE_CUBIC: (1.0, 1),
}

ROW, ALONG = 0.25, 4.0  # spacings: atoms so near across and along a line are in one row of it
OF_ROW = 0.3  # of a row that fit no crystal: it belongs to the core
SHELLS = 2  # around the atoms that fit no crystal, in which such rows are looked for


@dataclass
class Line:
    """One line defect.

    Attributes
    ----------
    atoms : array of int, its core
    direction : array (3,), unit vector along it
    centre : array (3,), Å
    along : str or None, indices of the direction in the crystal
    burgers : array (3,) of int or None
        Closure failure of a circuit in steps of the lattice (`steps` to a cubic edge); None where
        no circuit could be drawn.
    steps : int
    character : str
        "screw", "edge", "mixed" or "" where the Burgers vector is unknown.
    length : float, Å
    """

    atoms: np.ndarray
    direction: np.ndarray
    centre: np.ndarray
    along: str | None
    burgers: np.ndarray | None
    steps: int
    character: str
    length: float

    @property
    def burgers_name(self) -> str:
        """The Burgers vector as "1/2<110>", in cubic edges; "" where unknown."""
        if self.burgers is None or not np.any(self.burgers):
            return ""
        b = sorted((abs(int(x)) for x in self.burgers), reverse=True)
        common = gcd(*b)
        over = gcd(common, self.steps)
        top, bottom = common // over, self.steps // over
        head = "" if top == bottom == 1 else (f"{top}" if bottom == 1 else f"{top}/{bottom}")
        return head + "<" + "".join(str(x // common) for x in b) + ">"


def dislocations(
    atoms: Atoms,
    structure: Structure,
    regions: Sequence[Region],
    exclude: np.ndarray,
    ribbons: Any = None,
) -> list[Line]:
    """Dislocation lines of one frame, the longest first.

    Groups of atoms that fit no crystal and that run through the cell along one direction, or are
    three times as long as thick, are candidates; a Burgers circuit through the crystal around
    each decides. What closes is no dislocation and is left out.

    Parameters
    ----------
    exclude : array (n_atoms,) of bool
        Atoms of surfaces, boundaries and planar faults that were found.
    ribbons : array (n_atoms,) of bool, optional
        Atoms of stacking faults that end inside the crystal: the fault between two partial
        dislocations belongs to the core.

    Returns list of Line.
    """
    core = (structure.codes == 0) & ~exclude
    wide = core.copy() if ribbons is None else core | ribbons
    i, j, vectors = near_pairs(structure, 1.75)
    found, bodies = [], []
    for members in groups(len(core), i, j, wide):
        own = members[core[members]]
        if len(own) >= 4:
            bodies.append((members, own))
    for members, own in bodies:
        others = [m for m, _ in bodies if m is not members]
        line = _line(atoms, structure, regions, members, own, (i, j, vectors), others, exclude)
        if line is not None:
            found.append(line)
    return sorted(found, key=lambda x: -x.length)


def _line(atoms, structure, regions, members, own, pairs, others, exclude):
    offset, ways = unwrapped(members, *pairs)
    place = structure.positions[members[0]] + offset
    centre = place.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov((place - centre).T))
    size = np.sqrt(12 * np.maximum(values, 1e-9))
    if len(ways) > 1:
        return None
    if len(ways) == 1:
        direction, length = ways[0] / np.linalg.norm(ways[0]), float(np.linalg.norm(ways[0]))
    elif size[2] > 3 * size[1] and size[2] > 5 * structure.spacing:
        direction, length = axes[:, 2], float(size[2])
    else:
        return None
    region = _around(structure, regions, members)
    if region is None:
        return None
    along = direction_name(direction, region.rotation, region.code)[0]
    burgers = None
    if region.code in LATTICE:
        burgers = burgers_vector(
            atoms, structure, region, members, centre, direction, ways, others
        )
    if burgers is not None and not burgers.any():
        return None
    if burgers is None and (region.code in LATTICE or length < 5 * structure.spacing):
        return None
    steps = LATTICE.get(region.code, (1.0, 1))[1]
    return Line(
        _whole_core(atoms, structure, region, own, exclude, centre, direction, ways),
        direction,
        centre,
        along,
        burgers,
        steps,
        _character(burgers, direction, region),
        length,
    )


def _whole_core(atoms, structure, region, own, exclude, centre, direction, ways):
    """The core with what heat makes look like crystal in it.

    Atoms beside the core that are not of the crystal around it, as the fault between two partials,
    or only since heat was taken out, belong to it by rows: the atoms of a row along a straight
    line are in the same state, and heat hides that of some.
    """
    x, y, _, _, z = _cylinder(atoms, structure, centre, direction)
    scaled = np.stack([x / ROW, y / ROW, z / ALONG], axis=1) / structure.spacing
    shift = np.zeros((1, 3))
    if len(ways) == 1:
        period = np.linalg.norm(ways[0]) / (ALONG * structure.spacing)
        shift = np.outer([0, -1, 1], [0, 0, period])
    odd = (structure.codes != region.code) | structure.doubtful
    for _ in range(SHELLS):
        near = np.unique(structure.neighbours[own, :12])
        near = np.union1d(own, near[~exclude[near]])
        images = (scaled[near] + shift[:, None]).reshape(-1, 3)
        rows = cKDTree(images).query_ball_point(scaled[near], 1.0)
        flags = np.tile(odd[near], len(shift))
        odd_part = np.array([flags[row].mean() for row in rows])
        own = np.union1d(own, near[odd_part > OF_ROW])
    return own


def _around(structure, regions, members):
    near = np.unique(structure.neighbours[members])
    count = [int(np.isin(near, r.atoms).sum()) if r.rotation is not None else 0 for r in regions]
    return regions[int(np.argmax(count))] if any(count) else None


def _character(burgers, direction, region):
    if burgers is None:
        return ""
    vector = region.rotation @ burgers
    cosine = abs(vector @ direction) / np.linalg.norm(vector)
    angle = np.degrees(np.arccos(np.clip(cosine, 0, 1)))
    return "screw" if angle < 15 else "edge" if angle > 75 else "mixed"


def burgers_vector(
    atoms: Atoms,
    structure: Structure,
    region: Region,
    core: np.ndarray,
    centre: np.ndarray,
    direction: Any,
    ways: np.ndarray,
    others: np.ndarray,
) -> np.ndarray | None:
    """Closure failure of the shortest circuit through the crystal around a line.

    Each step between neighbours is replaced by the step of the perfect lattice that is nearest to
    it in the crystal's axes; round a dislocation these do not add up to zero.

    Returns array (3,) of int in steps of the lattice, or None where there is no way round.
    """
    edge, steps = LATTICE[region.code]
    unit = edge * structure.spacing / steps
    x, y, distance, away, _ = _cylinder(atoms, structure, centre, direction)
    limit = _limit(atoms, structure, core, centre, direction, others)
    sound = np.zeros(len(structure.codes), bool)
    sound[region.atoms] = True
    sound[core] = False
    sound &= distance < limit
    i, j, vectors = near_pairs(structure, 1.3)
    both = sound[i] & sound[j]
    i, j, vectors = i[both], j[both], vectors[both].astype(float)
    flat = vectors - np.outer(vectors @ direction, direction)
    near = np.linalg.norm(away[j] - away[i] - flat, axis=1) < 0.5 * structure.spacing
    local = vectors @ region.rotation / unit
    ideal = np.round(local).astype(int)
    good = near & (np.abs(local - ideal).max(axis=1) < 0.45) & ideal.any(axis=1)
    i, j, vectors, ideal = i[good], j[good], vectors[good], ideal[good]
    if not len(i):
        return None
    cross = (y[i] < 0).astype(int) - (y[j] < 0)
    # A step from below to above the half-line x > 0 goes to the next turn.
    jump = np.where(
        (cross != 0) & (x[i] + (x[j] - x[i]) * y[i] / np.where(y[i] == y[j], 1, y[i] - y[j]) > 0),
        cross,
        0,
    )
    return _circuit(len(sound), i, j, vectors, ideal, jump, distance, ways, region, unit)


def _cylinder(atoms, structure, centre, direction):
    from . import _mdapy

    points = _mdapy.frame(structure.positions, atoms.cell.complete().array, atoms.pbc, 0.0)
    away = points.minimum(structure.positions - centre)
    along = away @ direction
    away = away - np.outer(along, direction)
    first = np.linalg.svd(direction[None])[2][1]
    second = np.cross(direction, first)
    return away @ first, away @ second, np.linalg.norm(away, axis=1), away, along


def _limit(atoms, structure, core, centre, direction, others):
    """Å, how far from the line a circuit may go: not to its images, nor to another core."""
    cell = atoms.cell.complete().array
    across = cell - np.outer(cell @ direction, direction)
    lengths = np.linalg.norm(across, axis=1)[np.asarray(atoms.pbc)]
    lengths = lengths[lengths > 2 * structure.spacing]
    limit = 0.5 * lengths.min() if len(lengths) else np.inf
    for other in others:
        distance = _cylinder_distance(atoms, structure, other, centre, direction)
        limit = min(limit, distance - 0.3 * structure.spacing)
    return limit


def _cylinder_distance(atoms, structure, members, centre, direction):
    from . import _mdapy

    points = _mdapy.frame(structure.positions, atoms.cell.complete().array, atoms.pbc, 0.0)
    away = points.minimum(structure.positions[members] - centre)
    away -= np.outer(away @ direction, direction)
    return np.linalg.norm(away, axis=1).min()


def _circuit(n, i, j, vectors, ideal, jump, distance, ways, region, unit):
    starts = np.unique(i[jump == 1])
    if not len(starts):
        return None
    turns = (0, 1, 2)
    rows = np.concatenate([i + n * t for t in turns])
    columns = np.concatenate([j + n * (t + jump) for t in turns])
    keep = (columns >= 0) & (columns < 3 * n)
    edges = np.tile(np.arange(len(i)), 3)[keep]
    rows, columns = rows[keep], columns[keep]
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(3 * n, 3 * n)).tocsr()
    of = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), edges.tolist(), strict=True))
    votes = {}
    for start in starts[np.argsort(distance[starts])][:12]:
        cost, before = dijkstra(
            graph, indices=start, unweighted=True, return_predecessors=True, limit=400
        )
        goal = start + n
        if not np.isfinite(cost[goal]):
            continue
        total, actual, node = np.zeros(3, int), np.zeros(3), goal
        while node != start:
            edge = of[(int(before[node]), int(node))]
            total += ideal[edge]
            actual += vectors[edge]
            node = before[node]
        # The circuit may end at an image of its start along the line.
        if len(ways):
            turns_along = round(float(actual @ ways[0] / (ways[0] @ ways[0])))
            total = total - np.round(turns_along * ways[0] @ region.rotation / unit).astype(int)
        votes[tuple(total)] = votes.get(tuple(total), 0) + 1
    if not votes:
        return None
    return np.array(max(votes, key=votes.__getitem__))
