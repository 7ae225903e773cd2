"""Compiled loops behind the symmetry functions: flat arrays in, flat arrays out.

One centre at a time: its neighbours are sorted by element into contiguous rows, every distinct
radial factor F(r) is tabulated once per neighbour, and each triple (j, k) with r_jk inside the
cutoff is queued.  Full queues are evaluated in branch-free loops that the compiler vectorises.
All lengths are in one unit; a `Plan` (made by `symmetry.py`) says which functions one element has.
"""

from collections import namedtuple

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

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

BLOCK = 384
FAST = {"reassoc", "contract", "arcp", "nsz"}
_jit = njit(cache=True, fastmath=FAST, error_model="numpy")
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits
_TANH_NORM = 1.0 / np.tanh(1.0) ** 3


@intrinsic
def _bits(typingctx, x):
    """The 64 bits of a double as an integer."""
    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))
    return types.int64(types.float64), code


@intrinsic
def _from_bits(typingctx, x):
    """The double that 64 bits stand for."""
    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())
    return types.float64(types.int64), code


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _exp(x):
    """exp(x) for x <= 0 to 1 ulp; arguments below -708 count as -708."""
    x = x if x > -708.0 else -708.0
    shifted = x * 1.4426950408889634 + _ROUND
    k = shifted - _ROUND
    x = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
    p = 2.763263963904103e-07 + x * 2.5110037605963777e-08
    p = 2.4801485482328494e-05 + x * (2.755724091857897e-06 + x * p)
    p = 0.0013888888952314775 + x * (0.00019841269890047113 + x * p)
    p = 0.0416666666664881 + x * (0.008333333333319601 + x * p)
    p = 0.5000000000000019 + x * (0.1666666666666668 + x * p)
    return (1.0 + x * (1.0 + x * p)) * _from_bits((_bits(shifted) + 1023) << 52)


@_jit
def _tanh(x):
    """tanh(x) for 0 <= x <= 1."""
    t = x * x
    p = 9.125953596264835e-06 + t * (-1.8226646212654275e-06 + t * 1.828625739978947e-07)
    p = 9.079348448432776e-05 + t * (-3.1803378030411946e-05 + t * p)
    p = 0.0005883602826886761 + t * (-0.00023540928172731117 + t * p)
    p = 0.0035920010315266884 + t * (-0.0014552898065417585 + t * p)
    p = 0.021869486371314823 + t * (-0.008863215065207559 + t * p)
    p = 0.13333333332866987 + t * (-0.053968253829690074 + t * p)
    return x * (0.9999999999999999 + t * (-0.33333333333327114 + t * p))


@_jit
def _sin_pi(u):
    """sin(pi u) for |u| <= 1/2."""
    t = u * u
    p = 0.0004662998161898394 + t * (-2.1903497074626018e-05 + t * 7.697826768224191e-07)
    p = 0.0821458865731029 + t * (-0.007370430505916944 + t * p)
    p = 2.5501640398773007 + t * (-0.5992645293189447 + t * p)
    return u * (3.141592653589793 + t * (-5.167712780049969 + t * p))


@_jit
def _acos(c):
    """acos(c) for |c| <= 1."""
    a = abs(c)
    wide = a > 0.5
    t = 0.5 * (1.0 - a) if wide else a * a
    t = t if t > 0.0 else 0.0
    p = -0.02093065831518245 + t * 0.03257934796692842
    p = 0.0037180577483250537 + t * (0.02166805886905636 + t * p)
    p = 0.011398850408440755 + t * (0.010778675120995992 + t * p)
    p = 0.017351600625343435 + t * (0.01398088299217101 + t * p)
    p = 0.030381942642327187 + t * (0.022372216106072148 + t * p)
    p = 0.07499999999966611 + t * (0.04464285717686322 + t * p)
    root = np.sqrt(t)
    asin = root + root * t * (0.16666666666666796 + t * p)
    acute = 2.0 * asin if wide else 1.5707963267948966 - asin
    return acute if c >= 0.0 else 3.141592653589793 - acute


@_jit
def _core(kind, x):
    """Value and slope at 0 <= x <= 1 of the step 1 -> 0: 1-4 polynomials, 5 exponential."""
    if kind == 1:
        return (2.0 * x - 3.0) * x * x + 1.0, 6.0 * x * (x - 1.0)
    if kind == 2:
        q = x * x
        return ((15.0 - 6.0 * x) * x - 10.0) * q * x + 1.0, q * ((60.0 - 30.0 * x) * x - 30.0)
    if kind == 3:
        q = x * x * x
        return ((((20.0 * x - 70.0) * x + 84.0) * x - 35.0) * q * x + 1.0,
                q * (((140.0 * x - 420.0) * x + 420.0) * x - 140.0))
    if kind == 4:
        q = x * x * x * x
        return (((((315.0 - 70.0 * x) * x - 540.0) * x + 420.0) * x - 126.0) * q * x + 1.0,
                q * ((((2520.0 - 630.0 * x) * x - 3780.0) * x + 2520.0) * x - 630.0))
    d = 1.0 - x * x
    if d <= 0.0:
        return 0.0, 0.0
    f = _exp(1.0 - 1.0 / d)
    return f, -2.0 * x * f / (d * d)


