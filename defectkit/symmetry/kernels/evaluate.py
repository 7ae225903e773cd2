"""Symmetry functions of atoms: flat arrays in, flat arrays out.

One centre at a time: its neighbours are sorted by element into contiguous rows, every distinct
radial factor F(r) is tabulated once per neighbour, each triple (j, k) with r_jk inside the cutoff
is queued, and `angular` evaluates the queue.  All lengths are in one unit.  Importing this module
compiles it, or loads what an earlier process compiled; `kernels.features_kernel` does so at need.
"""

from collections import namedtuple

import numpy as np

from ..._compiled import kernel, part
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
        "dA",  # (n_angles, BLOCK) angular factors and slopes
    ],
)


@part
def load_neighbours(
    i, first, neigh, shift, pos, cell, species, n_species, rc, polar, index, start
):
    """Neighbours of atom i nearer than rc, grouped by species; returns how many.

    Returns -1 where another atom coincides with atom i.
    """
    n = 0
    for s in range(n_species):
        start[s] = n
        for p in range(first[i], first[i + 1]):
            j = neigh[p]
            if species[j] != s:
                continue
            a, b, c = shift[p, 0], shift[p, 1], shift[p, 2]
            x = pos[j, 0] - pos[i, 0] + a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
            y = pos[j, 1] - pos[i, 1] + a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
            z = pos[j, 2] - pos[i, 2] + a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
            r2 = x * x + y * y + z * z
            if r2 < rc * rc:
                if r2 < 1e-12:
                    return -1
                r = np.sqrt(r2)
                inverse = 1.0 / r
                polar[0, n], polar[1, n], polar[2, n] = x * inverse, y * inverse, z * inverse
                polar[3, n], polar[4, n] = r, inverse
                polar[5, n], polar[6, n], polar[7, n] = x, y, z
                index[n] = j
                n += 1
    start[n_species] = n
    return n


@part
def tabulate(plan, n, n_species, weight, slopes, space):
    """Every radial factor that is wanted of the n neighbours, rows of `F` and `dF`."""
    F, dF, r, fc, dfc = space.F, space.dF, space.polar[3], space.bare, space.bare_slope
    done = -1
    for row in range(plan.radials.shape[0]):
        radial = plan.radials[row]
        if not radial.wanted:
            continue
        if radial.kind > 0:
            compact_values(
                radial.kind, radial.a, radial.b, n, r.ctypes, F[row].ctypes, dF[row].ctypes
            )
        else:
            if radial.cutoff != done:
                done = radial.cutoff
                cut = plan.cutoffs[done]
                cutoff_values(
                    cut.kind, cut.inner, cut.rc, n, r.ctypes, slopes, fc.ctypes, dfc.ctypes
                )
            gaussian_values(
                radial.a,
                radial.b,
                n,
                r.ctypes,
                fc.ctypes,
                dfc.ctypes,
                slopes,
                F[row].ctypes,
                dF[row].ctypes,
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
        np.empty((plan.angles.shape[0], BLOCK)),
        np.empty((plan.angles.shape[0], BLOCK)),
    )


@part
def centre_values(
    i, first, neigh, shift, pos, cell, species, weight, plan, slopes, space, work, out
):
    """Adds the functions of atom i to `out`; returns its number of neighbours.

    -1 if one of them coincides with it.
    """
    n_species = weight.shape[0]
    n = load_neighbours(
        i,
        first,
        neigh,
        shift,
        pos,
        cell,
        species,
        n_species,
        plan.rc[0],
        space.polar,
        space.index,
        space.start,
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
        for b in range(space.bounds[ch], space.bounds[ch + 1]):
            add_values(
                plan,
                ch,
                space.filled[b],
                space.blocks[b : b + 1],
                space.F,
                work,
                space.A,
                space.dA,
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
    work     (1,) WORK
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
