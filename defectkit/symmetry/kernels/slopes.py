"""Slopes of one centre's energy in the positions of its neighbours, from the queued triples.

The energy's slopes in the functions (`coef`) are summed into the angular factors first, so that
no slope of a symmetry function is ever stored.
"""

from numba import carray

from ..._compiled import FLOAT, FLOATS, INT, leaf, part
from .angular import prepare, third_factor
from .cutoffs import exponential
from .records import TRIPLES_AT, WORK_AT


@leaf(INT, FLOAT, FLOATS, FLOATS, INT, WORK_AT)
def add_angular(n, weight, value, slope, first, work):
    """Adds (or, the first, sets) weighted angular factors and slopes: the sums of one factor."""
    f, df, w = carray(value, n), carray(slope, n), carray(work, 1)[0]
    if first:
        for m in range(n):
            w.angular[m] = weight * f[m]
            w.angular_slope[m] = weight * df[m]
    else:
        for m in range(n):
            w.angular[m] += weight * f[m]
            w.angular_slope[m] += weight * df[m]


@leaf(INT, WORK_AT)
def clear_slopes(n, work):
    """Nothing added yet."""
    w = carray(work, 1)[0]
    for m in range(n):
        w.by_radius[m] = w.by_square[m] = w.by_cosine[m] = 0.0
        w.along_ij[m] = w.along_ik[m] = w.along_jk[m] = 0.0


@leaf(INT, FLOAT, TRIPLES_AT, WORK_AT)
def add_envelope(n, eta, block, work):
    """What one Gaussian of a channel with an envelope gives."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    for m in range(n):
        e = exponential(-eta * q.squares[m])
        u = e * w.angular[m]
        w.by_radius[m] += u
        w.by_square[m] += eta * u
        w.by_cosine[m] += e * w.angular_slope[m]


@leaf(INT, TRIPLES_AT, FLOATS, INT, FLOATS, FLOATS, WORK_AT)
def finish_envelope(n, block, polar, size, bare, bare_slope, work):
    """Slopes in the three sides of a channel with an envelope."""
    q, w, p = carray(block, 1)[0], carray(work, 1)[0], carray(polar, (8, size))
    f, df = carray(bare, size), carray(bare_slope, size)
    for m in range(n):
        j, k, c = q.j[m], q.k[m], q.cosine[m]
        ij, ik, fj, fk = p[4, j], p[4, k], f[j], f[k]
        e, h = 2.0 * w.cutoffs[m] * w.by_square[m], w.cutoffs[m] * w.by_cosine[m]
        u = w.by_radius[m] * w.cutoff[m]
        w.along_ij[m] = df[j] * fk * u - p[3, j] * e + h * (ik - c * ij)
        w.along_ik[m] = fj * df[k] * u - p[3, k] * e + h * (ij - c * ik)
        w.along_jk[m] = (
            fj * fk * w.cutoff_slope[m] * w.by_radius[m] / w.distance[m] - e - h * ij * ik
        )


@leaf(INT, TRIPLES_AT, FLOATS, FLOATS, INT, WORK_AT)
def add_factors(n, block, factor, factor_slope, size, work):
    """What one radial factor of any other channel gives."""
    q, w = carray(block, 1)[0], carray(work, 1)[0]
    f, df = carray(factor, size), carray(factor_slope, size)
    for m in range(n):
        j, k = q.j[m], q.k[m]
        a, b, u = f[j], f[k], w.factor[m] * w.angular[m]
        w.along_ij[m] += df[j] * b * u
        w.along_ik[m] += a * df[k] * u
        w.along_jk[m] += a * b * w.factor_slope[m] * w.angular[m]
        w.by_cosine[m] += a * b * w.factor[m] * w.angular_slope[m]


@leaf(INT, TRIPLES_AT, FLOATS, INT, WORK_AT)
def finish_factors(n, block, polar, size, work):
    """Slopes in the three sides of any other channel."""
    q, w, p = carray(block, 1)[0], carray(work, 1)[0], carray(polar, (8, size))
    for m in range(n):
        c, h, ij, ik = q.cosine[m], w.by_cosine[m], p[4, q.j[m]], p[4, q.k[m]]
        w.along_ij[m] += h * (ik - c * ij)
        w.along_ik[m] += h * (ij - c * ik)
        w.along_jk[m] = w.along_jk[m] / w.distance[m] - h * ij * ik


@leaf(INT, TRIPLES_AT, FLOATS, INT, FLOATS, FLOATS, FLOATS, WORK_AT)
def scatter(n, block, polar, size, dense, radial, sideways, work):
    """Adds the slopes of a block to those of the neighbours.

    dense     zeros, one per neighbour
    radial    slope in r_ij, one per neighbour
    sideways  (3, size) slope in the position of j by way of r_jk
    """
    q, w, p = carray(block, 1)[0], carray(work, 1)[0], carray(polar, (8, size))
    row, D, V = carray(dense, size), carray(radial, size), carray(sideways, (3, size))
    m0 = 0
    while m0 < n:
        j, m1 = q.j[m0], m0
        sj = vx = vy = vz = 0.0
        while m1 < n and q.j[m1] == j:
            k = q.k[m1]
            D[k] += w.along_ik[m1]
            row[k] = w.along_jk[m1]
            sj += w.along_ij[m1]
            m1 += 1
        x, y, z = p[5, j], p[6, j], p[7, j]
        for k in range(q.k[m0], q.k[m1 - 1] + 1):
            u = row[k]
            dx, dy, dz = u * (p[5, k] - x), u * (p[6, k] - y), u * (p[7, k] - z)
            V[0, k] += dx
            V[1, k] += dy
            V[2, k] += dz
            vx, vy, vz = vx + dx, vy + dy, vz + dz
            row[k] = 0.0
        D[j] += sj
        V[0, j] -= vx
        V[1, j] -= vy
        V[2, j] -= vz
        m0 = m1


@part
def add_slopes(plan, ch, n, block, polar, F, dF, work, A, dA, coef, dense, D, V):
    """Adds to D (dE/dr_ij) and V (dE/dx_j by way of r_jk) what a block of triples gives."""
    base = prepare(plan, ch, n, block, True, work, A, dA)
    clear_slopes(n, work.ctypes)
    channel, size = plan.channels[ch], polar.shape[1]
    member, last = channel.members
    for f in range(channel.factors[0], channel.factors[1]):
        if base < 0 and channel.narrow:
            third_factor(plan, ch, f, n, True, work)
        first = True
        while member < last and plan.members[member].factor == f:
            of = plan.members[member]
            g = of.angle - channel.angles[0]
            add_angular(
                n, of.norm * coef[of.column], A[g].ctypes, dA[g].ctypes, first, work.ctypes
            )
            first = False
            member += 1
        row = plan.factors[f]
        if base >= 0:
            add_envelope(n, plan.radials[row].a, block.ctypes, work.ctypes)
        else:
            add_factors(n, block.ctypes, F[row].ctypes, dF[row].ctypes, size, work.ctypes)
    if base >= 0:
        finish_envelope(
            n, block.ctypes, polar.ctypes, size, F[base].ctypes, dF[base].ctypes, work.ctypes
        )
    else:
        finish_factors(n, block.ctypes, polar.ctypes, size, work.ctypes)
    scatter(n, block.ctypes, polar.ctypes, size, dense.ctypes, D.ctypes, V.ctypes, work.ctypes)