@_jit
def cutoff_values(kind, alpha, rc, r, n, f, df):
    """n2p2's cutoff functions 0-8 and their slopes at the first `n` distances, zero from rc on."""
    inner = alpha * rc
    scale = 1.0 / (rc - inner)
    if kind == 0:
        for m in range(n):
            f[m] = 1.0 if r[m] < rc else 0.0
            df[m] = 0.0
    elif kind == 1:
        for m in range(n):
            x = (r[m] - inner) * scale
            x = x if x > 0.0 else 0.0
            x = x if x < 1.0 else 1.0
            f[m] = 0.5 - 0.5 * _sin_pi(x - 0.5)
            q = 1.0 - x if x > 0.5 else x
            df[m] = -1.5707963267948966 * scale * _sin_pi(q)
    elif kind == 2 or kind == 3:
        norm = _TANH_NORM if kind == 3 else 1.0
        scale = 1.0 / rc
        for m in range(n):
            x = 1.0 - r[m] * scale
            t = _tanh(x if x > 0.0 else 0.0)
            q = norm * t * t
            f[m] = q * t
            df[m] = 3.0 * q * (t * t - 1.0) * scale
    else:
        core = 5 if kind == 4 else kind - 4
        for m in range(n):
            x = (r[m] - inner) * scale
            x = x if x > 0.0 else 0.0
            value, slope = _core(core, x if x < 1.0 else 1.0)
            f[m] = value
            df[m] = slope * scale


@_jit
def _compact(kind, left, right, r, n, f, df):
    """Compact functions of n2p2 and their slopes, zero outside (left, right)."""
    centre = 0.5 * (left + right)
    scale = 2.0 / (right - left)
    asymmetric = kind > 10
    core = kind - 10 if asymmetric else kind
    for m in range(n):
        u = (r[m] - centre) * scale
        sign = scale if u >= 0.0 else -scale
        x = abs(u)
        x = x if x < 1.0 else 1.0
        y = (2.0 - x) * x if asymmetric else x
        value, slope = _core(core, y)
        f[m] = value
        df[m] = slope * sign * (2.0 - 2.0 * x if asymmetric else 1.0)


@_jit
def radial_values(plan, row, r, n, fc, dfc, f, df):
    """Radial factor F(r) and its slope; `fc`, `dfc` hold the Gaussian's cutoff function."""
    kind, a, b = int(plan.rad[row, 0]), plan.rad[row, 1], plan.rad[row, 2]
    if kind > 0:
        _compact(kind, a, b, r, n, f, df)
        return
    for m in range(n):
        d = r[m] - b
        e = _exp(-a * d * d)
        f[m] = fc[m] * e
        df[m] = (dfc[m] - 2.0 * a * d * fc[m]) * e


@_jit
def _angular_values(kind, a, b, c, n, theta, dtheta, f, df):
    """Angular factor and its slope with respect to cos(theta)."""
    if kind > 0:
        for m in range(n):
            theta[m] = _acos(c[m])
        _compact(kind, a, b, theta, n, f, df)
        for m in range(n):
            s = 1.0 - c[m] * c[m]
            df[m] = -df[m] / np.sqrt(s) if s > 1e-30 else 0.0
        return
    power = b - 1.0
    left = int(power)
    for m in range(n):
        t = 1.0 + a * c[m]
        theta[m] = t if t > 0.0 else 0.0
        df[m] = 1.0 if t > 0.0 else 0.0
    if power == left and left >= 0:
        for m in range(n):
            dtheta[m] = theta[m]
        while left > 0:
            if left & 1:
                for m in range(n):
                    df[m] *= dtheta[m]
            left >>= 1
            if left:
                for m in range(n):
                    dtheta[m] *= dtheta[m]
    else:
        for m in range(n):
            df[m] = theta[m] ** power if theta[m] > 0.0 else 0.0
    for m in range(n):
        f[m] = df[m] * theta[m]
        df[m] *= a * b


@_jit
def load_neighbours(i, first, neigh, shift, pos, cell, species, n_species, rc, xyzr, index, start):
    """Neighbours of atom i nearer than rc, grouped by species; returns how many."""
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
                xyzr[0, n], xyzr[1, n], xyzr[2, n], xyzr[3, n] = x, y, z, np.sqrt(r2)
                index[n] = j
                n += 1
    start[n_species] = n
    return n


