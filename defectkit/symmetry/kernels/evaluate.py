"""Symmetry functions of atoms: flat arrays in, flat arrays out.

One centre at a time: its neighbours are sorted by element into contiguous rows, every distinct
radial factor F(r) is tabulated once per neighbour, each triple (j, k) with r_jk inside the cutoff
is queued, and `angular` evaluates the queue.  All lengths are in one unit.  Importing this module
compiles it, or loads what an earlier process compiled; `kernels.features_kernel` does so at need.
"""

from collections import namedtuple

import numpy as np
from numba import carray

from ..._compiled import (
    FLOAT,
    FLOATS,
    INT,
    INTS,
    PAD,
    SHORTS,
    kernel,
    leaf,
    padded,
    part,
    unsigned,
)
from .angular import add_values, queue_triples, total
from .cutoffs import compact_values, cutoff_values, gaussian_values
from .records import BLOCK, TRIPLES

Space = namedtuple(
    "Space",
    [
        "polar",  # (8, size) of each neighbour: unit vector (3), distance, its inverse, vector (3)
        "index",  # (size,) which atom it is
        "start",  # (n_species + 1,) where the neighbours of each element begin
        "F",
        "dF",  # (n_radials, size) radial factors and slopes
        "bare",
        "bare_slope",  # (size,) cutoff function
        "blocks",
        "filled",
        "bounds",  # the queue, see `queue_triples`
        "A",
        "dA",  # (n_angles, BLOCK + PAD) angular factors and slopes
        "E",  # (n_factors, BLOCK + PAD) Gaussians of the channels with an envelope
    ],
)


@leaf(
    INT, INT, INTS, SHORTS, FLOATS, FLOATS, INTS, INT, FLOAT, FLOATS, INT, INTS, INTS, returns=INT
)
def load_neighbours(
    i, pairs, neigh, shift, pos, cell, species, n_species, rc, polar, size, index, start
):
    """Neighbours of atom i nearer than rc, grouped by species; returns how many.

    Returns -1 where another atom coincides with atom i.
    """
    near, turn, at, box = (
        carray(neigh, 1),
        carray(shift, (1, 3)),
        carray(pos, (1, 3)),
        carray(cell, (3, 3)),
    )
    kind, p, index, start = (
        carray(species, 1),
        carray(polar, (8, size)),
        carray(index, 1),
        carray(start, 1),
    )
    x0, y0, z0 = at[unsigned(i), 0], at[unsigned(i), 1], at[unsigned(i), 2]
    for m in range(pairs):
        j = unsigned(near[m])
        a, b, c = float(turn[m, 0]), float(turn[m, 1]), float(turn[m, 2])
        x = at[j, 0] - x0 + a * box[0, 0] + b * box[1, 0] + c * box[2, 0]
        y = at[j, 1] - y0 + a * box[0, 1] + b * box[1, 1] + c * box[2, 1]
        z = at[j, 2] - z0 + a * box[0, 2] + b * box[1, 2] + c * box[2, 2]
        p[0, m], p[1, m], p[2, m], p[3, m] = x, y, z, x * x + y * y + z * z
    n, limit = 0, rc * rc
    for s in range(n_species):
        start[s] = n
        for m in range(pairs):
            index[unsigned(n)] = m
            n += (p[3, m] < limit) & (kind[unsigned(near[m])] == s)
    start[unsigned(n_species)] = n
    least = np.inf
    for k in range(n):
        m = unsigned(index[k])
        p[5, k], p[6, k], p[7, k] = p[0, m], p[1, m], p[2, m]
        least = min(least, p[3, m])
        index[k] = near[m]
    for k in range(padded(n)):
        x, y, z = p[5, k], p[6, k], p[7, k]
        r = np.sqrt(x * x + y * y + z * z)
        inverse = 1.0 / r
        p[0, k], p[1, k], p[2, k] = x * inverse, y * inverse, z * inverse
        p[3, k], p[4, k] = r, inverse
    for m in range(PAD):
        p[3, unsigned(n + m)] = rc
    return n if least > 1e-12 else -1


