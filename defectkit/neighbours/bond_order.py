"""The first shell of neighbours in numbers: how many, how near, in what order, on which side."""

from itertools import islice

import numpy as np
from numpy.polynomial import legendre
from vesin import ase_neighbor_list

from .slabs import slabs


def shells(atoms, cutoff, wanted):
    """What surrounds the `wanted` atoms (flags) up to a cutoff (Å), five rows, one column each.

    Number of neighbours, distance to the nearest (Å; infinite without one), q4, q6 and the length
    of the mean direction to the neighbours (`clusters.describe`).
    """
    result = np.zeros((5, len(atoms)))
    for part, index, own in slabs(atoms, cutoff):
        own = own[wanted[index[own]]]
        result[:, index[own]] = _shell(part, cutoff, own)
    return result[:, wanted]


def _shell(atoms, cutoff, chosen):
    i, d, vectors = ase_neighbor_list("idD", atoms, cutoff)
    n = len(chosen)
    row = np.full(len(atoms), -1)
    row[chosen] = np.arange(n)
    order = np.argsort(row[i], kind="stable")
    order = order[np.count_nonzero(row[i] < 0):]
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


def places(frames, labels, wanted, sharp=0.75):
    """Where the atoms of each wanted label sit, over all frames: (n_wanted, 3), Å.

    Along each cell vector, from the origin; NaN along one over which they are spread: the mean of
    exp(2 pi i s) over their scaled coordinates s is then shorter than `sharp` (atoms at one height
    give 1, a shell of neighbours in a small cell 0.8, everywhere alike 0). Along an open axis s
    spans half a turn.
    """
    total, count = np.zeros((len(wanted), 3), complex), np.zeros((len(wanted), 1))
    lengths, starts = [], []
    for atoms, of_frame in zip(frames, labels, strict=True):
        cell = atoms.cell.complete().array
        scaled = atoms.positions @ np.linalg.inv(cell)
        length = np.linalg.norm(cell, axis=1)
        start = np.where(atoms.pbc, 0.0, scaled.min(axis=0))
        span = np.where(atoms.pbc, 1.0, 2 * np.maximum(np.ptp(scaled, axis=0), 1e-9))
        lengths.append(span * length)
        starts.append(start * length)
        turns = np.exp(2j * np.pi * (scaled - start) / span)
        for k, label in enumerate(wanted):
            here = of_frame == label
            total[k] += turns[here].sum(axis=0)
            count[k] += here.sum()
    mean = total / count
    at = np.mean(starts, axis=0) + np.angle(mean) / (2 * np.pi) % 1.0 * np.mean(lengths, axis=0)
    return np.where(np.abs(mean) < sharp, np.nan, at)


def first_shell(atoms, reach):
    """First minimum of the radial distribution function (Å), `reach` without neighbours."""
    cut = slabs(atoms, reach, 20_000)
    r = np.concatenate([_distances(part, reach, own) for part, _, own in islice(cut, 0, None, 10)])
    if len(r) == 0:
        return float(reach)
    edges = np.arange(0.0, reach + 0.1, 0.1)
    shell = np.histogram(r, edges)[0] / (edges[1:] ** 3 - edges[:-1] ** 3)
    shell = np.convolve(shell, [0.25, 0.5, 0.25], "same")
    peak = shell[:np.searchsorted(edges, 1.5 * np.quantile(r, 0.02))].argmax()
    last = np.searchsorted(edges, 1.55 * edges[peak + 1])
    low = shell[peak:last] <= shell[peak:last].min() + 0.01 * shell[peak]
    return round(float(np.mean(edges[peak:last][low]) + 0.05), 2)


def _distances(atoms, reach, of):
    """Distances (Å) from some atoms to their neighbours."""
    i, r = ase_neighbor_list("id", atoms, reach)
    return r[np.isin(np.arange(len(atoms)), of)[i]]
