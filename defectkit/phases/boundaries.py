"""Grain boundaries: atoms between two orientations, the plane, the misorientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .graph import groups, near_pairs, unwrapped
from .orientation import direction_name, misorientation, plane_name

if TYPE_CHECKING:
    from .crystals import Structure
    from .regions import Region

FLAT = 1.2  # spacings: the rms distance of its atoms from a plane, up to which a wall is flat


@dataclass
class Boundary:
    """One boundary between two crystals.

    Attributes
    ----------
    atoms : array of int
        Neither crystal's, between them; where both crystals meet directly, their last layers.
    normal : array (3,), unit vector; NaN where it is connected through the cell in all directions
    centre : array (3,), Å; NaN there too
    angle : float, degrees, misorientation; NaN between two different crystals
    axis : str, as "<110>", or the three numbers where it is none of low indices
    planes : tuple of str or None, Miller indices of its plane in both crystals
    flat : float, Å, rms distance of the atoms from the plane
    phases : tuple of str, names of the two crystals
    """

    atoms: np.ndarray
    normal: np.ndarray
    centre: np.ndarray
    angle: float
    axis: str
    planes: tuple
    flat: float
    phases: tuple


def grain_boundaries(
    structure: Structure,
    regions: Sequence[Region],
    min_angle: float = 5.0,
    exclude: np.ndarray | None = None,
) -> list[Boundary]:
    """Boundaries between the crystals of one frame, those with most atoms first.

    Atoms within 2.2 spacings of two regions whose orientations differ by at least `min_angle`
    degrees, or whose crystals differ, belong to the boundary between them. What is connected is
    one boundary: a bicrystal in a periodic cell has two.

    Returns list of Boundary.
    """
    n = len(structure.codes)
    grain = np.full(n, -1)
    for k, region in enumerate(regions):
        if region.rotation is not None and len(region.atoms) >= 12:
            grain[region.atoms] = k
    free = np.ones(n, bool) if exclude is None else ~exclude
    i, j, vectors = near_pairs(structure, 1.5)
    touch = _touching(grain, structure, free)
    found = []
    for (a, b), flags in touch.items():
        angle, axis, same = _turn(regions[a], regions[b], min_angle)
        if not same:
            continue
        grown = flags.copy()
        grown[structure.neighbours[flags, :12]] = True
        for wide in groups(n, i, j, grown):
            members = wide[flags[wide]]
            if len(members) >= 3:
                found += _boundary(
                    structure,
                    regions[a],
                    regions[b],
                    wide,
                    members,
                    (angle, axis),
                    (i, j, vectors),
                    grain,
                )
    _absorb(structure, found, ((structure.codes == 0) | structure.doubtful) & free)
    return sorted(found, key=lambda x: -len(x.atoms))


def _absorb(structure, walls, loose, steps=3):
    """Gives each wall the atoms of no crystal beside it, step by step, doubtful ones too."""
    owner = np.full(len(loose), -1)
    for k, wall in enumerate(walls):
        owner[wall.atoms] = k
    for _ in range(steps):
        left = np.flatnonzero(loose & (owner < 0))
        if not len(left):
            break
        owner[left] = owner[structure.neighbours[left, :12]].max(axis=1)
    for k, wall in enumerate(walls):
        own = np.union1d(wall.atoms, np.flatnonzero(owner == k))
        if wall.flat < FLAT * structure.spacing:
            own = np.union1d(own, _between(structure, own, wall.normal))
        wall.atoms = own


def _between(structure, own, normal, inner=80):
    """Atoms among a wall's neighbours no farther from its plane than most of its own atoms."""
    near, steps = structure.neighbours[own, :12], structure.vectors[own, :12] @ normal
    inside = np.full(len(structure.codes), np.nan)
    # Heights over the wall's plane, passed on from neighbour to neighbour.
    i, j, vectors = near_pairs(structure, 1.5)
    wide = np.zeros(len(inside), bool)
    wide[own] = wide[near] = True
    for members in groups(len(inside), i, j, wide):
        offset, ways = unwrapped(members, i, j, vectors)
        if len(ways) < 3:
            inside[members] = offset @ normal
            at = np.isin(members, own)
            if at.any():
                inside[members] -= inside[members[at]].mean()
    heights = np.abs(inside[own])
    if not np.isfinite(heights).all():
        return own[:0]
    limit = np.percentile(heights, inner)
    beside = np.abs(inside[own][:, None] + steps) <= limit
    return np.unique(near[beside])


