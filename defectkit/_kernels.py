"""Compiled loops behind the symmetry functions: flat arrays in, flat arrays out.

One centre at a time: its neighbours are sorted by element into contiguous rows, every distinct
radial factor F(r) is tabulated once per neighbour, and each triple (j, k) with r_jk inside the
cutoff is queued.  Full queues are evaluated in branch-free loops that the compiler vectorises.
All lengths are in one unit; a `Plan` (made by `_plan.py`) says which functions one element has.
"""

from collections import namedtuple

import numpy as np
from numba import njit, prange

from ._functions import (
    FAST,
    arccos,
    compact_values,
    cutoff_values,
    power_values,
    radial_values,
)

Plan = namedtuple("Plan", [
    "cut",        # (n_cut, 3) cutoff function: type, inner radius / rc, rc
    "rad",        # (n_rad, 4) radial factor: kind, a, b, weighted; kind 0 Gaussian (a=eta, b=r_s),
                  #            1-5 compact poly1-4, exp (a=left, b=right), +10 asymmetric
    "rad_cut",    # (n_rad,) row of `cut` that a Gaussian is multiplied by
    "need",       # (n_rad, n_species) whether the factor is wanted for neighbours of a species
    "pair",       # (n_pair, 3) radial function: row of `rad`, species or -1 for all, column
    "channel",    # (n_channel, 9): species 1, species 2 (-1 all), narrow, then the ranges
                  #                 [begin, end) in `ch_rad`, `ang`, `member`
    "ch_cut",     # (n_channel,) largest cutoff of the channel
    "ch_rad",     # (n,) rows of `rad` used by a channel
    "ang",        # (n, 3) angular factor: kind, a, b; kind 0 (1 + a cos)^b, else compact in theta
    "member",     # (n, 3) angular function: position in ch_rad, position in ang, column
    "norm",       # (n,) its prefactor
    "rc",         # (1,) largest cutoff of the element
])

BLOCK = 2048  # triples in a queue: its work arrays stay in the second-level cache
_jit = njit(cache=True, fastmath=FAST, error_model="numpy")


@_jit
def load_neighbours(i, first, neigh, shift, pos, cell, species, n_species, rc, polar, index,
                    start):
    """Neighbours of atom i nearer than rc, grouped by species; returns how many.

    polar  rows: unit vector (3), distance, its inverse
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
                polar[0, n], polar[1, n], polar[2, n] = x / r, y / r, z / r
                polar[3, n], polar[4, n] = r, 1.0 / r
                index[n] = j
                n += 1
    start[n_species] = n
    return n


@_jit
def tabulate(plan, r, start, n_species, weight, slopes, fc, dfc, F, dF):
    """Every radial factor of the plan for every neighbour, rows of `F` and `dF`."""
    for row in range(plan.rad.shape[0]):
        for s in range(n_species):
            if not plan.need[row, s]:
                continue
            lo, hi = start[s], start[s + 1]
            cut = plan.rad_cut[row]
            if cut >= 0 and (row == 0 or plan.rad_cut[row - 1] != cut
                             or not plan.need[row - 1, s]):
                cutoff_values(int(plan.cut[cut, 0]), plan.cut[cut, 1], plan.cut[cut, 2],
                              r[lo:hi], hi - lo, slopes, fc[lo:hi], dfc[lo:hi])
            radial_values(int(plan.rad[row, 0]), plan.rad[row, 1], plan.rad[row, 2], r[lo:hi],
                          hi - lo, fc[lo:hi], dfc[lo:hi], slopes, F[row, lo:hi], dF[row, lo:hi])
            if plan.rad[row, 3] > 0.0:
                for m in range(lo, hi):
                    F[row, m] *= weight[s]
                    dF[row, m] *= weight[s]


@_jit
def queue_row(j, k0, k1, polar, rc, narrow, n, qk, qs, qc):
    """Appends the triples of neighbour j with k0 <= k < k1; returns the new length.

    qk, qs, qc  neighbour k, r_jk squared and cos(theta_ijk) of each triple
    """
    x, y, z, r = polar[0, j], polar[1, j], polar[2, j], polar[3, j]
    limit = rc * rc if narrow else np.inf
    for k in range(k0, k1):
        rk = polar[3, k]
        c = x * polar[0, k] + y * polar[1, k] + z * polar[2, k]
        s = r * r + rk * (rk - 2.0 * r * c)
        qk[n], qs[n], qc[n] = k, s, c
        n += (s < limit) & (rk < rc)
    return n


@_jit
def queue_angles(plan, g0, g1, n, c, slopes, t, s, A, dA):
    """Rows of `A`, `dA`: the channel's angular factors and their slopes in cos(theta)."""
    have_theta = False
    for g in range(g0, g1):
        kind, a, b = int(plan.ang[g, 0]), plan.ang[g, 1], plan.ang[g, 2]
        f, df = A[g - g0], dA[g - g0]
        if kind == 0:
            power_values(a, b, c, n, slopes, t, s, f, df)
            have_theta = False
            continue
        if not have_theta:
            for m in range(n):
                t[m] = arccos(c[m])
                q = 1.0 - c[m] * c[m]
                s[m] = -1.0 / np.sqrt(q) if q > 1e-30 else 0.0
            have_theta = True
        compact_values(kind, a, b, t, n, f, df)
        for m in range(n):
            df[m] *= s[m]


