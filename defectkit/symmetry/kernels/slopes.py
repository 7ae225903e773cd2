"""Slopes of one centre's energy in the positions of its neighbours, from the queued triples.

The energy's slopes in the functions (`coef`) are summed into the angular factors first, so that
no slope of a symmetry function is ever stored.  With vectors x_j and x_k from the centre, what a
triple gives x_k is a multiple of x_k and one of x_j, whose sums over the triples are kept:

sums  (size, 8) of each neighbour: slope in r, in the cosine times the cosine, multiple of its own
      vector, nothing; multiple of other vectors (3), nothing
"""

from numba import carray

from ..._compiled import FLOAT, FLOATS, INT, floats, ints, leaf, padded, unsigned
from .angular import prepare, third_factor
from .cutoffs import exponential
from .records import (
    PLAN_AT,
    ROW,
    SPACE_AT,
    TRIPLES_AT,
    WORK_AT,
    WORK_SIZE,
    channel_of,
    member_of,
    plan_of,
    radial_of,
    space_of,
    triples_at,
    work_at,
)


@leaf(INT, FLOAT, FLOATS, FLOATS, INT, WORK_AT)
def add_angular(n, weight, value, slope, first, work):
    """Adds (or, the first, sets) weighted angular factors and slopes: the sums of one factor."""
    f, df, w = carray(value, n), carray(slope, n), carray(work, 1)[0]
    if first:
        for m in range(padded(n)):
            w.angular[m] = weight * f[m]
            w.angular_slope[m] = weight * df[m]
    else:
        for m in range(padded(n)):
            w.angular[m] += weight * f[m]
            w.angular_slope[m] += weight * df[m]


@leaf(INT, WORK_AT)
def clear_slopes(n, work):
    """Nothing added yet."""
    w = carray(work, 1)[0]
    for m in range(padded(n)):
        w.by_radius[m] = w.by_square[m] = w.by_cosine[m] = 0.0
        w.along_ij[m] = w.along_ik[m] = w.along_jk[m] = 0.0


@leaf(INT, FLOAT, FLOATS, WORK_AT)
def fill_gaussian(n, eta, gaussian, work):
    """Gaussian of the three sides."""
    w, e = carray(work, 1)[0], carray(gaussian, n)
    for m in range(padded(n)):
        e[m] = exponential(-eta * w.squares[m])


@leaf(INT, FLOAT, FLOATS, INT, WORK_AT)
def add_envelope(n, eta, gaussian, first, work):
    """Adds (or, the first, sets) what one Gaussian of a channel with an envelope gives."""
    w, e = carray(work, 1)[0], carray(gaussian, n)
    if first:
        for m in range(padded(n)):
            u = e[m] * w.angular[m]
            w.by_radius[m] = u
            w.by_square[m] = eta * u
            w.by_cosine[m] = e[m] * w.angular_slope[m]
    else:
        for m in range(padded(n)):
            u = e[m] * w.angular[m]
            w.by_radius[m] += u
            w.by_square[m] += eta * u
            w.by_cosine[m] += e[m] * w.angular_slope[m]


@leaf(INT, TRIPLES_AT, WORK_AT)
def finish_envelope(n, block, work):
    """Terms of a channel with an envelope."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    for m in range(padded(n)):
        e, h = 2.0 * w.cutoffs[m] * w.by_square[m], w.cutoffs[m] * w.by_cosine[m]
        u, inverse = w.by_radius[m], 1.0 / (q.product[m] * w.distance[m])
        t = q.bare[m] * w.cutoff_slope[m] * u * q.product[m] * inverse - e
        w.packed[m, 0] = u * w.cutoff[m]
        w.packed[m, 1] = h * q.cosine[m]
        w.packed[m, 2] = t - e
        w.packed[m, 3] = h * w.distance[m] * inverse - t


@leaf(INT, TRIPLES_AT, FLOATS, FLOATS, INT, WORK_AT)
def add_factors(n, block, factor, factor_slope, size, work):
    """What one radial factor of any other channel gives."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    f, df = carray(factor, size), carray(factor_slope, size)
    for m in range(n):
        j, k = unsigned(q.j[m]), unsigned(q.k[m])
        a, b, u = f[j], f[k], w.factor[m] * w.angular[m]
        w.along_ij[m] += df[j] * b * u
        w.along_ik[m] += a * df[k] * u
        w.along_jk[m] += a * b * w.factor_slope[m] * w.angular[m]
        w.by_cosine[m] += a * b * w.factor[m] * w.angular_slope[m]


