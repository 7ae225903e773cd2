"""Heat taken out of one frame: every neighbourhood is laid on its template, and these agree.

An atom of a hot crystal is displaced by a tenth of the interatomic distance or more, and so are
its neighbours. The templates laid on the dozen neighbourhoods that it belongs to each say where
it should be; their mean is four times as near to the site as the atom. What fits no template
says nothing, so that vacancies, cores and surfaces stay what they are.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from . import _mdapy
from .templates import fit, relations

FAMILIES = ((1, 2, 3), (5,), (6, 7), (8,))
ALIGNED = np.cos(np.radians(15.0) / 2)  # of half the angle between two orientations


class Match(NamedTuple):
    """Templates laid on every point: see :func:`match`."""

    points: _mdapy.Frame
    codes: np.ndarray
    ordering: np.ndarray
    rmsd: np.ndarray
    order: np.ndarray
    quaternion: np.ndarray
    coherent: np.ndarray
    scale: np.ndarray


def match(points, templates=(1, 2, 3, 5, 6, 7, 8), largest=0.3, kinds=None):
    """Best template, orientation and agreement with the neighbours' orientations of each point.

    `coherent` is the fraction of a point's template neighbours whose own template is aligned with
    its own within 15 degrees: near 1 in a crystal of any heat, near 0 in a liquid.
    """
    neighbours, _ = _mdapy.nearest(points)
    codes, ordering, rmsd, order = _mdapy.match_templates(points, neighbours, templates, largest,
                                                          kinds)
    chosen = np.flatnonzero(codes)
    quaternion, scale = np.zeros((len(codes), 4)), np.full(len(codes), np.nan)
    for rows, _, _, rotation, distance in fit(points, order, codes, chosen):
        quaternion[chosen[rows]] = _quaternion(rotation)
        scale[chosen[rows]] = distance
    table, start = _relation_table()
    coherent = _coherent(order, codes, quaternion, table, start, ALIGNED)
    return Match(points, codes, ordering, rmsd, order, quaternion, coherent, scale)


def smooth(matched, largest):
    """Points moved to where the templates around them, with a small enough misfit, put them.

    The templates are first strained to fit best (12 numbers for 12 to 16 neighbours), so that a
    crystal with another c/a or under load keeps it.
    """
    points = matched.points
    total, number = np.zeros_like(points.positions), np.zeros(len(points.positions))
    chosen = np.flatnonzero((matched.codes > 0) & (matched.rmsd < largest)
                            & (matched.coherent >= 0.3))
    for _, index, residual, _, _ in fit(points, matched.order, matched.codes, chosen, affine=True):
        at = index.ravel()
        number += np.bincount(at, minlength=len(number))
        for axis in range(3):
            total[:, axis] += np.bincount(at, residual[..., axis].ravel(), len(number))
    moved = points.positions + total / np.maximum(number, 1)[:, None]
    inside = moved @ np.linalg.inv(points.box)
    return points._replace(positions=moved - (np.floor(inside) * points.pbc) @ points.box)


def families(matched, least=0.02, fewest=8):
    """Codes of the templates that occur coherently: the commonest family, and any other that

    holds at least a fraction `least` of the points and `fewest` points. All, where none does.
    """
    n = matched.points.size
    sound = matched.codes[:n][matched.coherent[:n] >= 0.5]
    count = [int(np.isin(sound, family).sum()) for family in FAMILIES]
    kept = [family for family, number in zip(FAMILIES, count, strict=True)
            if number and (number == max(count) or number >= max(least * n, fewest))]
    return tuple(code for family in kept or FAMILIES for code in family)


def _quaternion(rotation):
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotation).as_quat()


@cache
def _relation_table():
    known = [code for code in range(len(_mdapy.TEMPLATES)) if code not in (0, 4)]
    n, rows = len(_mdapy.TEMPLATES), []
    start = np.zeros((n, n, 2), np.int64)
    for one in known:
        for other in known:
            quaternions = relations(one, other)
            start[one, other] = len(rows), len(rows) + len(quaternions)
            rows.extend(quaternions)
    return np.array(rows), start


@njit(cache=True)
def _aligned(q, r, table, first, last):
    """Largest |cos(angle / 2)| between two orientations, over the rotations in the table."""
    x = q[3] * r[0] - q[0] * r[3] - q[1] * r[2] + q[2] * r[1]
    y = q[3] * r[1] - q[1] * r[3] - q[2] * r[0] + q[0] * r[2]
    z = q[3] * r[2] - q[2] * r[3] - q[0] * r[1] + q[1] * r[0]
    w = q[3] * r[3] + q[0] * r[0] + q[1] * r[1] + q[2] * r[2]
    best = 0.0
    for k in range(first, last):
        s = table[k]
        best = max(best, abs(x * s[0] + y * s[1] + z * s[2] + w * s[3]))
    return best


@njit(cache=True)
def _coherent(order, codes, quaternion, table, start, least):
    result = np.zeros(len(codes))
    for i in range(len(codes)):
        if codes[i] == 0:
            continue
        total, agree = 0, 0
        for k in range(1, order.shape[1]):
            j = order[i, k]
            if j < 0:
                break
            total += 1
            if codes[j] != 0:
                first, last = start[codes[i], codes[j]]
                agree += _aligned(quaternion[i], quaternion[j], table, first, last) >= least
        result[i] = agree / total
    return result


def aligned(quaternion, codes, i, j, angle):
    """Whether the crystals of atoms i and j agree within `angle` degrees: array of bool."""
    table, start = _relation_table()
    return _pairs_aligned(quaternion, codes, np.asarray(i), np.asarray(j), table, start,
                          np.cos(np.radians(angle) / 2))


@njit(cache=True)
def _pairs_aligned(quaternion, codes, i, j, table, start, least):
    result = np.zeros(len(i), np.bool_)
    for p in range(len(i)):
        first, last = start[codes[i[p]], codes[j[p]]]
        result[p] = _aligned(quaternion[i[p]], quaternion[j[p]], table, first, last) >= least
    return result