@_jit
def tabulate(plan, r, start, n_species, weight, fc, dfc, F, dF):
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
                              r[lo:hi], hi - lo, fc[lo:hi], dfc[lo:hi])
            radial_values(plan, row, r[lo:hi], hi - lo, fc[lo:hi], dfc[lo:hi],
                          F[row, lo:hi], dF[row, lo:hi])
            if plan.rad[row, 3] > 0.0:
                for m in range(lo, hi):
                    F[row, m] *= weight[s]
                    dF[row, m] *= weight[s]


@_jit
def queue_row(j, k0, k1, xyzr, rc, narrow, n, qj, qk, qs):
    """Appends to the queue the triples of neighbour j with k0 <= k < k1; returns its length."""
    x, y, z = xyzr[0, j], xyzr[1, j], xyzr[2, j]
    limit = rc * rc if narrow else np.inf
    for k in range(k0, k1):
        dx, dy, dz = xyzr[0, k] - x, xyzr[1, k] - y, xyzr[2, k] - z
        s = dx * dx + dy * dy + dz * dz
        qj[n], qk[n], qs[n] = j, k, s
        n += (s < limit) & (xyzr[3, k] < rc)
    return n


@_jit
def queue_geometry(n, xyzr, qj, qk, qs, c, rjk):
    """cos(theta_ijk) by the law of cosines, and r_jk, of the queued triples."""
    for m in range(n):
        rj, rk = xyzr[3, qj[m]], xyzr[3, qk[m]]
        x = (rj * rj + rk * rk - qs[m]) / (2.0 * rj * rk)
        x = x if x < 1.0 else 1.0
        c[m] = x if x > -1.0 else -1.0
        rjk[m] = np.sqrt(qs[m])


@_jit
def queue_angles(plan, g0, g1, n, c, t1, t2, A, dA):
    """Rows of `A`, `dA`: the channel's angular factors and their slopes in cos(theta)."""
    for g in range(g0, g1):
        _angular_values(int(plan.ang[g, 0]), plan.ang[g, 1], plan.ang[g, 2], c, n, t1, t2,
                        A[g - g0], dA[g - g0])


@_jit
def queue_radial(plan, f, f0, narrow, n, rjk, fc, dfc, t, dt):
    """Factor of r_jk for the triples: F(r_jk) of a narrow function, 1 of a wide one."""
    row = plan.ch_rad[f]
    if not narrow:
        for m in range(n):
            t[m] = 1.0
            dt[m] = 0.0
        return
    cut = plan.rad_cut[row]
    if cut >= 0 and (f == f0 or plan.rad_cut[plan.ch_rad[f - 1]] != cut):
        cutoff_values(int(plan.cut[cut, 0]), plan.cut[cut, 1], plan.cut[cut, 2], rjk, n, fc, dfc)
    radial_values(plan, row, rjk, n, fc, dfc, t, dt)


@_jit
def add_values(plan, ch, n, xyzr, F, qj, qk, qs, W, A, dA, out):
    """Adds the queued triples to the angular functions of one channel."""
    c, rjk, fc, dfc, t, dt, P = W[0], W[1], W[2], W[3], W[4], W[5], W[6]
    narrow, f0, f1, g0, g1 = plan.channel[ch, 2:7]
    m0, m1 = plan.channel[ch, 7:9]
    queue_geometry(n, xyzr, qj, qk, qs, c, rjk)
    queue_angles(plan, g0, g1, n, c, t, dt, A, dA)
    member = m0
    for f in range(f0, f1):
        row = plan.ch_rad[f]
        queue_radial(plan, f, f0, narrow, n, rjk, fc, dfc, t, dt)
        Fr = F[row]
        for m in range(n):
            P[m] = Fr[qj[m]] * Fr[qk[m]] * t[m]
        while member < m1 and plan.member[member, 0] == f:
            Ag = A[plan.member[member, 1] - g0]
            total = 0.0
            for m in range(n):
                total += P[m] * Ag[m]
            out[plan.member[member, 2]] += plan.norm[member] * total
            member += 1


