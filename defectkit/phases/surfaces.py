"""Free surfaces: Miller indices, layers, steps, adatoms and missing atoms; cavities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic
from scipy.spatial import cKDTree

from .graph import groups, near_pairs, periodic_tree, unwrapped, wrapped
from .orientation import plane_name
from .vacuum import ball_radius, empty_spaces, exposed

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure
    from .regions import Region

A_PART = 0.8  # of a full layer: more is one with gaps
MOST_MISSED = 2  # atoms that a translation in the plane brings on none: an edge has more
FEWEST_REPEATS = 6  # atoms of the rarest element in a full layer
ALIKE = 0.75  # of the layers inside: in other crystals a small layer is no part of a larger one


@dataclass
class Side:
    """One side of a body that faces vacuum.

    Attributes
    ----------
    atoms : array of int, those exposed
    normal : array (3,), unit, outward
    flat : float, length of the mean of the outward normals: near 1 for a plane
    name : str or None, Miller indices
    off : float, degrees between the surface and the plane of that name
    layers : list of (height in Å along the normal, atoms), the outermost first
    full : int, atoms of a full layer inside; 0 where there is none, or layers of many sizes
    """

    atoms: np.ndarray
    normal: np.ndarray
    flat: float
    name: str | None
    off: float
    layers: list
    full: int


def sides(
    atoms: Atoms, structure: Structure, regions: Sequence[Region]
) -> tuple[list[Side], list[tuple[np.ndarray, float, np.ndarray]]]:
    """Sides of everything in the frame that faces vacuum, and the cavities inside.

    Returns (list of Side, list of (centre, volume, atoms at it) of cavities).
    """
    spaces = empty_spaces(atoms, structure)
    radius = ball_radius(structure) if spaces else 0.0
    found, cavities = [], []
    open_ones = [s for s in spaces if s.outside or len(s.periodic)]
    for space in spaces:
        if not (space.outside or len(space.periodic)):
            at, _ = exposed(atoms, structure, [space], radius)
            if len(at):
                cavities.append((space.centres.mean(axis=0), space.volume, at))
    if not open_ones:
        return found, cavities
    at, normals = exposed(atoms, structure, open_ones, radius)
    plane = _plane_of_cell(atoms, open_ones)
    for members, normal in _split(at, normals, plane):
        found.append(_side(atoms, structure, regions, members, normal, plane is not None))
    return found, cavities


def _plane_of_cell(atoms, spaces):
    """Normal of the plane in which the vacuum extends without end, or None."""
    ways = next((s.periodic for s in spaces if len(s.periodic) == 2), None)
    if ways is None:
        return None
    normal = np.cross(*ways)
    return normal / np.linalg.norm(normal)


def _split(at, normals, plane):
    """Exposed atoms by side: over and under the plane; all together where there is none."""
    if plane is not None:
        up = normals @ plane
        return [(at[part], normals[part]) for part in (up > 0, up <= 0) if part.any()]
    return [(at, normals)]


def _side(atoms, structure, regions, members, normals, planar):
    mean = normals.mean(axis=0)
    flat = float(np.linalg.norm(mean))
    normal = mean / flat if flat > 1e-9 else np.array([0.0, 0.0, 1.0])
    if planar:
        ways = _plane_normal(atoms, normal)
        normal = normal if ways is None else ways
    name, off = None, float("nan")
    crystal = crystal_below(structure, regions, members)
    if crystal is not None and crystal.rotation is not None and flat > 0.5:
        name, off = plane_name(normal, crystal.rotation, crystal.code)
    layers, full = _layers(structure, atoms, normal, members) if flat > 0.5 else ([], 0)
    return Side(members, normal, flat, name, off, layers, full)


def _plane_normal(atoms, normal):
    """The cell's plane nearest to a normal, turned the same way; None where none is near."""
    cell = atoms.cell.complete().array
    planes = np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]])
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    cosine = planes @ normal
    best = int(np.abs(cosine).argmax())
    return planes[best] * np.sign(cosine[best]) if abs(cosine[best]) > 0.94 else None


def crystal_below(
    structure: Structure, regions: Sequence[Region], members: np.ndarray
) -> Region | None:
    """The crystal nearest below a side: the region with most atoms among the neighbours."""
    near = set(np.unique(structure.neighbours[members]).tolist())
    near |= set(np.unique(structure.neighbours[list(near)]).tolist())
    near = np.array(sorted(near))
    best, most = None, 0
    for region in regions:
        if region.rotation is not None:
            number = np.count_nonzero(np.isin(near, region.atoms))
            if number > most:
                best, most = region, number
    return best