@_jit
def queue_radial(plan, f, f0, n, rjk, fc, dfc, slopes, t, dt):
    """F(r_jk) of the queued triples and its slope."""
    row = plan.ch_rad[f]
    cut = plan.rad_cut[row]
    if cut >= 0 and (f == f0 or plan.rad_cut[plan.ch_rad[f - 1]] != cut):
        cutoff_values(int(plan.cut[cut, 0]), plan.cut[cut, 1], plan.cut[cut, 2], rjk, n, slopes,
                      fc, dfc)
    radial_values(int(plan.rad[row, 0]), plan.rad[row, 1], plan.rad[row, 2], rjk, n, fc, dfc,
                  slopes, t, dt)


@_jit
def add_values(plan, ch, rows, row_j, row_end, F, qk, qs, qc, W, A, dA, out):
    """Adds the queued triples to the angular functions of one channel."""
    rjk, fc, dfc, t, dt, P = W[0], W[1], W[2], W[3], W[4], W[5]
    narrow, f0, f1, g0, g1, member, m1 = plan.channel[ch, 2:9]
    n = row_end[rows - 1]
    queue_angles(plan, g0, g1, n, qc, False, t, dt, A, dA)
    for m in range(n):
        rjk[m] = np.sqrt(qs[m])
        t[m] = 1.0
    for f in range(f0, f1):
        if narrow:
            queue_radial(plan, f, f0, n, rjk, fc, dfc, False, t, dt)
        Fr = F[plan.ch_rad[f]]
        m0 = 0
        for row in range(rows):
            a = Fr[row_j[row]]
            for m in range(m0, row_end[row]):
                P[m] = a * Fr[qk[m]] * t[m]
            m0 = row_end[row]
        while member < m1 and plan.member[member, 0] == f:
            Ag = A[plan.member[member, 1] - g0]
            total = 0.0
            for m in range(n):
                total += P[m] * Ag[m]
            out[plan.member[member, 2]] += plan.norm[member] * total
            member += 1


