"""Triples of one centre: a queue of them in blocks, and what a block adds to the functions.

Every leaf runs over the first `n` triples of a block in branch-free loops that the compiler
vectorises.  A channel whose radial factors are all unshifted Gaussians under one cutoff function
needs one product of cutoffs and one sum of squared sides per triple ("envelope"); other channels
multiply tabulated factors F(r_ij) F(r_ik) F(r_jk).
"""

import numpy as np
from numba import carray

from ..._compiled import FLOAT, FLOATS, INT, INTS, PAD, floats, ints, leaf, padded, unsigned
from .compress import AT_ONCE, below, count, move, move_range
from .cutoffs import (
    angle_values,
    compact_values,
    cutoff_values,
    exponential,
    gaussian_values,
    power_values,
)
from .records import (
    BLOCK,
    FRAME_AT,
    PLAN_AT,
    ROW,
    SPACE_AT,
    TRIPLES,
    TRIPLES_AT,
    TRIPLES_SIZE,
    WORK_AT,
    WORK_SIZE,
    angle_of,
    channel_of,
    cutoff_of,
    frame_of,
    member_of,
    plan_of,
    radial_of,
    row_of,
    space_of,
    triples_at,
    work_at,
)

by_cosine, distance = map(row_of, ("by_cosine", "distance"))
cutoff, cutoff_slope = row_of("cutoff"), row_of("cutoff_slope")
factor, factor_slope = row_of("factor"), row_of("factor_slope")
new_cosine, new_square, new_product, new_bare = (
    row_of(name) for name in ("cosine", "square", "product", "bare")
)
cosine, square, product_row, bare_row, k_row = (
    row_of(name, TRIPLES) for name in ("cosine", "square", "product", "bare", "k")
)
theta, theta_slope, radial_product = map(row_of, ("angle", "angle_slope", "radial"))


@leaf(*(INT,) * 4, FLOATS, INT, FLOATS, FLOAT, FLOAT, INT, INTS, WORK_AT, returns=INT)
def queue_channel(lo, hi, k0, k1, polar, size, bare, rc, limit, blocks, filled, work):
    """Queues the triples of neighbours lo <= j < hi and k0 <= k < k1; returns how many blocks.

    k0      -1: k begins after j
    bare    cutoff function of each neighbour, where the channel has an envelope
    rc      largest r_ij and r_ik
    limit   largest r_jk squared
    blocks  address of TRIPLES
    filled  how many triples each block holds
    """
    p, f, w = carray(polar, (8, size)), carray(bare, size), carray(work, 1)[0]
    held, block, n = carray(filled, 1), 0, 0
    for j in range(lo, hi):
        at = unsigned(j)
        x, y, z, r, fj = p[0, at], p[1, at], p[2, at], p[3, at], f[at]
        low = k0 if k0 >= 0 else j + 1
        while low < k1 and r < rc:
            if n == BLOCK:
                held[unsigned(block)] = n
                block, n = block + 1, 0
            new = min(k1 - low, BLOCK - n)
            for m in range(padded(new)):
                k = unsigned(low + m)
                rk = p[3, k]
                c = x * p[0, k] + y * p[1, k] + z * p[2, k]
                product = r * rk
                s = r * r + rk * rk - 2.0 * product * c
                w.cosine[m] = c
                w.square[m] = s if (rk < rc) & (m < new) else np.inf
                w.product[m] = product
                w.bare[m] = fj * f[k]
            to, begin = triples_at(blocks, block), n
            for m in range(0, new, AT_ONCE):
                near = below(new_square(work), m, limit)
                move(near, new_cosine(work), m, cosine(to), n)
                move(near, new_square(work), m, square(to), n)
                move(near, new_product(work), m, product_row(to), n)
                move(near, new_bare(work), m, bare_row(to), n)
                move_range(near, low + m, k_row(to), n)
                n += count(near)
            q = carray(to, 1)[0]
            for m in range(padded(n - begin)):
                q.j[unsigned(begin + m)] = j
            low += new
    held[unsigned(block)] = n
    return block + (n > 0)


@leaf(INT, TRIPLES_AT)
def pad(n, block):
    """Harmless triples after the n of a block, which add nothing where there is an envelope."""
    q = carray(block, 1)[0]
    for m in range(PAD):
        to = unsigned(n + m)
        q.cosine[to], q.square[to], q.product[to], q.bare[to] = 0.0, 1.0, 1.0, 0.0
        q.j[to] = q.k[to] = 0


