"""Energies and forces of a neural network potential, on the tables and queues of `evaluate`.

Importing this module compiles it, or loads what an earlier process compiled; `kernels.forces_of`
does so at need.
"""

import numpy as np
from numba import carray

from ..._compiled import FLOATS, INT, floats, ints, leaf, unsigned
from .angular import dot, total
from .evaluate import centre_values
from .neural_network import propagate
from .records import (
    FRAME_AT,
    NET_AT,
    PLAN_AT,
    SPACE_AT,
    channel_of,
    frame_of,
    pair_of,
    plan_of,
    space_of,
)
from .slopes import add_slopes, place_neighbours, take_radial


@leaf(INT, PLAN_AT, SPACE_AT)
def add_pair_slopes(n, plan, space):
    """Adds to D (dE/dr_ij) what the radial functions give."""
    p, s = plan_of(plan, 0), space_of(space, 0)
    start, coef = carray(ints(s.start, 0), 1), carray(floats(s.coef, 0), 1)
    D = carray(floats(s.D, 0), 1)
    for m in range(p.n_pairs):
        pair = pair_of(p.pairs, m)
        lo, hi = 0, n
        if pair.species >= 0:
            lo, hi = start[unsigned(pair.species)], start[unsigned(pair.species + 1)]
        df, c = carray(floats(s.dF, pair.radial * s.size), 1), coef[unsigned(pair.column)]
        for k in range(lo, hi):
            D[unsigned(k)] += c * df[unsigned(k)]


@leaf(INT, INT, FLOATS, FLOATS, FLOATS, FLOATS)
def begin_slopes(n, size, polar, D, sums, places):
    """Nothing added to the slopes of n neighbours yet; their vectors in `places`."""
    p, d = carray(polar, (8, size)), carray(D, 1)
    S, to = carray(sums, (1, 8)), carray(places, (1, 8))
    for m in range(n):
        k = unsigned(m)
        d[k] = 0.0
        for a in range(8):
            S[k, unsigned(a)] = 0.0
        to[k, 0], to[k, 1], to[k, 2], to[k, 3] = 1.0, 1.0, 1.0, 0.0
        to[k, 4], to[k, 5], to[k, 6], to[k, 7] = p[5, k], p[6, k], p[7, k], 0.0


@leaf(INT, INT, FLOATS, FLOATS, FLOATS)
def end_slopes(n, size, polar, D, sums):
    """Adds what `sums` hold of the slopes in r to D."""
    p, d, S = carray(polar, (8, size)), carray(D, 1), carray(sums, (1, 8))
    for m in range(n):
        k = unsigned(m)
        d[k] += S[k, 2] * p[3, k] - S[k, 1] * p[4, k]


@leaf(INT, PLAN_AT, SPACE_AT)
def sum_slopes(n, plan, space):
    """Fills D (dE/dr_ij) and `sums` with what the n neighbours of a centre get, see `slopes`."""
    p, s = plan_of(plan, 0), space_of(space, 0)
    bounds = carray(ints(s.bounds, 0), 1)
    polar, D, sums = floats(s.polar, 0), floats(s.D, 0), floats(s.sums, 0)
    begin_slopes(n, s.size, polar, D, sums, floats(s.places, 0))
    add_pair_slopes(n, plan, space)
    for ch in range(p.n_channels):
        base = channel_of(p.channels, ch).envelope
        begin, end = bounds[unsigned(ch)], bounds[unsigned(ch + 1)]
        place_neighbours(n, base, space)
        for b in range(begin, end):
            add_slopes(plan, ch, b, end == begin + 1, space)
        take_radial(n, base, space)
    end_slopes(n, s.size, polar, D, sums)


@leaf(INT, INT, SPACE_AT, FLOATS, FLOATS)
def hand_out(i, n, space, force, virial):
    """Adds the forces of one centre's energy on it and its neighbours, and their virial."""
    s = space_of(space, 0)
    index, D, S = (
        carray(ints(s.index, 0), 1),
        carray(floats(s.D, 0), 1),
        carray(floats(s.sums, 0), (1, 8)),
    )
    row, p = carray(floats(s.row, 0), 1), carray(floats(s.polar, 0), (8, s.size))
    f, v = carray(force, (1, 3)), carray(virial, (3, 3))
    for axis in range(3):
        a = unsigned(axis)
        for m in range(n):
            k = unsigned(m)
            row[k] = -D[k] * p[a, k] - S[k, 4 + a]
        f[unsigned(i), a] -= total(n, floats(s.row, 0))
        for m in range(n):
            f[unsigned(index[unsigned(m)]), a] += row[unsigned(m)]
        for b in range(3):
            v[unsigned(b), a] += dot(n, floats(s.polar, (5 + b) * s.size), floats(s.row, 0))


@leaf(*(INT,) * 5, FRAME_AT, PLAN_AT, NET_AT, SPACE_AT, *(INT,) * 6)
def forces_of(
    begin,
    end,
    chunks,
    n_centres,
    n_atoms,
    frame,
    plan,
    net,
    space,
    slopes,
    columns,
    out,
    energy,
    force,
    virial,
):
    """`features_of` and, with a net, energies and (slopes) forces of some of the centres.

    Chunks `begin` to `end` of `chunks` equal ones; their number, not that of the threads, fixes
    the bits of the sums.  Addresses:

    out     of (n_centres, columns)
    energy  of (n_centres,) output of the net
    force   of (chunks, n_atoms, 3) added to
    virial  of (chunks, 3, 3) sum of r_ij (x) f_j, added to
    """
    s, centres = space_of(space, 0), carray(ints(frame_of(frame, 0).centres, 0), 1)
    energies, chunk = carray(floats(energy, 0), 1), begin
    for m in range(n_centres * begin // chunks, n_centres * end // chunks):
        while m >= n_centres * (chunk + 1) // chunks:
            chunk += 1
        row = floats(out, m * columns)
        n = centre_values(m, frame, plan, slopes, space, row)
        if n < 0:
            values = carray(row, columns)
            for column in range(columns):
                values[unsigned(column)] = np.nan
            continue
        energies[unsigned(m)] = propagate(net, row, s.node, s.slope, s.coef)
        if slopes:
            sum_slopes(n, plan, space)
            at = floats(force, 3 * n_atoms * chunk)
            hand_out(centres[unsigned(m)], n, space, at, floats(virial, 9 * chunk))
