"""Features with the triples in single precision; neighbours, radial functions and sums in double.

What triples need of a neighbour is rounded once; r_jk comes from the difference of two such
vectors, so nothing cancels.  The queue keeps cosines and, instead of indices, the products of the
radial factors of r_ij and r_ik: a row for each factor of the channel, or one, its envelope.
"""

import numpy as np
from numba import carray

from ..._compiled import FLOATS, INT, PAD, SINGLES, fast, floats, ints, padded, unsigned
from .compress import AT_ONCE_SINGLE, below_single, count_single, move_single, move_times_single
from .narrow import NAMES, WORK_SINGLE, WORK_SINGLE_AT, again, leaf_single, singles, work_single_at
from .records import (
    BLOCK,
    COSINE,
    FACTORS,
    FRAME_AT,
    PLAN_AT,
    PRODUCT,
    ROW,
    SPACE_AT,
    SQUARE,
    channel_of,
    frame_of,
    member_of,
    plan_of,
    radial_of,
    row_of,
    space_of,
)

fill_angles, cut_third_sides, third_factor = (
    NAMES[name] for name in ("fill_angles", "cut_third_sides", "third_factor")
)
radial_of_envelope, radial_of_power, dot = (
    NAMES[name] for name in ("radial_of_envelope", "radial_of_power", "dot")
)
FAR = np.float32(np.inf)
new_cosine, new_square, cutoff, cutoffs, factor, radial_product = (
    row_of(name, WORK_SINGLE)
    for name in ("cosine", "square", "cutoff", "cutoffs", "factor", "radial")
)


@fast
def narrow_row(n, a, b):
    """Copies a row."""
    x, y = carray(a, n), carray(b, n)
    for m in range(n):
        y[m] = x[m]


@fast
def tabulated(space, row):
    """Radial factor `row` of each neighbour, in the place of its slopes."""
    return singles(space.dF, row * space.size)


@fast
def block_row(space, b, row):
    """A row of block b of triples: COSINE, SQUARE, PRODUCT, or one from FACTORS on."""
    return singles(space.blocks, (b * space.rows + row) * ROW)


@fast
def number_of_factors(channel):
    """How many rows of `tabulated` triples of a channel are multiplied by."""
    return 1 if channel.envelope >= 0 else channel.factors[1] - channel.factors[0]


@leaf_single(INT, PLAN_AT, SPACE_AT)
def narrow_neighbours(n, plan, space):
    """Rounds what the triples need of the n neighbours: `polar` and radial factors."""
    p, s = plan_of(plan, 0), space_of(space, 0)
    for row in range(8):
        narrow_row(padded(n), floats(s.polar, row * s.size), singles(s.near, row * s.size))
    for ch in range(p.n_channels):
        channel = channel_of(p.channels, ch)
        rows, envelope = carray(ints(p.factors, channel.factors[0]), 1), channel.envelope
        for f in range(number_of_factors(channel)):
            row = rows[unsigned(f)] if envelope < 0 else envelope
            narrow_row(padded(n), floats(s.F, row * s.size), tabulated(s, row))


@leaf_single(*(INT,) * 4, PLAN_AT, INT, SINGLES, INT, SPACE_AT, WORK_SINGLE_AT, returns=INT)
def queue_channel(lo, hi, k0, k1, plan, ch, near, block, space, work):
    """Queues triples as `angular.queue_channel` does, from block `block` on; returns how many.

    near  rows of `polar`, rounded
    """
    t, s = plan_of(plan, 0), space_of(space, 0)
    c, size = channel_of(t.channels, ch), s.size
    narrow, envelope, number = c.narrow, c.envelope, number_of_factors(c)
    rc = np.float32(c.rc)
    limit = rc * rc if narrow else FAR
    p, w = carray(near, (8, size)), carray(work, 1)[0]
    held, begin, n = carray(ints(s.filled, 0), 1), block, 0
    of = carray(ints(t.factors, c.factors[0]), 1)
    for j in range(lo, hi):
        at = unsigned(j)
        x, y, z, r = p[0, at], p[1, at], p[2, at], p[3, at]
        xj, yj, zj = p[5, at], p[6, at], p[7, at]
        low = k0 if k0 >= 0 else j + 1
        while low < k1 and r < rc:
            if n == BLOCK:
                held[unsigned(block)] = n
                block, n = block + 1, 0
            new = min(k1 - low, BLOCK - n)
            for m in range(padded(new)):
                k = unsigned(low + m)
                w.cosine[m] = x * p[0, k] + y * p[1, k] + z * p[2, k]
                dx, dy, dz = xj - p[5, k], yj - p[6, k], zj - p[7, k]
                q = dx * dx + dy * dy + dz * dz
                w.square[m] = q if (p[3, k] < rc) & (m < new) else FAR
            for m in range(0, new, AT_ONCE_SINGLE):
                mask = below_single(new_square(work), m, limit)
                move_single(mask, new_cosine(work), m, block_row(s, block, COSINE), n)
                if narrow:
                    move_single(mask, new_square(work), m, block_row(s, block, SQUARE), n)
                    move_times_single(
                        mask, near, 3 * size + low + m, r, block_row(s, block, PRODUCT), n
                    )
                for f in range(number):
                    row = tabulated(s, of[unsigned(f)] if envelope < 0 else envelope)
                    here = carray(row, 1)[at]
                    move_times_single(
                        mask, row, low + m, here, block_row(s, block, FACTORS + f), n
                    )
                n += count_single(mask)
            low += new
    held[unsigned(block)] = n
    return block - begin + (n > 0)