@leaf(FRAME_AT, PLAN_AT, SPACE_AT)
def queue_triples(frame, plan, space):
    """Queues the triples of one centre; blocks bounds[c] to bounds[c + 1] are channel c's."""
    p, s, n_species = plan_of(plan, 0), space_of(space, 0), frame_of(frame, 0).n_species
    start, bounds = carray(ints(s.start, 0), 1), carray(ints(s.bounds, 0), 1)
    filled, n = carray(ints(s.filled, 0), 1), start[unsigned(n_species)]
    block = 0
    for ch in range(p.n_channels):
        channel = channel_of(p.channels, ch)
        bounds[unsigned(ch)] = block
        e1, e2, rc = channel.first, channel.second, channel.rc
        lo, hi, k0, k1 = 0, n, 0, n
        if e1 >= 0:
            lo, hi = start[unsigned(e1)], start[unsigned(e1 + 1)]
        if e2 >= 0:
            k0, k1 = start[unsigned(e2)], start[unsigned(e2 + 1)]
        block += queue_channel(
            lo,
            hi,
            -1 if e1 == e2 else k0,
            k1,
            floats(s.polar, 0),
            s.size,
            floats(s.F, max(channel.envelope, 0) * s.size),
            rc,
            rc * rc if channel.narrow else np.inf,
            s.blocks + block * TRIPLES_SIZE,
            ints(s.filled, block),
            work_at(s.work, 0),
        )
    bounds[unsigned(p.n_channels)] = block
    for b in range(block):
        pad(filled[unsigned(b)], triples_at(s.blocks, b))


@leaf(INT, TRIPLES_AT, WORK_AT)
def fill_sides(n, block, work):
    """Length of the third side of each triple, and the sum of all three squared."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    for m in range(padded(n)):
        s = q.square[m]
        w.squares[m] = 2.0 * (s + q.product[m] * q.cosine[m])
        w.distance[m] = np.sqrt(s)


@leaf(INT, WORK_AT)
def no_third_factor(n, work):
    """A radial factor of one for r_jk."""
    w = carray(work, 1)[0]
    for m in range(padded(n)):
        w.factor[m] = 1.0
        w.factor_slope[m] = 0.0


@leaf(INT, TRIPLES_AT, WORK_AT)
def multiply_envelope(n, block, work):
    """Product of the three cutoff functions of each triple."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    for m in range(padded(n)):
        w.cutoffs[m] = q.bare[m] * w.cutoff[m]


@leaf(INT, FLOAT, FLOATS, WORK_AT)
def radial_of_envelope(n, eta, gaussian, work):
    """Gaussian of the three sides, and its product with the three cutoff functions."""
    w, e = carray(work, 1)[0], carray(gaussian, n)
    for m in range(padded(n)):
        e[m] = exponential(-eta * w.squares[m])
        w.radial[m] = w.cutoffs[m] * e[m]


@leaf(INT, INT, FLOATS, FLOATS, WORK_AT)
def radial_of_power(n, power, first, gaussian, work):
    """As `radial_of_envelope`, from the Gaussian whose `power` it is, 2 to 31."""
    w, f, e = carray(work, 1)[0], carray(first, n), carray(gaussian, n)
    for m in range(padded(n)):
        b = f[m]
        x = b if power & 1 else 1.0
        b *= b
        x = x * b if power & 2 else x
        b *= b
        x = x * b if power & 4 else x
        b *= b
        x = x * b if power & 8 else x
        b *= b
        x = x * b if power & 16 else x
        e[m] = x
        w.radial[m] = w.cutoffs[m] * x


@leaf(INT, TRIPLES_AT, FLOATS, INT, WORK_AT)
def radial_of_factors(n, block, factor, size, work):
    """Product of the three radial factors."""
    q, f, w = carray(block, 1)[0], carray(factor, size), carray(work, 1)[0]
    for m in range(n):
        w.radial[m] = f[unsigned(q.j[m])] * f[unsigned(q.k[m])] * w.factor[m]


@leaf(INT, FLOATS, FLOATS, returns=FLOAT)
def dot(n, a, b):
    """Sum of the products of two rows."""
    x, y, result = carray(a, n), carray(b, n), 0.0
    for m in range(n):
        result += x[m] * y[m]
    return result


@leaf(INT, FLOATS, returns=FLOAT)
def total(n, a):
    """Sum of a row."""
    x, result = carray(a, n), 0.0
    for m in range(n):
        result += x[m]
    return result


@leaf(INT, FLOATS, FLOATS)
def multiply_row(n, a, b):
    """Multiplies a row b by a row a."""
    x, y = carray(a, n), carray(b, n)
    for m in range(n):
        y[m] *= x[m]