@leaf(INT, TRIPLES_AT, WORK_AT)
def finish_factors(n, block, work):
    """Terms of any other channel, and in `along_ij` by how much its first differs for j."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    for m in range(padded(n)):
        h, t = w.by_cosine[m], w.along_jk[m] / w.distance[m]
        w.along_ij[m] -= w.along_ik[m]
        w.packed[m, 0] = w.along_ik[m]
        w.packed[m, 1] = h * q.cosine[m]
        w.packed[m, 2] = t
        w.packed[m, 3] = h / q.product[m] - t


@leaf(INT, TRIPLES_AT, INT, FLOATS, WORK_AT)
def add_rest(n, block, size, slopes, work):
    """Adds what `finish_factors` left in `along_ij` to the slopes in r_ij."""
    q, w, D = carray(block, 1)[0], carray(work, 1)[0], carray(slopes, size)
    for m in range(n):
        D[unsigned(q.j[m])] += w.along_ij[m]


@leaf(INT, TRIPLES_AT, WORK_AT, FLOATS, INT, FLOATS)
def scatter(n, block, work, places, size, sums):
    """Adds the terms of a block to the sums of both neighbours of each triple.

    places  (size, 8) of each neighbour: its factor in the other's first sum, 1, 1, 0; its
            vector, 0
    """
    q, w, m = carray(block, 1)[0], carray(work, 1)[0], 0
    X, S = carray(places, (size, 8)), carray(sums, (size, 8))
    while m < n:
        j = unsigned(q.j[unsigned(m)])
        x, to = X[j], S[j]
        f0, f1, f2, f3, x0, x1, x2, x3 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
        s0 = s1 = s2 = s3 = v0 = v1 = v2 = v3 = 0.0
        while m < n and unsigned(q.j[unsigned(m)]) == j:
            k, t = unsigned(q.k[unsigned(m)]), w.packed[unsigned(m)]
            y, s = X[k], S[k]
            t0, t1, t2, t3 = t[0], t[1], t[2], t[3]
            s0, s1, s2, s3 = s0 + y[0] * t0, s1 + y[1] * t1, s2 + y[2] * t2, s3 + y[3] * t3
            v0, v1, v2, v3 = v0 + y[4] * t3, v1 + y[5] * t3, v2 + y[6] * t3, v3 + y[7] * t3
            a0, a1, a2, a3 = s[0] + f0 * t0, s[1] + f1 * t1, s[2] + f2 * t2, s[3] + f3 * t3
            b0, b1, b2, b3 = s[4] + x0 * t3, s[5] + x1 * t3, s[6] + x2 * t3, s[7] + x3 * t3
            s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a0, a1, a2, a3, b0, b1, b2, b3
            m += 1
        s0, s1, s2, s3 = s0 + to[0], s1 + to[1], s2 + to[2], s3 + to[3]
        v0, v1, v2, v3 = v0 + to[4], v1 + to[5], v2 + to[6], v3 + to[7]
        to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = s0, s1, s2, s3, v0, v1, v2, v3


@leaf(INT, INT, SPACE_AT)
def place_neighbours(n, base, space):
    """`places` of n neighbours for a channel whose envelope is row `base` (-1: none)."""
    s = space_of(space, 0)
    to, bare = carray(floats(s.places, 0), (1, 8)), carray(floats(s.F, base * s.size), 1)
    for k in range(n):
        to[unsigned(k), 0] = bare[unsigned(k)] if base >= 0 else 1.0


@leaf(INT, INT, SPACE_AT)
def take_radial(n, base, space):
    """Moves the slopes in r of a channel from `sums` to D."""
    s = space_of(space, 0)
    S, D = carray(floats(s.sums, 0), (1, 8)), carray(floats(s.D, 0), 1)
    bare = carray(floats(s.dF, base * s.size), 1)
    for k in range(n):
        q = unsigned(k)
        D[q] += S[q, 0] * (bare[q] if base >= 0 else 1.0)
        S[q, 0] = 0.0


@leaf(PLAN_AT, INT, INT, INT, SPACE_AT)
def add_slopes(plan, ch, b, ready, space):
    """Adds to D (dE/dr_ij) and `sums` what block b of triples gives.

    ready  whether the work arrays still hold what `add_values` made of this block
    """
    p, s = plan_of(plan, 0), space_of(space, 0)
    channel, rows = channel_of(p.channels, ch), carray(ints(p.factors, 0), 1)
    coef, n = carray(floats(s.coef, 0), 1), carray(ints(s.filled, b), 1)[0]
    work = s.work + ch * WORK_SIZE
    w, block, base = work_at(work, 0), triples_at(s.blocks, b), channel.envelope
    if not ready:
        prepare(plan, ch, b, 1, space, work)
    if base < 0:
        clear_slopes(n, w)
    begin, end = channel.factors
    member, last = channel.members
    for f in range(begin, end):
        row = rows[unsigned(f)]
        eta, gaussian = radial_of(p.radials, row).a, floats(s.E, f * ROW)
        if base >= 0 and not ready:
            fill_gaussian(n, eta, gaussian, w)
        if base < 0 and channel.narrow:
            third_factor(plan, ch, f, padded(n), 1, work)
        first = 1
        while member < last and member_of(p.members, member).factor == f:
            of = member_of(p.members, member)
            weight, at = of.norm * coef[unsigned(of.column)], of.angle * ROW
            add_angular(n, weight, floats(s.A, at), floats(s.dA, at), first, w)
            first = 0
            member += 1
        if base >= 0:
            add_envelope(n, eta, gaussian, f == begin, w)
        else:
            at = row * s.size
            add_factors(n, block, floats(s.F, at), floats(s.dF, at), s.size, w)
    if base >= 0:
        finish_envelope(n, block, w)
    else:
        finish_factors(n, block, w)
        add_rest(n, block, s.size, floats(s.D, 0), w)
    scatter(n, block, w, floats(s.places, 0), s.size, floats(s.sums, 0))