@leaf_single(INT, INT, SPACE_AT)
def pad(b, rows, space):
    """Triples after those of block b that add nothing: their factors are zero."""
    s = space_of(space, 0)
    n = carray(ints(s.filled, b), 1)[0]
    for row in range(rows):
        values = carray(block_row(s, b, row), 1)
        for m in range(PAD):
            values[unsigned(n + m)] = 1.0 if (row == SQUARE) | (row == PRODUCT) else 0.0


@leaf_single(FRAME_AT, PLAN_AT, SPACE_AT)
def queue_triples(frame, plan, space):
    """Queues the triples of one centre; blocks bounds[c] to bounds[c + 1] are channel c's."""
    p, s, n_species = plan_of(plan, 0), space_of(space, 0), frame_of(frame, 0).n_species
    start, bounds = carray(ints(s.start, 0), 1), carray(ints(s.bounds, 0), 1)
    n, block = start[unsigned(n_species)], 0
    narrow_neighbours(n, plan, space)
    for ch in range(p.n_channels):
        channel = channel_of(p.channels, ch)
        bounds[unsigned(ch)] = block
        e1, e2 = channel.first, channel.second
        lo, hi, k0, k1 = 0, n, 0, n
        if e1 >= 0:
            lo, hi = start[unsigned(e1)], start[unsigned(e1 + 1)]
        if e2 >= 0:
            k0, k1 = start[unsigned(e2)], start[unsigned(e2 + 1)]
        new = queue_channel(
            lo,
            hi,
            -1 if e1 == e2 else k0,
            k1,
            plan,
            ch,
            singles(s.near, 0),
            block,
            space,
            work_single_at(s.work, 0),
        )
        for b in range(block, block + new):
            pad(b, FACTORS + number_of_factors(channel), space)
        block += new
    bounds[unsigned(p.n_channels)] = block


@leaf_single(INT, SINGLES, SINGLES, SINGLES, WORK_SINGLE_AT)
def fill_sides(n, cosine, square, product, work):
    """Length of the third side of each triple, and the sum of all three squared."""
    c, q, p, w = carray(cosine, n), carray(square, n), carray(product, n), carray(work, 1)[0]
    for m in range(n):
        w.squares[m] = (q[m] + p[m] * c[m]) * 2.0
        w.distance[m] = np.sqrt(q[m])


@leaf_single(INT, SINGLES, SINGLES, SINGLES)
def multiply_rows(n, a, b, c):
    """Products of two rows."""
    x, y, z = carray(a, n), carray(b, n), carray(c, n)
    for m in range(n):
        z[m] = x[m] * y[m]


@leaf_single(PLAN_AT, INT, INT, INT, SPACE_AT, FLOATS)
def add_values(plan, ch, b, slopes, space, out):
    """Adds block b of triples to the angular functions of its channel."""
    p, s = plan_of(plan, 0), space_of(space, 0)
    values, n = carray(out, 1), padded(carray(ints(s.filled, b), 1)[0])
    rows, powers = carray(ints(p.factors, 0), 1), carray(ints(p.powers, 0), 1)
    w, channel = work_single_at(s.work, 0), channel_of(p.channels, ch)
    cosines = block_row(s, b, COSINE)
    begin, end = channel.factors
    member, last = channel.members
    fill_angles(plan, ch, n, 0, cosines, space, s.work)
    if channel.narrow:
        fill_sides(n, cosines, block_row(s, b, SQUARE), block_row(s, b, PRODUCT), w)
    if channel.envelope >= 0:
        cut_third_sides(plan, channel.envelope, n, 0, s.work)
        multiply_rows(n, block_row(s, b, FACTORS), cutoff(w), cutoffs(w))
    for f in range(begin, end):
        power, gaussian = powers[unsigned(f)], singles(s.E, f * ROW)
        radial = radial_product(w)
        if channel.envelope >= 0 and power > 1:
            radial_of_power(n, power, singles(s.E, begin * ROW), gaussian, w)
        elif channel.envelope >= 0:
            eta = radial_of(p.radials, rows[unsigned(f)]).a
            radial_of_envelope(n, eta, gaussian, w)
        elif channel.narrow:
            third_factor(plan, ch, f, n, 0, s.work)
            multiply_rows(n, block_row(s, b, FACTORS + f - begin), factor(w), radial)
        else:
            radial = block_row(s, b, FACTORS + f - begin)
        while member < last and member_of(p.members, member).factor == f:
            of = member_of(p.members, member)
            values[unsigned(of.column)] += of.norm * dot(n, radial, singles(s.A, of.angle * ROW))
            member += 1


_names = {"queue_triples": queue_triples, "add_values": add_values}
_names["centre_values"] = again("centre_values", {}, _names)
features_of = again("features_of", {}, _names)
