"""Triples of one centre: a queue of them, and what it adds to values or slopes.

Every function works on the first `n` entries of flat arrays in branch-free loops that the
compiler vectorises.  A channel whose radial factors are all unshifted Gaussians under one cutoff
function needs one product of cutoffs and one sum of squared sides per triple ("envelope"); other
channels multiply tabulated factors F(r_ij) F(r_ik) F(r_jk).
"""

import numpy as np
from numba import njit

from .cutoffs import (
    FAST,
    arccos,
    compact_values,
    cutoff_values,
    exponential,
    power_values,
    radial_values,
)

_jit = njit(cache=True, fastmath=FAST, error_model="numpy")


@_jit
def queue_row(j, k0, k1, polar, rc, narrow, n, qj, qk, qs, qc):
    """Appends the triples of neighbour j with k0 <= k < k1; returns the new length.

    qj, qk, qs, qc  neighbours, r_jk squared and cos(theta_ijk) of each triple
    """
    x, y, z, r = polar[0, j], polar[1, j], polar[2, j], polar[3, j]
    limit = rc * rc if narrow else np.inf
    first = n
    for k in range(k0, k1):
        rk = polar[3, k]
        c = x * polar[0, k] + y * polar[1, k] + z * polar[2, k]
        s = r * r + rk * (rk - 2.0 * r * c)
        qk[n], qs[n], qc[n] = k, s, c
        n += (s < limit) & (rk < rc)
    for m in range(first, n):
        qj[m] = j
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
def envelope(plan, ch, n, polar, F, qj, qk, qs, slopes, rjk, fc, dfc, R, P):
    """R, P: sum of the squared sides and product of the three cutoffs of each triple."""
    base = plan.channel[ch, 9]
    cut, fr = plan.rad_cut[base], F[base]
    for m in range(n):
        rjk[m] = np.sqrt(qs[m])
    cutoff_values(int(plan.cut[cut, 0]), plan.cut[cut, 1], plan.cut[cut, 2], rjk, n, slopes, fc,
                  dfc)
    for m in range(n):
        j, k = qj[m], qk[m]
        R[m] = polar[3, j] * polar[3, j] + qs[m] + polar[3, k] * polar[3, k]
        P[m] = fr[j] * fr[k] * fc[m]


@_jit
def sum_members(plan, f, member, m1, g0, n, radial, A, out):
    """Adds the angular functions that go with radial factor f, whose products are `radial`.

    Returns the first member of the next factor.
    """
    while member < m1 and plan.member[member, 0] == f:
        Ag = A[plan.member[member, 1] - g0]
        total = 0.0
        for m in range(n):
            total += radial[m] * Ag[m]
        out[plan.member[member, 2]] += plan.norm[member] * total
        member += 1
    return member


@_jit
def add_gaussians(plan, ch, n, polar, F, qj, qk, qs, qc, W, A, dA, out):
    """`add_values` for a channel with an envelope."""
    R, P, t = W[3], W[4], W[5]
    f0, f1, g0, g1, member, m1 = plan.channel[ch, 3:9]
    queue_angles(plan, g0, g1, n, qc, False, W[0], W[1], A, dA)
    envelope(plan, ch, n, polar, F, qj, qk, qs, False, W[0], W[1], W[2], R, P)
    for f in range(f0, f1):
        eta = plan.rad[plan.ch_rad[f], 1]
        for m in range(n):
            t[m] = P[m] * exponential(-eta * R[m])
        member = sum_members(plan, f, member, m1, g0, n, t, A, out)


@_jit
def add_values(plan, ch, n, polar, F, qj, qk, qs, qc, W, A, dA, out):
    """Adds the queued triples to the angular functions of one channel."""
    if plan.channel[ch, 9] >= 0:
        add_gaussians(plan, ch, n, polar, F, qj, qk, qs, qc, W, A, dA, out)
        return
    rjk, fc, dfc, t, dt, P = W[0], W[1], W[2], W[3], W[4], W[5]
    narrow, f0, f1, g0, g1, member, m1 = plan.channel[ch, 2:9]
    queue_angles(plan, g0, g1, n, qc, False, t, dt, A, dA)
    for m in range(n):
        rjk[m] = np.sqrt(qs[m])
        t[m] = 1.0
    for f in range(f0, f1):
        if narrow:
            queue_radial(plan, f, f0, n, rjk, fc, dfc, False, t, dt)
        Fr = F[plan.ch_rad[f]]
        for m in range(n):
            P[m] = Fr[qj[m]] * Fr[qk[m]] * t[m]
        member = sum_members(plan, f, member, m1, g0, n, P, A, out)


@_jit
def weighted_angles(plan, f, member, m1, g0, n, coef, A, dA, S, T):
    """S, T: sum of the angular factors, and of their slopes, that go with radial factor f.

    Returns the first member of the next factor.
    """
    first = True
    while member < m1 and plan.member[member, 0] == f:
        g = plan.member[member, 1] - g0
        w = plan.norm[member] * coef[plan.member[member, 2]]
        Ag, dAg = A[g], dA[g]
        if first:
            for m in range(n):
                S[m] = w * Ag[m]
                T[m] = w * dAg[m]
        else:
            for m in range(n):
                S[m] += w * Ag[m]
                T[m] += w * dAg[m]
        first = False
        member += 1
    return member


