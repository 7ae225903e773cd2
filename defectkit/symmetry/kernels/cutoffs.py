"""Cutoff functions, radial and angular factors of n2p2 as branch-free loops over arrays.

`exp`, `tanh` and `acos` are polynomials here, since calls into the C library would stop the
compiler from vectorising the loops; they agree with it to a few units in the last place.
"""

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

from ..._compiled import FLOAT, FLOATS, INT, fast, leaf

_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits
_TANH_NORM = 1.0 / np.tanh(1.0) ** 3
SLOPES = True  # False where the same source is compiled for features alone, see `single`


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


# Becomes part of leaves; sums stay in the order in which they are written.
exact = njit(
    fastmath={"contract"}, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)


@exact
def exponential(x):
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


@fast
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


@fast
def _sin_pi(u):
    """sin(pi u) for |u| <= 1/2."""
    t = u * u
    p = 0.0004662998161898394 + t * (-2.1903497074626018e-05 + t * 7.697826768224191e-07)
    p = 0.0821458865731029 + t * (-0.007370430505916944 + t * p)
    p = 2.5501640398773007 + t * (-0.5992645293189447 + t * p)
    return u * (3.141592653589793 + t * (-5.167712780049969 + t * p))


@fast
def arccos(c):
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


# Values and slopes at 0 <= x <= 1 of the steps 1 -> 0 of n2p2: four polynomials, exponential.


@fast
def _poly1(x):
    return (2.0 * x - 3.0) * x * x + 1.0, 6.0 * x * (x - 1.0)


@fast
def _poly2(x):
    q = x * x
    return ((15.0 - 6.0 * x) * x - 10.0) * q * x + 1.0, q * ((60.0 - 30.0 * x) * x - 30.0)


@fast
def _poly3(x):
    q = x * x * x
    return (
        (((20.0 * x - 70.0) * x + 84.0) * x - 35.0) * q * x + 1.0,
        q * (((140.0 * x - 420.0) * x + 420.0) * x - 140.0),
    )


@fast
def _poly4(x):
    q = x * x * x * x
    return (
        ((((315.0 - 70.0 * x) * x - 540.0) * x + 420.0) * x - 126.0) * q * x + 1.0,
        q * ((((2520.0 - 630.0 * x) * x - 3780.0) * x + 2520.0) * x - 630.0),
    )


@fast
def bump(x):
    """The exponential step."""
    d = 1.0 - x * x
    inverse = 1.0 / (d if d > 1e-3 else 1e-3)
    f = exponential(1.0 - inverse)
    f = f if d > 1e-3 else 0.0
    return f, -2.0 * x * f * inverse * inverse


def step_filler(core):
    """`core` stretched over inner to inner + 1 / scale."""

    @fast
    def fill(inner, scale, n, r, f, df):
        for m in range(n):
            x = (r[m] - inner) * scale
            x = x if x > 0.0 else 0.0
            f[m], slope = core(x if x < 1.0 else 1.0)
            if SLOPES:
                df[m] = slope * scale

    return fill


def window_filler(core):
    """`core` on both sides of a centre; `bend` 1 for the asymmetric variants, else 0."""

    @fast
    def fill(centre, scale, bend, n, x, f, df):
        for m in range(n):
            u = (x[m] - centre) * scale
            sign = scale if u >= 0.0 else -scale
            u = abs(u)
            u = u if u < 1.0 else 1.0
            f[m], step = core(u + bend * u * (1.0 - u))
            if SLOPES:
                df[m] = step * sign * (1.0 + bend * (1.0 - 2.0 * u))

    return fill


# One loop for each core: a choice within the loop would keep it from being vectorised.
_CORES = _poly1, _poly2, _poly3, _poly4, bump
_step1, _step2, _step3, _step4, _step5 = map(step_filler, _CORES)
_window1, _window2, _window3, _window4, _window5 = map(window_filler, _CORES)


@leaf(INT, FLOAT, FLOAT, INT, FLOATS, INT, FLOATS, FLOATS)
def cutoff_values(kind, alpha, rc, n, distance, slopes, value, slope):
    """n2p2's cutoff functions 0-8 at the first `n` distances, zero from rc on.

    Slopes are filled in if `slopes`; cheap ones always.
    """
    r, f, df = carray(distance, n), carray(value, n), carray(slope, n)
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
            if SLOPES:
                q = 1.0 - x if x > 0.5 else x
                df[m] = -1.5707963267948966 * scale * _sin_pi(q)
    elif kind == 2 or kind == 3:
        norm = _TANH_NORM if kind == 3 else 1.0
        scale = 1.0 / rc
        for m in range(n):
            x = 1.0 - r[m] * scale
            f[m] = _tanh(x if x > 0.0 else 0.0)
        if slopes:
            for m in range(n):
                t = f[m]
                df[m] = 3.0 * norm * t * t * (t * t - 1.0) * scale
        for m in range(n):
            t = f[m]
            f[m] = norm * t * t * t
    elif kind == 5:
        _step1(inner, scale, n, r, f, df)
    elif kind == 6:
        _step2(inner, scale, n, r, f, df)
    elif kind == 7:
        _step3(inner, scale, n, r, f, df)
    elif kind == 8:
        _step4(inner, scale, n, r, f, df)
    else:
        _step5(inner, scale, n, r, f, df)