def heights(
    atoms: Atoms, structure: Structure, normal: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Heights (Å) along an outward normal, 0 at the outermost exposed atom, without wrapping.

    Every atom of the body under the side, by walking from neighbour to neighbour.
    """
    i, j, vectors = near_pairs(structure, 1.6)
    n = len(structure.codes)
    body = next(g for g in groups(n, i, j, np.ones(n, bool)) if np.isin(members, g).any())
    offset, _ = unwrapped(body, i, j, vectors)
    z = np.full(n, np.nan)
    z[body] = offset @ normal
    return z - np.nanmax(z[members])


def _layers(structure, atoms, normal, members):
    z = heights(atoms, structure, normal, members)
    known = np.flatnonzero(np.isfinite(z))
    order = known[np.argsort(-z[known])]
    gap = -np.diff(z[order])
    cut = 0.16 * structure.spacing
    parts = np.split(order, np.flatnonzero(gap > cut) + 1)
    sizes = np.array([len(p) for p in parts])
    inner = sizes[len(parts) // 4 : max(len(parts) - len(parts) // 4, len(parts) // 4 + 1)]
    full = int(np.median(inner)) if len(parts) >= 3 else 0
    alike = np.abs(inner - full) <= np.maximum(0.02 * full, 2)
    return [(float(z[p].mean()), p) for p in parts], full if alike.mean() >= ALIKE else 0


def features(
    atoms: Atoms, structure: Structure, side: Side
) -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    """What stands on a side and what is missing in it.

    Returns a list of (kind, atoms, position (3,), words): "adatom", "adatom island", "step",
    "surface vacancy".
    """
    if not side.layers or side.full < 4 or len(side.layers) < 4:
        return []
    inner = _inner_layer(side)
    found, i_j = [], near_pairs(structure, _layer_reach(structure, inner))
    rows, elements = _is_of_rows(structure, inner, *i_j), set(atoms.numbers[inner])
    for rank, (_, members) in enumerate(side.layers[:5]):
        coverage = len(members) / side.full
        if 1.0 <= coverage <= 1.02 or (rows and coverage > 0.55):
            break
        if coverage > 1.02:
            continue
        if coverage > 0.25 and set(atoms.numbers[members]) < elements:
            continue  # the outermost part of a full layer
        part = coverage < A_PART and _repeats(atoms, structure.spacing, inner, members)
        if not part:
            found += _partial_layer(atoms, structure, side, rank, members, i_j)
        if coverage > 0.55:
            break
    return found


def _inner_layer(side):
    """Atoms of a full layer inside."""
    third = len(side.layers) // 3
    layers = [members for _, members in side.layers[third : 2 * third + 1]]
    return min(layers, key=lambda members: abs(len(members) - side.full))


def _is_of_rows(structure, inner, i, j, vectors):
    """Whether a full layer is no net but rows, as (110) of diamond: an end is then no step."""
    flags = np.zeros(len(structure.codes), bool)
    flags[inner] = True
    part = max(groups(len(flags), i, j, flags), key=len)
    return len(unwrapped(part, i, j, vectors)[1]) < 2


def _repeats(atoms, spacing, inner, members):
    """Whether a part of a layer of several elements repeats in the plane as a full one does.

    Crystals of such layers end in a part of one; a terrace has edges.
    """
    kinds, count = np.unique(atoms.numbers[inner], return_counts=True)
    full = atoms.positions[inner[atoms.numbers[inner] == kinds[count.argmin()]]]
    if len(kinds) == 1 or len(full) < FEWEST_REPEATS:
        return False
    box, pbc = atoms.cell.complete().array, np.asarray(atoms.pbc)
    reach = 3.0 * spacing
    tree, _ = periodic_tree(full, box, pbc, reach)
    near = tree.query_ball_point(full, reach)
    steps = np.concatenate([tree.data[n] - place for n, place in zip(near, full, strict=True)])
    length = np.linalg.norm(steps, axis=1)
    steps = steps[(length > 0.1) & (length < 1.2 * length[length > 0.1].min(initial=np.inf))]

    def missed(places, step):
        targets, _ = periodic_tree(places, box, pbc, reach)
        moved = wrapped(places + step, box, pbc)
        return int((targets.query(moved)[0] > 0.35 * spacing).sum())

    usual = _usual_steps(steps) if len(steps) else []
    steps = [step for step in usual if missed(full, step) <= MOST_MISSED]
    parts = [atoms.positions[members[atoms.numbers[members] == kind]] for kind in kinds]
    return len(steps) > 0 and all(
        missed(part, step) <= MOST_MISSED for part in parts if len(part) for step in steps
    )


def _layer_reach(structure, inner):
    """Spacings up to which atoms of one layer are neighbours: 1.45, in open layers more."""
    inside = np.zeros(len(structure.codes), bool)
    inside[inner] = True
    distance = np.linalg.norm(structure.vectors[inner], axis=-1)
    nearest = np.where(inside[structure.neighbours[inner]], distance, np.inf).min(axis=1)
    nearest = nearest[np.isfinite(nearest)]
    own = np.median(nearest) / structure.spacing if len(nearest) else 1.0
    return max(1.45, 1.2 * own)


def _partial_layer(atoms, structure, side, rank, members, pairs):
    i, j, vectors = pairs
    flags = np.zeros(len(structure.codes), bool)
    flags[members] = True
    missing = side.full - len(members)
    level = f"in layer {rank + 1} from outside" if rank else "in the outermost layer"
    found = []
    parts = groups(len(flags), i, j, flags)
    for part in parts:
        _, ways = unwrapped(part, i, j, vectors)
        centre = structure.positions[part].mean(axis=0)
        if len(ways) == 0 and len(part) <= 0.5 * side.full:
            kind = "adatom" if len(part) == 1 else "adatom island"
            words = "one atom" if len(part) == 1 else f"an island of {len(part)} atoms"
            found.append((kind, part, centre, f"{words} {level}"))
        elif len(ways) == 1:
            along = ways[0] / np.linalg.norm(ways[0])
            found.append(
                (
                    "step",
                    _edge(part, i, j, structure),
                    centre,
                    f"a terrace of {len(part)} atoms ({len(part) / side.full:.0%} of a full "
                    f"layer) {level} ends in two steps along {_vector(along)}",
                )
            )
        else:
            found += _holes(atoms, structure, side, part, missing, level, i, j, vectors)
    return found


def _edge(part, i, j, structure):
    """Atoms of a terrace with fewer neighbours in it than most."""
    inside = np.zeros(len(structure.codes), bool)
    inside[part] = True
    number = np.bincount(i[inside[i] & inside[j]], minlength=len(inside))[part]
    return part[number < np.median(number)] if np.ptp(number) else part


def _holes(atoms, structure, side, part, missing, level, i, j, vectors):
    """Sites of a nearly full layer without an atom: where several neighbours expect one."""
    inside = np.zeros(len(structure.codes), bool)
    inside[part] = True
    pair = inside[i] & inside[j]
    own, steps = i[pair], vectors[pair]
    if not len(own):
        return []
    shell = _usual_steps(steps)
    place = structure.positions[part]
    expected = (place[:, None] + shell).reshape(-1, 3)
    tree = cKDTree(np.concatenate([place, structure.positions[own] + steps]))
    empty = expected[tree.query(expected)[0] > 0.5 * structure.spacing]
    if not len(empty):
        return []
    near = _near_images(atoms, empty, 0.4 * structure.spacing)
    votes = np.array([len(x) for x in near])
    holes, left = [], np.ones(len(empty), bool)
    for k in np.argsort(-votes, kind="stable"):
        if votes[k] < 0.5 * len(shell) or not left[k]:
            continue
        left[near[k]] = False
        away = empty[near[k]] - empty[k]
        holes.append(empty[k] + find_mic(away, atoms.cell, atoms.pbc)[0].mean(axis=0))
    found = []
    for hole in holes[: max(missing, 1)]:
        away = find_mic(place - hole, atoms.cell, atoms.pbc)[1]
        ring = part[away < 1.2 * np.median(np.linalg.norm(shell, axis=1))]
        found.append(("surface vacancy", ring, hole, f"one atom is missing {level}"))
    return found


def _near_images(atoms, points, reach):
    """For each point the others within `reach` (Å) of it, periodic images counted."""
    box, pbc = atoms.cell.complete().array, np.asarray(atoms.pbc)
    tree, owner = periodic_tree(points, box, pbc, 1.1 * reach)
    inside = wrapped(points, box, pbc)
    return [np.unique(owner[at]) for at in tree.query_ball_point(inside, reach)]


def _usual_steps(steps):
    """The vectors from an atom to its neighbours in the layer that most atoms have."""
    tree = cKDTree(steps)
    near = tree.query_ball_point(steps, 0.25 * np.linalg.norm(steps, axis=1).min())
    number = np.array([len(x) for x in near])
    kept, left = [], np.ones(len(steps), bool)
    for k in np.argsort(-number, kind="stable"):
        if not left[k] or number[k] < 0.4 * number.max():
            continue
        left[near[k]] = False
        kept.append(steps[near[k]].mean(axis=0))
    return np.array(kept)


def _vector(direction):
    return "(" + ", ".join(f"{x:.2f}" for x in direction + 0.0) + ")"