@_jit
def gaussian_slopes(plan, ch, n, polar, F, dF, qj, qk, qs, qc, W, A, dA, coef):
    """`factor_slopes` for a channel with an envelope."""
    rjk, fc, dfc, S, T = W[0], W[1], W[2], W[3], W[4]
    R, P, U, E, H, gj, gk, q = W[5], W[6], W[7], W[8], W[9], W[10], W[11], W[12]
    f0, f1, g0, g1, member, m1 = plan.channel[ch, 3:9]
    queue_angles(plan, g0, g1, n, qc, True, S, T, A, dA)
    envelope(plan, ch, n, polar, F, qj, qk, qs, True, rjk, fc, dfc, R, P)
    for f in range(f0, f1):
        eta = plan.rad[plan.ch_rad[f], 1]
        member = weighted_angles(plan, f, member, m1, g0, n, coef, A, dA, S, T)
        for m in range(n):
            e = exponential(-eta * R[m])
            u = e * S[m]
            if f == f0:
                U[m], E[m], H[m] = u, eta * u, e * T[m]
            else:
                U[m] += u
                E[m] += eta * u
                H[m] += e * T[m]
    fr, dfr = F[plan.channel[ch, 9]], dF[plan.channel[ch, 9]]
    for m in range(n):
        j, k, c = qj[m], qk[m], qc[m]
        ij, ik, fj, fk = polar[4, j], polar[4, k], fr[j], fr[k]
        e, h, u = 2.0 * P[m] * E[m], P[m] * H[m], U[m] * fc[m]
        gj[m] = dfr[j] * fk * u - polar[3, j] * e + h * (ik - c * ij)
        gk[m] = fj * dfr[k] * u - polar[3, k] * e + h * (ij - c * ik)
        q[m] = fj * fk * dfc[m] * U[m] / rjk[m] - e - h * ij * ik


@_jit
def factor_slopes(plan, ch, n, polar, F, dF, qj, qk, qs, qc, W, A, dA, coef):
    """Slopes of the queued triples: W[10:13] get those in r_ij, r_ik and (over r_jk) r_jk."""
    rjk, fc, dfc, t, dt, S, T = W[0], W[1], W[2], W[3], W[4], W[5], W[6]
    h, gj, gk, q = W[7], W[10], W[11], W[12]
    narrow, f0, f1, g0, g1, member, m1 = plan.channel[ch, 2:9]
    queue_angles(plan, g0, g1, n, qc, True, t, dt, A, dA)
    for m in range(n):
        rjk[m] = np.sqrt(qs[m])
        t[m] = 1.0
        dt[m] = gj[m] = gk[m] = q[m] = h[m] = 0.0
    for f in range(f0, f1):
        if narrow:
            queue_radial(plan, f, f0, n, rjk, fc, dfc, True, t, dt)
        member = weighted_angles(plan, f, member, m1, g0, n, coef, A, dA, S, T)
        Fr, dFr = F[plan.ch_rad[f]], dF[plan.ch_rad[f]]
        for m in range(n):
            j, k = qj[m], qk[m]
            a, b, ts = Fr[j], Fr[k], t[m] * S[m]
            gj[m] += dFr[j] * b * ts
            gk[m] += a * dFr[k] * ts
            q[m] += a * b * dt[m] * S[m]
            h[m] += a * b * t[m] * T[m]
    for m in range(n):
        c, ij, ik = qc[m], polar[4, qj[m]], polar[4, qk[m]]
        gj[m] += h[m] * (ik - c * ij)
        gk[m] += h[m] * (ij - c * ik)
        q[m] = q[m] / rjk[m] - h[m] * ij * ik


@_jit
def add_slopes(plan, ch, n, polar, F, dF, qj, qk, qs, qc, W, A, dA, coef, dense, D, V):
    """Adds to D (dE/dr_ij) and V (dE/dx_j by way of r_jk) what the queued triples give.

    dense  work array of zeros, one entry per neighbour
    """
    if plan.channel[ch, 9] >= 0:
        gaussian_slopes(plan, ch, n, polar, F, dF, qj, qk, qs, qc, W, A, dA, coef)
    else:
        factor_slopes(plan, ch, n, polar, F, dF, qj, qk, qs, qc, W, A, dA, coef)
    gj, gk, q = W[10], W[11], W[12]
    m0 = 0
    while m0 < n:
        j, m1 = qj[m0], m0
        sj = vx = vy = vz = 0.0
        while m1 < n and qj[m1] == j:
            D[qk[m1]] += gk[m1]
            dense[qk[m1]] = q[m1]
            sj += gj[m1]
            m1 += 1
        x, y, z = polar[5, j], polar[6, j], polar[7, j]
        for k in range(qk[m0], qk[m1 - 1] + 1):
            w = dense[k]
            dx, dy, dz = w * (polar[5, k] - x), w * (polar[6, k] - y), w * (polar[7, k] - z)
            V[0, k] += dx
            V[1, k] += dy
            V[2, k] += dz
            vx, vy, vz = vx + dx, vy + dy, vz + dz
            dense[k] = 0.0
        D[j] += sj
        V[0, j] -= vx
        V[1, j] -= vy
        V[2, j] -= vz
        m0 = m1