@leaf(INT, FLOAT, FLOAT, INT, FLOATS, FLOATS, FLOATS)
def compact_values(kind, left, right, n, at, value, slope):
    """Compact functions of n2p2 and their slopes, zero outside (left, right)."""
    x, f, df = carray(at, n), carray(value, n), carray(slope, n)
    centre, scale = 0.5 * (left + right), 2.0 / (right - left)
    bend = 1.0 if kind > 10 else 0.0
    core = kind - 10 if kind > 10 else kind
    if core == 1:
        _window1(centre, scale, bend, n, x, f, df)
    elif core == 2:
        _window2(centre, scale, bend, n, x, f, df)
    elif core == 3:
        _window3(centre, scale, bend, n, x, f, df)
    elif core == 4:
        _window4(centre, scale, bend, n, x, f, df)
    else:
        _window5(centre, scale, bend, n, x, f, df)


@leaf(FLOAT, FLOAT, INT, FLOATS, FLOATS, FLOATS, INT, FLOATS, FLOATS)
def gaussian_values(eta, centre, n, distance, cutoff, cutoff_slope, slopes, value, slope):
    """Gaussians times their cutoff function and, if `slopes`, their slopes."""
    r, fc, dfc = carray(distance, n), carray(cutoff, n), carray(cutoff_slope, n)
    f, df = carray(value, n), carray(slope, n)
    for m in range(n):
        d = r[m] - centre
        f[m] = exponential(-eta * d * d)
    if slopes:
        for m in range(n):
            df[m] = (dfc[m] - 2.0 * eta * (r[m] - centre) * fc[m]) * f[m]
    for m in range(n):
        f[m] *= fc[m]


@leaf(INT, FLOATS, FLOATS, FLOATS)
def angle_values(n, cosine, angle, slope):
    """Angles in [0, pi] and their slopes in the cosine (0 where they are infinite)."""
    c, t, dt = carray(cosine, n), carray(angle, n), carray(slope, n)
    for m in range(n):
        t[m] = arccos(c[m])
        if SLOPES:
            q = 1.0 - c[m] * c[m]
            dt[m] = -1.0 / np.sqrt(q) if q > 1e-30 else 0.0


@leaf(FLOAT, FLOAT, INT, INT, FLOATS, FLOATS, FLOATS, FLOATS)
def power_values(lam, zeta, n, slopes, cosine, work, value, slope):
    """(1 + lam cos(theta))^zeta, zero where the base is negative, and, if `slopes`, its slope."""
    c, s = carray(cosine, n), carray(work, n)
    f, df = carray(value, n), carray(slope, n)
    if not slopes and (zeta == 1.0 or zeta == 2.0 or zeta == 4.0):
        for m in range(n):
            x = 1.0 + lam * c[m]
            x = x if x > 0.0 else 0.0
            x = x * x if zeta > 1.0 else x
            f[m] = x * x if zeta > 2.0 else x
        return
    if zeta == 1.0 or zeta == 2.0 or zeta == 4.0:
        for m in range(n):
            x = 1.0 + lam * c[m]
            x = x if x > 0.0 else 0.0
            q = x if zeta > 1.0 else 1.0
            q = q * x * x if zeta > 2.0 else q
            q = q if x > 0.0 else 0.0
            f[m] = q * x
            df[m] = lam * zeta * q
        return
    left = int(zeta - 1.0)
    whole = zeta - 1.0 == left and left >= 0
    for m in range(n):
        x = 1.0 + lam * c[m]
        s[m] = x if x > 0.0 else 0.0
        f[m] = s[m]
        df[m] = 1.0 if s[m] > 0.0 else 0.0
    if whole:
        while left > 0:
            if left & 1:
                for m in range(n):
                    df[m] *= s[m]
            left >>= 1
            if left:
                for m in range(n):
                    s[m] *= s[m]
    else:
        for m in range(n):
            df[m] = s[m] ** (zeta - 1.0) if s[m] > 0.0 else 0.0
    for m in range(n):
        f[m] *= df[m]
        df[m] *= lam * zeta
