"""Heat taken out of one frame: every neighbourhood is laid on its template, and these agree.

An atom of a hot crystal is displaced by a tenth of the interatomic distance or more, and so are
its neighbours. The templates laid on the dozen neighbourhoods that it belongs to each say where
it should be; their mean is four times as near to the site as the atom. What fits no template
says nothing, so that vacancies, cores and surfaces stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from . import _mdapy, kernels
from .templates import relations, template_tables

FAMILIES = ((1, 2, 3), (5,), (6, 7), (8,))
EVERY = tuple(code for family in FAMILIES for code in family)
ALIGNED = np.cos(np.radians(15.0) / 2)  # of half the angle between two orientations
MANY = 20_000  # points; above it the families are looked for in samples


class Match(NamedTuple):
    """Templates laid on every point: see :func:`match`."""

    points: _mdapy.Frame
    neighbours: np.ndarray
    codes: np.ndarray
    ordering: np.ndarray
    rmsd: np.ndarray
    order: np.ndarray
    quaternion: np.ndarray
    coherent: np.ndarray
    scale: np.ndarray


def match(
    points: _mdapy.Frame,
    templates: Sequence[int] = EVERY,
    max_rmsd: float = 0.3,
    kinds: np.ndarray | None = None,
    neighbours: np.ndarray | None = None,
) -> Match:
    """Best template, orientation and agreement with the neighbours' orientations of each point.

    `coherent` is the fraction of a point's template neighbours whose own template is aligned with
    its own within 15 degrees: near 1 in a crystal of any heat, near 0 in a liquid.
    """
    if neighbours is None:
        neighbours, _ = _mdapy.nearest(points)
    codes, ordering, rmsd, order = _mdapy.match_templates(
        points, neighbours, templates, max_rmsd, kinds
    )
    ideal, counts, square, _ = template_tables()
    rotation, scale = kernels.lay(
        points.positions,
        points.box,
        np.linalg.inv(points.box),
        points.pbc,
        order,
        codes,
        ideal,
        counts,
        square,
    )
    quaternion, chosen = np.zeros((len(codes), 4)), codes > 0
    if chosen.any():
        quaternion[chosen] = Rotation.from_matrix(rotation[chosen]).as_quat()
    table, start = _relation_table()
    coherent = kernels.coherent(order, codes, quaternion, table, start, ALIGNED)
    return Match(points, neighbours, codes, ordering, rmsd, order, quaternion, coherent, scale)


def smooth(matched: Match, max_rmsd: float, rounds: int = 2) -> _mdapy.Frame:
    """Points moved to where the templates around them, with a small enough misfit, put them.

    The templates are first strained to fit best (12 numbers for 12 to 16 neighbours), so that a
    crystal with another c/a or under load keeps it. Those that agree with few neighbours say
    nothing in the first round, nor those that agree with less than half in the next.
    """
    points = matched.points
    ideal, counts, _, inverses = template_tables()
    inverse = np.linalg.inv(points.box)
    positions = points.positions.copy()
    for k in range(rounds):
        chosen = (matched.rmsd < max_rmsd) & (matched.coherent >= (0.5 if k else 0.3))
        positions += kernels.agree(
            positions,
            points.box,
            inverse,
            points.pbc,
            matched.order,
            matched.codes,
            chosen,
            ideal,
            counts,
            inverses,
        )
    inside = positions @ inverse
    return points._replace(positions=positions - (np.floor(inside) * points.pbc) @ points.box)


def families(
    points: _mdapy.Frame,
    neighbours: np.ndarray,
    kinds: np.ndarray | None = None,
    min_fraction: float = 0.02,
    min_size: int = 8,
) -> tuple[tuple[int, ...], Match | None]:
    """Codes of the templates that occur coherently, and the match where all points were matched.

    The commonest family, and any other that holds at least `min_fraction` of the points (a fifth
    for simple cubic and graphene) and `min_size` points; all, where none does. Of a large frame
    eight balls of 1000 atoms are looked at, and no match comes back.
    """
    if points.size > MANY:
        parts = [match(_ball(points, at)) for at in np.linspace(0, points.size - 1, 8).astype(int)]
        codes = np.concatenate([p.codes[:1000] for p in parts])
        coherent, matched = np.concatenate([p.coherent[:1000] for p in parts]), None
    else:
        matched = match(points, kinds=kinds, neighbours=neighbours)
        codes, coherent = matched.codes[: points.size], matched.coherent[: points.size]
    sound = codes[coherent >= 0.5]
    count = [int(np.isin(sound, family).sum()) for family in FAMILIES]
    # Six or three neighbours are soon found by chance, at surfaces and in a melt.
    need = [min_fraction, 0.2, min_fraction, 0.2]
    kept = [
        family
        for family, number, part in zip(FAMILIES, count, need, strict=True)
        if number and (number == max(count) or number >= max(part * len(codes), min_size))
    ]
    return tuple(code for family in kept or FAMILIES for code in family), matched


def _ball(points, centre, inner=1000, outer=2500):
    """The points nearest one, innermost first, with open boundaries."""
    away = points.minimum(points.positions - points.positions[centre])
    order = cKDTree(away).query(np.zeros(3), min(outer, len(away)))[1]
    own = away[order] - away[order].min(axis=0) + 1.0
    box = np.diag(np.ptp(own, axis=0) + 2.0)
    return _mdapy.Frame(own, box, np.zeros(3, bool), min(inner, len(own)))


def aligned(
    quaternion: np.ndarray, codes: np.ndarray, i: np.ndarray, j: np.ndarray, angle: float
) -> np.ndarray:
    """Whether the crystals of atoms i and j agree within `angle` degrees: array of bool."""
    table, start = _relation_table()
    return kernels.pairs_aligned(
        quaternion,
        codes,
        np.asarray(i),
        np.asarray(j),
        table,
        start,
        np.cos(np.radians(angle) / 2),
    )


@cache
def _relation_table():
    n, rows = len(_mdapy.TEMPLATES), []
    start = np.zeros((n, n, 2), np.int64)
    for one in EVERY:
        for other in EVERY:
            quaternions = relations(one, other)
            start[one, other] = len(rows), len(rows) + len(quaternions)
            rows.extend(quaternions)
    return np.array(rows), start
