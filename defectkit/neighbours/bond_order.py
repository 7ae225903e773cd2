"""The first shell of neighbours in numbers: how many, how near, in what order, on which side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre

from .lists import neighbour_pairs
from .slabs import slabs

if TYPE_CHECKING:
    from ase import Atoms


def shells(
    atoms: Atoms, cutoff: float, wanted: np.ndarray, counted: np.ndarray | None = None
) -> np.ndarray:
    """What surrounds the `wanted` atoms (their indices) up to a cutoff (Å): (5, n_wanted).

    Number of neighbours, distance to the nearest (Å; infinite without one), q4, q6 and the length
    of the mean direction to the neighbours (`clusters.describe`). Neighbours are the atoms whose
    flag in `counted` is set, by default all.
    """
    result = np.zeros((5, len(atoms)))
    chosen = np.zeros(len(atoms), bool)
    chosen[wanted] = True
    counted = np.ones(len(atoms), bool) if counted is None else counted
    for part, index, own in slabs(atoms, cutoff):
        own = own[chosen[index[own]]]
        result[:, index[own]] = _shell(part, cutoff, own, counted[index])
    return result[:, wanted]


def _shell(atoms, cutoff, chosen, counted):
    i, j, d, vectors = neighbour_pairs("ijdD", atoms, cutoff)
    if not counted.all():
        i, d, vectors = i[counted[j]], d[counted[j]], vectors[counted[j]]
    n = len(chosen)
    row = np.full(len(atoms), -1)
    row[chosen] = np.arange(n)
    order = np.argsort(row[i], kind="stable")
    order = order[np.count_nonzero(row[i] < 0) :]
    i, d, vectors = row[i[order]], d[order], vectors[order]
    number, nearest = np.bincount(i, minlength=n), np.full(n, np.inf)
    np.minimum.at(nearest, i, d)
    unit = np.zeros((n, max(number.max(initial=0), 1), 3))
    column = np.arange(len(i)) - np.repeat(np.cumsum(number) - number, number)
    unit[i, column] = vectors / d[:, None]
    there = np.arange(unit.shape[1]) < number[:, None]
    # By the addition theorem q_l^2 is the mean of P_l over pairs of bonds.
    square = np.zeros((2, n))
    for rows in np.array_split(np.arange(n), 1 + n // 4096):
        pairs = there[rows, :, None] & there[rows, None]
        cosine = unit[rows] @ unit[rows].transpose(0, 2, 1)
        for k, degree in enumerate((4, 6)):
            of_pairs = legendre.legval(cosine, np.eye(degree + 1)[degree]) * pairs
            square[k, rows] = of_pairs.sum(axis=(1, 2)) / np.maximum(number[rows], 1) ** 2
    one_sided = np.linalg.norm(unit.sum(axis=1), axis=1) / np.maximum(number, 1)
    return np.stack([number, nearest, *np.sqrt(np.maximum(square, 0)), one_sided])


def places(
    frames: Sequence[Atoms],
    labels: np.ndarray,
    wanted: Sequence[int],
    sharp: float = 0.75,
    within: float = 4.0,
) -> np.ndarray:
    """Where the atoms of each wanted label sit, over all frames: (n_wanted, 3), Å.

    Along each cell vector, from the origin; NaN along one over which they are spread. They are
    if less than 95 % of them lie within a distance of `within` (Å) of the mean, as around two
    vacancies, or if the mean of exp(2 pi i s) over their scaled coordinates s is shorter than
    `sharp` (atoms at one height give 1, a shell of neighbours in a small cell 0.8, everywhere
    alike 0). Along an open axis s spans half a turn.
    """
    total, count = np.zeros((len(wanted), 3), complex), np.zeros((len(wanted), 1))
    lengths, starts, all_turns = [], [], []
    for atoms, of_frame in zip(frames, labels, strict=True):
        cell = atoms.cell.complete().array
        scaled = atoms.positions @ np.linalg.inv(cell)
        length = np.linalg.norm(cell, axis=1)
        start = np.where(atoms.pbc, 0.0, scaled.min(axis=0))
        span = np.where(atoms.pbc, 1.0, 2 * np.maximum(np.ptp(scaled, axis=0), 1e-9))
        lengths.append(span * length)
        starts.append(start * length)
        turns = np.exp(2j * np.pi * (scaled - start) / span)
        all_turns.append(turns)
        for k, label in enumerate(wanted):
            here = of_frame == label
            total[k] += turns[here].sum(axis=0)
            count[k] += here.sum()
    mean = total / count
    at = np.mean(starts, axis=0) + np.angle(mean) / (2 * np.pi) % 1.0 * np.mean(lengths, axis=0)
    near = np.zeros((len(wanted), 3))
    for turns, of_frame, length in zip(all_turns, labels, lengths, strict=True):
        for k, label in enumerate(wanted):
            away = np.angle(turns[of_frame == label] * mean[k].conj()) / (2 * np.pi) * length
            near[k] += (np.abs(away) <= within).sum(axis=0)
    return np.where((np.abs(mean) < sharp) | (near < 0.95 * count), np.nan, at)


def first_shell(atoms: Atoms, reach: float) -> float:
    """Distance (Å) at which the first shell of neighbours ends, `reach` without neighbours.

    The first minimum of the radial distribution function g(r) that is deeper than a third of its
    first peak; else, as in a dense liquid, the lowest value up to 1.55 times the peak. Shells
    nearer to each other than a tenth of the distance count as one: bcc has 14 neighbours, cold
    and hot. Where the second shell lies beyond `reach`, neighbours are looked for further out.
    """
    typical = _nearest(atoms, reach)
    if typical is None:
        return float(reach)
    reach = max(reach, 1.7 * typical)
    width = typical / 50
    edges = np.arange(0.5 * typical, 1.7 * typical, width)
    count = np.zeros(len(edges) - 1)
    for part, own in _some_parts(atoms, reach):
        count += np.histogram(_distances(part, reach, own), edges)[0]
    r = edges[:-1] + width / 2
    bell = np.exp(-0.5 * (np.arange(-8, 9) / 2.5) ** 2)  # a twentieth of the distance
    g = np.convolve(count / r**2, bell / bell.sum(), "same")
    window = np.flatnonzero(r < 1.25 * typical)
    peak = window[g[window].argmax()]
    beyond, r = g[peak:], r[peak:]
    deep = beyond < 0.35 * g[peak]
    if deep.any():
        start = deep.argmax()
        after = beyond[start:]
        rise = after > np.minimum.accumulate(after) + 0.05 * g[peak]
        gap = np.arange(start, start + np.append(rise, True).argmax())
    else:
        gap = np.flatnonzero(r < 1.55 * r[0])
    lowest = beyond[gap] <= beyond[gap].min() + 0.01 * g[peak]
    return round(float(r[gap][lowest].mean()), 2)


def _nearest(atoms, reach):
    """Median distance (Å) to the nearest neighbour, or None if most atoms have none."""
    nearest = []
    for part, own in _some_parts(atoms, reach):
        i, r = neighbour_pairs("id", part, reach)
        of_atom = np.full(len(part), np.inf)
        np.minimum.at(of_atom, i, r)
        nearest.append(of_atom[own])
    found = np.median(np.concatenate(nearest))
    return float(found) if np.isfinite(found) else None


def _some_parts(atoms, reach):
    """Slabs of a frame, of large ones every tenth, and the atoms they are responsible for."""
    cut = slabs(atoms, reach, 20_000)
    return [(part, own) for part, _, own in islice(cut, 0, None, 10)]


def _distances(atoms, reach, of):
    """Distances (Å) from some atoms to their neighbours."""
    i, r = neighbour_pairs("id", atoms, reach)
    return r[np.isin(np.arange(len(atoms)), of)[i]]