def _turn(one, other, min_angle):
    """Misorientation of two regions, and whether it makes a boundary."""
    if one.code != other.code:
        return float("nan"), None, True
    angle, axis = misorientation(one.rotation, other.rotation, one.code)
    return angle, axis, angle >= min_angle


def _touching(grain, structure, free):
    """For every pair of grains the atoms (flags) from which both are near."""
    near = grain[structure.neighbours]
    distance = np.linalg.norm(structure.vectors, axis=-1)
    near = np.where(distance < 2.2 * structure.spacing, near, -1)
    own = np.concatenate([grain[:, None], near], axis=1)
    # An atom of neither crystal also sees what its neighbours see.
    loose = np.flatnonzero((grain < 0) & free)
    result = {}

    def put(atoms_of, a, b):
        key = (min(a, b), max(a, b))
        flags = result.setdefault(key, np.zeros(len(grain), bool))
        flags[atoms_of] = True

    for atom in loose:
        wide = np.unique(own[np.append(structure.neighbours[atom], atom)])
        wide = wide[wide >= 0]
        seen = np.unique(own[atom])
        seen = seen[seen >= 0]
        if not len(seen):
            seen = wide
        for a in seen:
            for b in wide:
                if a != b:
                    put(atom, a, b)
    first = own[:, :13]
    mixed = np.flatnonzero((grain >= 0) & free & ((first != grain[:, None]) & (first >= 0)).any(1))
    for atom in mixed:
        for b in np.unique(first[atom]):
            if b >= 0 and b != grain[atom]:
                put(atom, grain[atom], b)
    return result


def _boundary(structure, one, other, wide, members, turn, pairs, owner):
    angle, axis = turn
    loose = members[owner[members] < 0]
    atoms = loose if len(loose) >= 3 else members
    words = "" if axis is None else _axis_words(axis, one)
    phases = one.name, other.name
    normal, centre, flat = wall_plane(structure, wide, members, pairs)
    planes = (None, None)
    if np.isfinite(flat):
        planes = tuple(
            plane_name(normal, grain.rotation, grain.code, max_degrees=5.0)[0]
            for grain in (one, other)
        )
    return [Boundary(atoms, normal, centre, angle, words, planes, flat, phases)]


def wall_plane(
    structure: Structure, wide: np.ndarray, members: np.ndarray, pairs: tuple
) -> tuple[np.ndarray, np.ndarray, float]:
    """The plane of a wall: normal, centre (Å) and rms distance (Å) of its members from it.

    NaN, NaN and infinity for a wall that is connected through the cell in all directions, as one
    about each grain of a polycrystal.

    wide     atoms of the wall and beside it, connected by `pairs` (i, j, vectors)
    members  those of the wall
    """
    offset, ways = unwrapped(wide, *pairs)
    if len(ways) >= 3:
        nowhere = np.full(3, np.nan)
        return nowhere, nowhere, float("inf")
    place = (structure.positions[wide[0]] + offset)[np.isin(wide, members)]
    centre = place.mean(axis=0)
    values, vectors = (
        np.linalg.eigh(np.cov((place - centre).T))
        if len(members) > 3
        else (np.zeros(3), np.eye(3))
    )
    normal = vectors[:, 0]
    if len(ways) == 2:
        across = np.cross(*ways)
        normal = across / np.linalg.norm(across)
    if normal[int(np.abs(normal).argmax())] < 0:
        normal = -normal
    return normal, centre, float(np.sqrt(max(np.var((place - centre) @ normal), 0)))


def _axis_words(axis, grain):
    name, _ = direction_name(grain.rotation @ axis, grain.rotation, grain.code, max_degrees=6.0)
    return name or "(" + ", ".join(f"{x:.2f}" for x in axis) + ")"