@_jit
def add_slopes(plan, ch, n, xyzr, F, dF, qj, qk, qs, W, A, dA, coef, D, V):
    """Adds to D (dE/dr_ij) and V (dE/dx_j across r_jk) what the queued triples give."""
    c, rjk, fc, dfc, t, dt, S, T = W[0], W[1], W[2], W[3], W[4], W[5], W[7], W[8]
    gj, gk, gjk, h = W[9], W[10], W[11], W[12]
    narrow, f0, f1, g0, g1 = plan.channel[ch, 2:7]
    m0, m1 = plan.channel[ch, 7:9]
    queue_geometry(n, xyzr, qj, qk, qs, c, rjk)
    queue_angles(plan, g0, g1, n, c, t, dt, A, dA)
    for m in range(n):
        gj[m] = gk[m] = gjk[m] = h[m] = 0.0
    member = m0
    for f in range(f0, f1):
        row = plan.ch_rad[f]
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
        queue_radial(plan, f, f0, narrow, n, rjk, fc, dfc, t, dt)
        Fr, dFr = F[row], dF[row]
        for m in range(n):
            a, b = Fr[qj[m]], Fr[qk[m]]
            gj[m] += dFr[qj[m]] * b * t[m] * S[m]
            gk[m] += a * dFr[qk[m]] * t[m] * S[m]
            gjk[m] += a * b * dt[m] * S[m]
            h[m] += a * b * t[m] * T[m]
    for m in range(n):
        rj, rk = 1.0 / xyzr[3, qj[m]], 1.0 / xyzr[3, qk[m]]
        gj[m] += h[m] * (rk - c[m] * rj)
        gk[m] += h[m] * (rj - c[m] * rk)
        gjk[m] = gjk[m] / rjk[m] - h[m] * rj * rk
    for m in range(n):
        j, k, q = qj[m], qk[m], gjk[m]
        D[j] += gj[m]
        D[k] += gk[m]
        for a in range(3):
            d = q * (xyzr[a, k] - xyzr[a, j])
            V[a, k] += d
            V[a, j] -= d


@_jit
def triples(plan, start, n_species, xyzr, F, dF, qj, qk, qs, W, A, dA, slopes, out, coef, D, V):
    """Runs through the triples of one centre, channel by channel, a queue at a time."""
    for ch in range(plan.channel.shape[0]):
        e1, e2, narrow = plan.channel[ch, 0], plan.channel[ch, 1], plan.channel[ch, 2] > 0
        lo1, hi1 = (start[e1], start[e1 + 1]) if e1 >= 0 else (0, start[n_species])
        lo2, hi2 = (start[e2], start[e2 + 1]) if e2 >= 0 else (0, start[n_species])
        rc = plan.ch_cut[ch]
        n = 0
        for j in range(lo1, hi1):
            if xyzr[3, j] >= rc:
                continue
            k0 = j + 1 if e1 == e2 else lo2
            while k0 < hi2:
                k1 = min(k0 + BLOCK // 2, hi2)
                if n + k1 - k0 > BLOCK:
                    if slopes:
                        add_slopes(plan, ch, n, xyzr, F, dF, qj, qk, qs, W, A, dA, coef, D, V)
                    else:
                        add_values(plan, ch, n, xyzr, F, qj, qk, qs, W, A, dA, out)
                    n = 0
                n = queue_row(j, k0, k1, xyzr, rc, narrow, n, qj, qk, qs)
                k0 = k1
        if n > 0:
            if slopes:
                add_slopes(plan, ch, n, xyzr, F, dF, qj, qk, qs, W, A, dA, coef, D, V)
            else:
                add_values(plan, ch, n, xyzr, F, qj, qk, qs, W, A, dA, out)


@njit(cache=True, parallel=True, fastmath=FAST, error_model="numpy")
def evaluate(centres, first, neigh, shift, pos, cell, species, weight, plan, slopes, out, coef,
             force, virial):
    """Symmetry functions of the centres, or (slopes) the forces of E = sum(coef * G).

    out     (n_centres, n_columns) values, added to
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
        xyzr, index = np.empty((4, size)), np.empty(size, np.int64)
        start = np.empty(n_species + 1, np.int64)
        F, dF = np.empty((n_rad, size)), np.empty((n_rad, size))
        D, V = np.empty(size), np.empty((3, size))
        qj, qk = np.empty(BLOCK + 1, np.int32), np.empty(BLOCK + 1, np.int32)
        qs, W = np.empty(BLOCK + 1), np.empty((13, max(BLOCK, size)))
        A, dA = np.empty((n_ang, BLOCK)), np.empty((n_ang, BLOCK))
        n_centres = centres.shape[0]
        for m in range(n_centres * chunk // chunks, n_centres * (chunk + 1) // chunks):
            i = centres[m]
            n = load_neighbours(i, first, neigh, shift, pos, cell, species, n_species, rc, xyzr,
                                index, start)
            tabulate(plan, xyzr[3], start, n_species, weight, W[2], W[3], F, dF)
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
            triples(plan, start, n_species, xyzr, F, dF, qj, qk, qs, W, A, dA, slopes, out[m],
                    coef[m], D, V)
            if slopes:
                for k in range(n):
                    j, g = index[k], D[k] / xyzr[3, k]
                    for a in range(3):
                        f = -g * xyzr[a, k] - V[a, k]
                        force[chunk, j, a] += f
                        force[chunk, i, a] -= f
                        for b in range(3):
                            virial[chunk, b, a] += xyzr[b, k] * f
