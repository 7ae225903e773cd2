"""Symmetry functions of atoms: flat arrays in, flat arrays out.

One centre at a time: its neighbours are sorted by element into contiguous rows, every distinct
radial factor F(r) is tabulated once per neighbour, each triple (j, k) with r_jk inside the cutoff
is queued, and `angular` evaluates the queue.  All lengths are in one unit.  Importing this module
compiles it, or loads what an earlier process compiled; `kernels.features_of` does so at need.
"""

import numpy as np
from numba import carray

from ..._compiled import (
    FLOAT,
    FLOATS,
    INT,
    INTS,
    PAD,
    SHORTS,
    floats,
    ints,
    leaf,
    padded,
    shorts,
    unsigned,
)
from .angular import add_values, queue_triples, total
from .cutoffs import compact_values, cutoff_values, gaussian_values
from .records import (
    FRAME_AT,
    PLAN_AT,
    SPACE_AT,
    cutoff_of,
    frame_of,
    pair_of,
    plan_of,
    radial_of,
    space_of,
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


@leaf(INT, FRAME_AT, PLAN_AT, INT, SPACE_AT)
def tabulate(n, frame, plan, slopes, space):
    """Every radial factor that is wanted of the n neighbours, rows of `F` and `dF`."""
    g, p, s = frame_of(frame, 0), plan_of(plan, 0), space_of(space, 0)
    start, weight = carray(ints(s.start, 0), 1), carray(floats(g.weight, 0), 1)
    r, fc, dfc = floats(s.polar, 3 * s.size), floats(s.bare, 0), floats(s.bare_slope, 0)
    done, rows = -1, padded(n)
    for row in range(p.n_radials):
        radial = radial_of(p.radials, row)
        if not radial.wanted:
            continue
        f, df = floats(s.F, row * s.size), floats(s.dF, row * s.size)
        if radial.kind > 0:
            compact_values(radial.kind, radial.a, radial.b, rows, r, f, df)
        else:
            if radial.cutoff != done:
                done = radial.cutoff
                cut = cutoff_of(p.cutoffs, done)
                cutoff_values(cut.kind, cut.inner, cut.rc, rows, r, slopes, fc, dfc)
            gaussian_values(radial.a, radial.b, rows, r, fc, dfc, slopes, f, df)
        if radial.weighted:
            x, dx = carray(f, 1), carray(df, 1)
            for e in range(g.n_species):
                for m in range(start[unsigned(e)], start[unsigned(e + 1)]):
                    x[unsigned(m)] *= weight[unsigned(e)]
                    dx[unsigned(m)] *= weight[unsigned(e)]


@leaf(INT, PLAN_AT, SPACE_AT, FLOATS)
def add_pairs(n, plan, space, out):
    """Adds the radial functions."""
    p, s = plan_of(plan, 0), space_of(space, 0)
    start, values = carray(ints(s.start, 0), 1), carray(out, 1)
    for m in range(p.n_pairs):
        pair = pair_of(p.pairs, m)
        lo, hi = 0, n
        if pair.species >= 0:
            lo, hi = start[unsigned(pair.species)], start[unsigned(pair.species + 1)]
        values[unsigned(pair.column)] += total(hi - lo, floats(s.F, pair.radial * s.size + lo))


@leaf(INT, FRAME_AT, PLAN_AT, INT, SPACE_AT, FLOATS, returns=INT)
def centre_values(m, frame, plan, slopes, space, out):
    """Adds the functions of centre m to `out`; returns its number of neighbours.

    -1 if one of them coincides with it.
    """
    g, p, s = frame_of(frame, 0), plan_of(plan, 0), space_of(space, 0)
    i = carray(ints(g.centres, m), 1)[0]
    first = carray(ints(g.first, i), 2)
    low = first[0]
    n = load_neighbours(
        i,
        first[1] - low,
        ints(g.neigh, low),
        shorts(g.shift, 3 * low),
        floats(g.pos, 0),
        floats(g.cell, 0),
        ints(g.species, 0),
        g.n_species,
        p.rc,
        floats(s.polar, 0),
        s.size,
        ints(s.index, 0),
        ints(s.start, 0),
    )
    if n < 0:
        return n
    tabulate(n, frame, plan, slopes, space)
    queue_triples(frame, plan, space)
    add_pairs(n, plan, space, out)
    bounds = carray(ints(s.bounds, 0), 1)
    for ch in range(p.n_channels):
        for b in range(bounds[unsigned(ch)], bounds[unsigned(ch + 1)]):
            add_values(plan, ch, b, slopes, space, out)
    return n


@leaf(INT, INT, FRAME_AT, PLAN_AT, SPACE_AT, INT, INT)
def features_of(begin, end, frame, plan, space, columns, out):
    """Adds the functions of centres `begin` to `end` to rows of `out`; NaN where atoms coincide.

    out  address of (n_centres, columns)
    """
    for m in range(begin, end):
        row = floats(out, m * columns)
        if centre_values(m, frame, plan, 0, space, row) < 0:
            values = carray(row, columns)
            for column in range(columns):
                values[unsigned(column)] = np.nan
