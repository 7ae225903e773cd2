"""Triples of one centre: a queue of them in blocks, and what a block adds to the functions.

Every leaf runs over the first `n` triples of a block in branch-free loops that the compiler
vectorises.  A channel whose radial factors are all unshifted Gaussians under one cutoff function
needs one product of cutoffs and one sum of squared sides per triple ("envelope"); other channels
multiply tabulated factors F(r_ij) F(r_ik) F(r_jk).
"""

import numpy as np
from numba import carray

from ..._compiled import FLOAT, FLOATS, INT, INTS, PAD, leaf, padded, part, unsigned
from .cutoffs import (
    angle_values,
    compact_values,
    cutoff_values,
    exponential,
    gaussian_values,
    power_values,
)
from .records import BLOCK, TRIPLES_AT, WORK_AT


@leaf(*(INT,) * 4, FLOATS, INT, FLOATS, FLOAT, FLOAT, TRIPLES_AT, INTS, WORK_AT, returns=INT)
def queue_channel(lo, hi, k0, k1, polar, size, bare, rc, limit, blocks, filled, work):
    """Queues the triples of neighbours lo <= j < hi and k0 <= k < k1; returns how many blocks.

    k0      -1: k begins after j
    bare    cutoff function of each neighbour, where the channel has an envelope
    rc      largest r_ij and r_ik
    limit   largest r_jk squared
    filled  how many triples each block holds
    """
    p, f, w = carray(polar, (8, size)), carray(bare, size), carray(work, 1)[0]
    many, held = carray(blocks, 1), carray(filled, 1)
    block = n = 0
    for j in range(lo, hi):
        at = unsigned(j)
        x, y, z, r, fj = p[0, at], p[1, at], p[2, at], p[3, at], f[at]
        low = k0 if k0 >= 0 else j + 1
        while low < k1 and r < rc:
            if n == BLOCK:
                held[unsigned(block)] = n
                block, n = block + 1, 0
            q = many[unsigned(block)]
            new = min(k1 - low, BLOCK - n)
            for m in range(padded(new)):
                k = unsigned(low + m)
                rk = p[3, k]
                c = x * p[0, k] + y * p[1, k] + z * p[2, k]
                product = r * rk
                s = r * r + rk * rk - 2.0 * product * c
                w.packed[m, 0] = c
                w.packed[m, 1] = s if (rk < rc) & (m < new) else np.inf
                w.packed[m, 2] = product
                w.packed[m, 3] = fj * f[k]
            begin = n
            for m in range(padded(new)):
                q.k[unsigned(n)] = m
                n += w.packed[m, 1] < limit
            for m in range(4):  # so that four can be copied at a time
                q.k[unsigned(n + m)] = 0
            for m in range((n - begin + 3) // 4 * 4):
                to = unsigned(begin + m)
                row = unsigned(q.k[to])
                c, s, product, both = (
                    w.packed[row, 0],
                    w.packed[row, 1],
                    w.packed[row, 2],
                    w.packed[row, 3],
                )
                q.packed[to, 0], q.packed[to, 1], q.packed[to, 2], q.packed[to, 3] = (
                    c,
                    s,
                    product,
                    both,
                )
            for m in range(padded(n - begin)):
                to = unsigned(begin + m)
                q.j[to] = j
                q.k[to] += low
            low += new
    held[unsigned(block)] = n
    return block + (n > 0)


@leaf(INT, TRIPLES_AT)
def pad(n, block):
    """Harmless triples after the n of a block, which add nothing where there is an envelope."""
    q = carray(block, 1)[0]
    for m in range(PAD):
        to = unsigned(n + m)
        q.packed[to, 0], q.packed[to, 1], q.packed[to, 2], q.packed[to, 3] = 0.0, 1.0, 1.0, 0.0
        q.j[to] = q.k[to] = 0


@part
def queue_triples(channels, start, n_species, polar, F, blocks, filled, bounds, work):
    """Queues the triples of one centre; blocks bounds[c] to bounds[c + 1] are channel c's.

    filled  how many triples each block holds
    """
    block = 0
    for ch in range(channels.shape[0]):
        channel = channels[ch]
        bounds[ch] = block
        e1, e2, rc = channel.first, channel.second, channel.rc
        lo, hi = (start[e1], start[e1 + 1]) if e1 >= 0 else (0, start[n_species])
        k0, k1 = (start[e2], start[e2 + 1]) if e2 >= 0 else (0, start[n_species])
        block += queue_channel(
            lo,
            hi,
            -1 if e1 == e2 else k0,
            k1,
            polar.ctypes,
            polar.shape[1],
            F[max(channel.envelope, 0)].ctypes,
            rc,
            rc * rc if channel.narrow else np.inf,
            blocks[block:].ctypes,
            filled[block:].ctypes,
            work.ctypes,
        )
    bounds[channels.shape[0]] = block
    for b in range(block):
        pad(filled[b], blocks[b:].ctypes)


@leaf(INT, TRIPLES_AT, WORK_AT)
def unpack(n, block, work):
    """Cosine, sides and cutoff functions of each triple in rows of their own."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    for m in range(padded(n)):
        c, s, product = q.packed[m, 0], q.packed[m, 1], q.packed[m, 2]
        w.bare[m] = q.packed[m, 3]
        w.cosine[m] = c
        w.product[m] = product
        w.squares[m] = 2.0 * (s + product * c)
        w.distance[m] = np.sqrt(s)


@leaf(INT, WORK_AT)
def no_third_factor(n, work):
    """A radial factor of one for r_jk."""
    w = carray(work, 1)[0]
    for m in range(padded(n)):
        w.factor[m] = 1.0
        w.factor_slope[m] = 0.0


@leaf(INT, WORK_AT)
def multiply_envelope(n, work):
    """Product of the three cutoff functions of each triple."""
    w = carray(work, 1)[0]
    for m in range(padded(n)):
        w.cutoffs[m] = w.bare[m] * w.cutoff[m]


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


@part
def fill_angles(plan, ch, n, slopes, work, A, dA):
    """Rows of `A`, `dA`: the channel's angular factors and their slopes in cos(theta)."""
    w = work[0]
    have_angle = False
    first, end = plan.channels[ch].angles
    for g in range(first, end):
        kind, a, b = plan.angles[g].kind, plan.angles[g].a, plan.angles[g].b
        f, df = A[g], dA[g]
        if kind == 0:
            power_values(a, b, n, slopes, w.cosine.ctypes, w.by_cosine.ctypes, f.ctypes, df.ctypes)
            continue
        if not have_angle:
            angle_values(n, w.cosine.ctypes, w.angle.ctypes, w.angle_slope.ctypes)
            have_angle = True
        compact_values(kind, a, b, n, w.angle.ctypes, f.ctypes, df.ctypes)
        if slopes:
            multiply_row(n, w.angle_slope.ctypes, df.ctypes)


@part
def cut_third_sides(plan, row, n, slopes, work):
    """Cutoff function of r_jk as radial factor `row` has it."""
    w, cut = work[0], plan.cutoffs[plan.radials[row].cutoff]
    cutoff_values(
        cut.kind,
        cut.inner,
        cut.rc,
        n,
        w.distance.ctypes,
        slopes,
        w.cutoff.ctypes,
        w.cutoff_slope.ctypes,
    )


@part
def prepare(plan, ch, n, block, slopes, work, A, dA):
    """What all radial factors of a channel need of a block; returns the envelope's row."""
    unpack(n, block.ctypes, work.ctypes)
    fill_angles(plan, ch, padded(n), slopes, work, A, dA)
    base = plan.channels[ch].envelope
    if base >= 0:
        cut_third_sides(plan, base, padded(n), slopes, work)
        multiply_envelope(n, work.ctypes)
    else:
        no_third_factor(n, work.ctypes)
    return base


@part
def third_factor(plan, ch, f, n, slopes, work):
    """Radial factor of r_jk, number f of the channel's factors."""
    w = work[0]
    row = plan.factors[f]
    radial = plan.radials[row]
    if radial.kind > 0:
        compact_values(
            radial.kind,
            radial.a,
            radial.b,
            n,
            w.distance.ctypes,
            w.factor.ctypes,
            w.factor_slope.ctypes,
        )
        return
    before = plan.factors[f - 1] if f > plan.channels[ch].factors[0] else -1
    if before < 0 or plan.radials[before].cutoff != radial.cutoff:
        cut_third_sides(plan, row, n, slopes, work)
    gaussian_values(
        radial.a,
        radial.b,
        n,
        w.distance.ctypes,
        w.cutoff.ctypes,
        w.cutoff_slope.ctypes,
        slopes,
        w.factor.ctypes,
        w.factor_slope.ctypes,
    )


@part
def add_values(plan, ch, n, block, F, slopes, work, A, dA, E, out):
    """Adds a block of triples to the angular functions of its channel.

    Rows of `work`, `A`, `dA` and, of Gaussians, `E` keep what the slopes need of the block.
    """
    base = prepare(plan, ch, n, block, slopes, work, A, dA)
    channel = plan.channels[ch]
    member, last = channel.members
    for f in range(channel.factors[0], channel.factors[1]):
        row = plan.factors[f]
        if base >= 0 and plan.powers[f] > 1:
            first = E[channel.factors[0]].ctypes
            radial_of_power(n, plan.powers[f], first, E[f].ctypes, work.ctypes)
        elif base >= 0:
            radial_of_envelope(n, plan.radials[row].a, E[f].ctypes, work.ctypes)
        else:
            if channel.narrow:
                third_factor(plan, ch, f, padded(n), slopes, work)
            radial_of_factors(n, block.ctypes, F[row].ctypes, F.shape[1], work.ctypes)
        while member < last and plan.members[member].factor == f:
            of = plan.members[member]
            out[of.column] += of.norm * dot(n, work[0].radial.ctypes, A[of.angle].ctypes)
            member += 1