@_jit
def add_slopes(plan, ch, rows, row_j, row_end, polar, F, dF, qk, qs, qc, W, A, dA, coef, D, V):
    """Adds to D (dE/dr_ij) and V (dE/dx_j by way of r_jk) what the queued triples give."""
    rjk, fc, dfc, t, dt, S, T = W[0], W[1], W[2], W[3], W[4], W[5], W[6]
    gj, gk, gjk, h = W[7], W[8], W[9], W[10]
    narrow, f0, f1, g0, g1, member, m1 = plan.channel[ch, 2:9]
    n = row_end[rows - 1]
    queue_angles(plan, g0, g1, n, qc, True, t, dt, A, dA)
    for m in range(n):
        rjk[m] = np.sqrt(qs[m])
        t[m] = 1.0
        dt[m] = gj[m] = gk[m] = gjk[m] = h[m] = 0.0
    for f in range(f0, f1):
        if narrow:
            queue_radial(plan, f, f0, n, rjk, fc, dfc, True, t, dt)
        for m in range(n):
            S[m] = T[m] = 0.0
        while member < m1 and plan.member[member, 0] == f:
            g = plan.member[member, 1] - g0
            w = plan.norm[member] * coef[plan.member[member, 2]]
            Ag, dAg = A[g], dA[g]
            for m in range(n):
                S[m] += w * Ag[m]
                T[m] += w * dAg[m]
            member += 1
        Fr, dFr = F[plan.ch_rad[f]], dF[plan.ch_rad[f]]
        m0 = 0
        for row in range(rows):
            a, da = Fr[row_j[row]], dFr[row_j[row]]
            for m in range(m0, row_end[row]):
                b, ts = Fr[qk[m]], t[m] * S[m]
                gj[m] += da * b * ts
                gk[m] += a * dFr[qk[m]] * ts
                gjk[m] += a * b * dt[m] * S[m]
                h[m] += a * b * t[m] * T[m]
            m0 = row_end[row]
    for m in range(n):
        gjk[m] /= rjk[m]
    scatter(rows, row_j, row_end, polar, qk, qc, gj, gk, gjk, h, D, V)


@_jit
def scatter(rows, row_j, row_end, polar, qk, qc, gj, gk, gjk, h, D, V):
    """Hands the slopes of the queued triples in r_ij, r_ik, r_jk and cos(theta) to j and k."""
    m0 = 0
    for row in range(rows):
        j = row_j[row]
        ux, uy, uz, rj, ij = polar[0, j], polar[1, j], polar[2, j], polar[3, j], polar[4, j]
        sj, vx, vy, vz = 0.0, 0.0, 0.0, 0.0
        for m in range(m0, row_end[row]):
            k, c = qk[m], qc[m]
            rk, ik = polar[3, k], polar[4, k]
            q = gjk[m] - h[m] * ij * ik
            sj += gj[m] + h[m] * (ik - c * ij)
            D[k] += gk[m] + h[m] * (ij - c * ik)
            dx = q * (rk * polar[0, k] - rj * ux)
            dy = q * (rk * polar[1, k] - rj * uy)
            dz = q * (rk * polar[2, k] - rj * uz)
            V[0, k] += dx
            V[1, k] += dy
            V[2, k] += dz
            vx, vy, vz = vx + dx, vy + dy, vz + dz
        D[j] += sj
        V[0, j] -= vx
        V[1, j] -= vy
        V[2, j] -= vz
        m0 = row_end[row]


