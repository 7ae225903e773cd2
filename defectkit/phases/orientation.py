"""Orientations of crystals: means, misorientations, directions and planes in Miller indices."""

from __future__ import annotations

from itertools import product
from math import gcd

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from .crystals import BCC, DIAMOND, FCC, GRAPHENE, HCP, HEXAGONAL_DIAMOND, SIMPLE_CUBIC
from .templates import CUBIC, SYSTEM, symmetries

__all__ = [
    "BCC",
    "DIAMOND",
    "FCC",
    "GRAPHENE",
    "HCP",
    "HEXAGONAL_DIAMOND",
    "SIMPLE_CUBIC",
    "direction_name",
    "mean_orientation",
    "misorientation",
    "plane_name",
]

#: Of the equivalent rotations of a crystal the one nearest to this (rotation vector) is taken. No
#: usual orientation, such as [111] or [110] along an axis of the cell, is as near by another one.
NEAREST = (0.375, 0.389, 0.055)


def mean_orientation(rotations: ArrayLike, code: int) -> tuple[np.ndarray, float]:
    """Mean rotation (3, 3) of crystals of one code, and their spread (degrees, rms).

    Each is first turned by the symmetry of the crystal to the one nearest the first. Of the
    rotations that are equal to the mean by symmetry it is always the same one that comes back, so
    that planes and directions have the same indices in every frame.
    """
    q = Rotation.from_matrix(np.asarray(rotations, float)).as_quat()
    if len(q) > 20_000:
        q = q[:: len(q) // 20_000 + 1]
    group = Rotation.from_quat(symmetries(SYSTEM[int(code)]))
    reference = q[0]
    for _ in range(2):
        every = np.stack([(Rotation.from_quat(q) * g).as_quat() for g in group], axis=1)
        dots = every @ reference
        best = np.abs(dots).argmax(axis=1)
        rows = np.arange(len(q))
        turned = every[rows, best] * np.sign(dots[rows, best])[:, None]
        reference = np.median(turned, axis=0)
        reference /= np.linalg.norm(reference)
    cosine = np.clip(np.abs(turned @ reference), 0, 1)
    spread = np.degrees(2 * np.arccos(cosine))
    every = (Rotation.from_quat(reference) * group).as_quat()
    nearest = np.abs(every @ Rotation.from_rotvec(NEAREST).as_quat()).argmax()
    return Rotation.from_quat(every[nearest]).as_matrix(), float(np.sqrt(np.mean(spread**2)))


def misorientation(first: ArrayLike, second: ArrayLike, code: int) -> tuple[float, np.ndarray]:
    """Smallest rotation from one crystal to the other: degrees and axis in the first's axes."""
    group = Rotation.from_quat(symmetries(SYSTEM[int(code)]))
    between = Rotation.from_matrix(first).inv() * Rotation.from_matrix(second)
    every = [between * g for g in group]
    angles = np.array([r.magnitude() for r in every])
    vector = every[int(angles.argmin())].as_rotvec()
    angle = np.linalg.norm(vector)
    axis = vector / angle if angle > 1e-9 else np.array([0.0, 0.0, 1.0])
    return float(np.degrees(angle)), axis


def plane_name(
    normal: ArrayLike, rotation: ArrayLike, code: int, max_index: int = 4, max_degrees: float = 4.0
) -> tuple[str | None, float]:
    """Miller indices of a plane from its normal in the frame: "(110)", "(0001)", or None.

    The nearest plane with indices up to `max_index` max_degrees so many degrees, the lowest first.
    Returns the name and the angle (degrees) between normal and plane's normal.
    """
    return _name(np.asarray(rotation).T @ normal, code, max_index, max_degrees, plane=True)


def direction_name(
    direction: ArrayLike,
    rotation: ArrayLike,
    code: int,
    max_index: int = 3,
    max_degrees: float = 6.0,
) -> tuple[str | None, float]:
    """Indices of a direction in the frame, "<110>" or "<0001>", as :func:`plane_name`."""
    return _name(np.asarray(rotation).T @ direction, code, max_index, max_degrees, plane=False)


def _name(vector, code, max_index, max_degrees, plane):
    vector = vector / np.linalg.norm(vector)
    best = None
    for indices in sorted(
        (t for t in product(range(-max_index, max_index + 1), repeat=3) if gcd(*t) == 1),
        key=lambda t: (sum(x * x for x in t), t),
    ):
        axis = _cartesian(indices, code, plane)
        angle = np.degrees(np.arccos(np.clip(abs(axis @ vector), 0, 1)))
        if angle < max_degrees and (best is None or angle < best[1] - 1.5):
            best = indices, angle
    if best is None:
        return None, float("nan")
    return _written(best[0], code, plane), float(best[1])


def _cartesian(indices, code, plane):
    indices = np.array(indices, float)
    if SYSTEM[int(code)] != CUBIC:
        a = np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, np.sqrt(8 / 3)]])
        indices = indices @ (np.linalg.inv(a).T if plane else a)
    return indices / np.linalg.norm(indices)


def _written(indices, code, plane):
    brackets = "()" if plane else "<>"
    if SYSTEM[int(code)] == CUBIC:
        digits = sorted((abs(x) for x in indices), reverse=True)
        return brackets[0] + "".join(map(str, digits)) + brackets[1]
    h, k, third = indices
    if plane:
        a1, a2 = _hexagonal_class(h, k)
        four = (a1, a2, -(a1 + a2), abs(third))
    else:
        u, v = 2 * h - k, 2 * k - h
        a1, a2 = _hexagonal_class(u, v)
        four = (a1, a2, -(a1 + a2), 3 * abs(third))
        common = gcd(*four) or 1
        four = tuple(x // common for x in four)
    return brackets[0] + "".join(_bar(x) for x in four) + brackets[1]


def _hexagonal_class(h, k):
    """Of the equivalent pairs of h, k, -(h + k) the one written first: 1, 0 or 1, 1."""
    size = sorted((abs(h), abs(k), abs(h + k)))
    return (size[1], size[0])


def _bar(x):
    return f"-{abs(x)}" if x < 0 else str(x)