@part
def tabulate(plan, n, n_species, weight, slopes, space):
    """Every radial factor that is wanted of the n neighbours, rows of `F` and `dF`."""
    F, dF, r, fc, dfc = space.F, space.dF, space.polar[3], space.bare, space.bare_slope
    done, rows = -1, padded(n)
    for row in range(plan.radials.shape[0]):
        radial = plan.radials[row]
        if not radial.wanted:
            continue
        f, df = F[row].ctypes, dF[row].ctypes
        if radial.kind > 0:
            compact_values(radial.kind, radial.a, radial.b, rows, r.ctypes, f, df)
        else:
            if radial.cutoff != done:
                done = radial.cutoff
                cut = plan.cutoffs[done]
                cutoff_values(
                    cut.kind, cut.inner, cut.rc, rows, r.ctypes, slopes, fc.ctypes, dfc.ctypes
                )
            gaussian_values(
                radial.a, radial.b, rows, r.ctypes, fc.ctypes, dfc.ctypes, slopes, f, df
            )
        if radial.weighted:
            for s in range(n_species):
                for m in range(space.start[s], space.start[s + 1]):
                    F[row, m] *= weight[s]
                    dF[row, m] *= weight[s]


@part
def add_pairs(plan, n, start, F, out):
    """Adds the radial functions."""
    for p in range(plan.pairs.shape[0]):
        pair = plan.pairs[p]
        s = pair.species
        lo, hi = (start[s], start[s + 1]) if s >= 0 else (0, n)
        out[pair.column] += total(hi - lo, F[pair.radial, lo:].ctypes)


@part
def make_space(plan, centres, first, n_species):
    """The work arrays for the largest number of neighbours of these centres."""
    size = 1
    for i in centres:
        size = max(size, first[i + 1] - first[i])
    n_channels, n_radials = plan.channels.shape[0], plan.radials.shape[0]
    most = n_channels * (size * (size - 1) // (2 * BLOCK) + 1)
    size += PAD
    return Space(
        np.empty((8, size)),
        np.empty(size, np.int64),
        np.empty(n_species + 1, np.int64),
        np.empty((n_radials, size)),
        np.empty((n_radials, size)),
        np.empty(size),
        np.empty(size),
        np.empty(most, TRIPLES),
        np.empty(most, np.int64),
        np.zeros(n_channels + 1, np.int64),
        np.empty((plan.angles.shape[0], BLOCK + PAD)),
        np.empty((plan.angles.shape[0], BLOCK + PAD)),
        np.empty((plan.factors.shape[0], BLOCK + PAD)),
    )


@part
def centre_values(
    i, first, neigh, shift, pos, cell, species, weight, plan, slopes, space, work, out
):
    """Adds the functions of atom i to `out`; returns its number of neighbours.

    -1 if one of them coincides with it.
    """
    n_species = weight.shape[0]
    low = first[i]
    n = load_neighbours(
        i,
        first[i + 1] - low,
        neigh[low:].ctypes,
        shift[low:].ctypes,
        pos.ctypes,
        cell.ctypes,
        species.ctypes,
        n_species,
        plan.rc[0],
        space.polar.ctypes,
        space.polar.shape[1],
        space.index.ctypes,
        space.start.ctypes,
    )
    if n < 0:
        return n
    tabulate(plan, n, n_species, weight, slopes, space)
    queue_triples(
        plan.channels,
        space.start,
        n_species,
        space.polar,
        space.F,
        space.blocks,
        space.filled,
        space.bounds,
        work,
    )
    add_pairs(plan, n, space.start, space.F, out)
    for ch in range(plan.channels.shape[0]):
        own = work[ch : ch + 1] if slopes else work
        for b in range(space.bounds[ch], space.bounds[ch + 1]):
            add_values(
                plan,
                ch,
                space.filled[b],
                space.blocks[b : b + 1],
                space.F,
                slopes,
                own,
                space.A,
                space.dA,
                space.E,
                out,
            )
    return n


@kernel
def features_of(
    begin, end, centres, first, neigh, shift, pos, cell, species, weight, plan, out, work
):
    """Adds the functions of centres `begin` to `end` to rows of `out`; NaN where atoms coincide.

    centres  (n_centres,) atoms
    first    (n_atoms + 1,), neigh (n_pairs,), shift (n_pairs, 3): see `neighbour_list`
    pos      (n_atoms, 3), cell (3, 3)
    species  (n_atoms,) row of `weight` (n_species,), the elements' weights
    plan     `Plan`
    out      (n_centres, n_columns)
    work     (1 or more,) WORK
    """
    space = make_space(plan, centres[begin:end], first, weight.shape[0])
    for m in range(begin, end):
        if (
            centre_values(
                centres[m],
                first,
                neigh,
                shift,
                pos,
                cell,
                species,
                weight,
                plan,
                False,
                space,
                work,
                out[m],
            )
            < 0
        ):
            out[m] = np.nan