@_jit
def triples(plan, start, n_species, polar, F, dF, Q, W, A, dA, slopes, out, coef, D, V):
    """Runs through the triples of one centre, channel by channel, a queue at a time."""
    row_j, row_end, qk, qs, qc = Q
    for ch in range(plan.channel.shape[0]):
        e1, e2, narrow = plan.channel[ch, 0], plan.channel[ch, 1], plan.channel[ch, 2] > 0
        lo1, hi1 = (start[e1], start[e1 + 1]) if e1 >= 0 else (0, start[n_species])
        lo2, hi2 = (start[e2], start[e2 + 1]) if e2 >= 0 else (0, start[n_species])
        rc = plan.ch_cut[ch]
        n = rows = 0
        for j in range(lo1, hi1):
            k0 = j + 1 if e1 == e2 else lo2
            last = j == hi1 - 1
            if polar[3, j] >= rc:
                k0 = hi2
            while k0 < hi2 or last:
                k1 = min(k0 + BLOCK // 2, hi2)
                full = n + k1 - k0 > BLOCK
                if not full:
                    before = n
                    n = queue_row(j, k0, k1, polar, rc, narrow, n, qk, qs, qc)
                    if n > before:
                        row_j[rows], row_end[rows] = j, n
                        rows += 1
                    k0 = k1
                    last = last and k0 < hi2
                if rows and (full or (j == hi1 - 1 and k0 >= hi2)):
                    if slopes:
                        add_slopes(plan, ch, rows, row_j, row_end, polar, F, dF, qk, qs, qc, W, A,
                                   dA, coef, D, V)
                    else:
                        add_values(plan, ch, rows, row_j, row_end, F, qk, qs, qc, W, A, dA, out)
                    n = rows = 0


@njit(cache=True, parallel=True, fastmath=FAST, error_model="numpy")
def evaluate(centres, first, neigh, shift, pos, cell, species, weight, plan, slopes, out, coef,
             force, virial):
    """Symmetry functions of the centres, or (slopes) the forces of E = sum(coef * G).

    out     (n_centres, n_columns) values, added to; NaN where atoms coincide
    coef    (n_centres, n_columns) dE/dG
    force   (n_chunks, n_atoms, 3) added to; the number of chunks, not of threads, fixes the bits
    virial  (n_chunks, 3, 3) sum of r_ij (x) f_j, added to
    """
    n_species = weight.shape[0]
    chunks = force.shape[0]
    rc = plan.rc[0]
    for chunk in prange(chunks):
        size = 1
        for i in centres:
            size = max(size, first[i + 1] - first[i])
        n_rad, n_ang = max(plan.rad.shape[0], 1), max(plan.ang.shape[0], 1)
        polar, index = np.empty((5, size)), np.empty(size, np.int64)
        start = np.empty(n_species + 1, np.int64)
        F, dF = np.empty((n_rad, size)), np.empty((n_rad, size))
        D, V = np.empty(size), np.empty((3, size))
        Q = (np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32), np.empty(BLOCK + 1, np.int32),
             np.empty(BLOCK + 1), np.empty(BLOCK + 1))
        W = np.empty((11, max(BLOCK, size)))
        A, dA = np.empty((n_ang, BLOCK)), np.empty((n_ang, BLOCK))
        n_centres = centres.shape[0]
        for m in range(n_centres * chunk // chunks, n_centres * (chunk + 1) // chunks):
            i = centres[m]
            n = load_neighbours(i, first, neigh, shift, pos, cell, species, n_species, rc, polar,
                                index, start)
            if n < 0:
                out[m] = np.nan
                continue
            tabulate(plan, polar[3], start, n_species, weight, slopes, W[1], W[2], F, dF)
            D[:n] = 0.0
            V[:, :n] = 0.0
            for p in range(plan.pair.shape[0]):
                row, s, column = plan.pair[p, 0], plan.pair[p, 1], plan.pair[p, 2]
                lo, hi = (start[s], start[s + 1]) if s >= 0 else (0, n)
                if slopes:
                    for k in range(lo, hi):
                        D[k] += coef[m, column] * dF[row, k]
                else:
                    total = 0.0
                    for k in range(lo, hi):
                        total += F[row, k]
                    out[m, column] += total
            triples(plan, start, n_species, polar, F, dF, Q, W, A, dA, slopes, out[m], coef[m],
                    D, V)
            if slopes:
                for k in range(n):
                    j = index[k]
                    for a in range(3):
                        f = -D[k] * polar[a, k] - V[a, k]
                        force[chunk, j, a] += f
                        force[chunk, i, a] -= f
                        for b in range(3):
                            virial[chunk, b, a] += polar[3, k] * polar[b, k] * f