@leaf(PLAN_AT, INT, INT, INT, TRIPLES_AT, SPACE_AT, INT)
def fill_angles(plan, ch, n, slopes, block, space, work):
    """Rows of `A`, `dA`: the channel's angular factors and their slopes in cos(theta)."""
    p, s, have_angle = plan_of(plan, 0), space_of(space, 0), False
    first, end = channel_of(p.channels, ch).angles
    for g in range(first, end):
        angle = angle_of(p.angles, g)
        f, df = floats(s.A, g * ROW), floats(s.dA, g * ROW)
        if angle.kind == 0:
            power_values(angle.a, angle.b, n, slopes, cosine(block), by_cosine(work), f, df)
            continue
        if not have_angle:
            angle_values(n, cosine(block), theta(work), theta_slope(work))
            have_angle = True
        compact_values(angle.kind, angle.a, angle.b, n, theta(work), f, df)
        if slopes:
            multiply_row(n, theta_slope(work), df)


@leaf(PLAN_AT, INT, INT, INT, INT)
def cut_third_sides(plan, row, n, slopes, work):
    """Cutoff function of r_jk as radial factor `row` has it."""
    p = plan_of(plan, 0)
    cut = cutoff_of(p.cutoffs, radial_of(p.radials, row).cutoff)
    cutoff_values(
        cut.kind, cut.inner, cut.rc, n, distance(work), slopes, cutoff(work), cutoff_slope(work)
    )


@leaf(PLAN_AT, INT, INT, INT, SPACE_AT, INT, returns=INT)
def prepare(plan, ch, b, slopes, space, work):
    """What all radial factors of a channel need of block b; returns the envelope's row."""
    p, s, w = plan_of(plan, 0), space_of(space, 0), work_at(work, 0)
    n, block = carray(ints(s.filled, b), 1)[0], triples_at(s.blocks, b)
    fill_sides(n, block, w)
    fill_angles(plan, ch, padded(n), slopes, block, space, work)
    base = channel_of(p.channels, ch).envelope
    if base >= 0:
        cut_third_sides(plan, base, padded(n), slopes, work)
        multiply_envelope(n, block, w)
    else:
        no_third_factor(n, w)
    return base


@leaf(PLAN_AT, INT, INT, INT, INT, INT)
def third_factor(plan, ch, f, n, slopes, work):
    """Radial factor of r_jk, number f of the channel's factors."""
    p = plan_of(plan, 0)
    rows = carray(ints(p.factors, 0), 1)
    row = rows[unsigned(f)]
    radial = radial_of(p.radials, row)
    if radial.kind > 0:
        compact_values(
            radial.kind, radial.a, radial.b, n, distance(work), factor(work), factor_slope(work)
        )
        return
    first = channel_of(p.channels, ch).factors[0]
    if f == first or radial_of(p.radials, rows[unsigned(f - 1)]).cutoff != radial.cutoff:
        cut_third_sides(plan, row, n, slopes, work)
    gaussian_values(
        radial.a,
        radial.b,
        n,
        distance(work),
        cutoff(work),
        cutoff_slope(work),
        slopes,
        factor(work),
        factor_slope(work),
    )


@leaf(PLAN_AT, INT, INT, INT, SPACE_AT, FLOATS)
def add_values(plan, ch, b, slopes, space, out):
    """Adds block b of triples to the angular functions of its channel.

    The work arrays keep what the slopes need of the block; with `slopes` each channel has its own.
    """
    p, s = plan_of(plan, 0), space_of(space, 0)
    values, n = carray(out, 1), carray(ints(s.filled, b), 1)[0]
    rows, powers = carray(ints(p.factors, 0), 1), carray(ints(p.powers, 0), 1)
    work = s.work + (ch * WORK_SIZE if slopes else 0)
    base, w, block = (
        prepare(plan, ch, b, slopes, space, work),
        work_at(work, 0),
        triples_at(s.blocks, b),
    )
    channel = channel_of(p.channels, ch)
    begin, end = channel.factors
    member, last = channel.members
    for f in range(begin, end):
        row, power = rows[unsigned(f)], powers[unsigned(f)]
        gaussian = floats(s.E, f * ROW)
        if base >= 0 and power > 1:
            radial_of_power(n, power, floats(s.E, begin * ROW), gaussian, w)
        elif base >= 0:
            radial_of_envelope(n, radial_of(p.radials, row).a, gaussian, w)
        else:
            if channel.narrow:
                third_factor(plan, ch, f, padded(n), slopes, work)
            radial_of_factors(n, block, floats(s.F, row * s.size), s.size, w)
        while member < last and member_of(p.members, member).factor == f:
            of = member_of(p.members, member)
            values[unsigned(of.column)] += of.norm * dot(
                n, radial_product(work), floats(s.A, of.angle * ROW)
            )
            member += 1
