"""The inner loops of UMAP and PaCMAP in two dimensions: the libraries' steps in half the time.

Each adds the same numbers in the same order and draws the same random ones, so the map is the
library's bit by bit. What is saved: a view of each row, a general power, a division for each
random number. Only for versions that it was compared with; others use their own loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version

import numpy as np
from numba import njit

from .._compiled import kept, kernel, part

#: Versions whose loops these are.
COMPARED = {"umap-learn": ("0.5.12",), "pacmap": ("0.9.1",)}


@contextmanager
def faster(library: str) -> Iterator[bool]:
    """Within it the library places points by the loops of this module; False where it does not.

    Parameters
    ----------
    library : "umap-learn" or "pacmap"
    """
    if version(library) not in COMPARED[library]:
        yield False
        return
    places = {
        "umap-learn": (
            "umap.layouts",
            "_get_optimize_layout_euclidean_single_epoch_fn",
            _for_umap,
        ),
        "pacmap": ("pacmap.pacmap", "pacmap_grad", _for_pacmap),
    }
    name, attribute, ours = places[library]
    module = import_module(name)
    own = getattr(module, attribute)
    setattr(module, attribute, ours(own))
    try:
        yield True
    finally:
        setattr(module, attribute, own)


def _for_umap(own: Callable) -> Callable:
    """umap-learn's choice of the function of one epoch, with ours where it does the same."""

    def choose(parallel=False):
        theirs = own(parallel)

        def epoch(*given):
            (points, others, head, tail, n, every, a, b, random, gamma, dim, both, rate) = given[
                :13
            ]
            between, next_apart, next_edge, now, densmap = given[13:18]
            if parallel or dim != 2 or densmap or others is not points or n != len(points):
                return theirs(*given)
            edges = head, tail, every, next_edge, between, next_apart
            return _umap_epoch(
                points, edges, random, both, float(a), float(b), gamma, rate, now, _powers(b)
            )

        return epoch

    return choose


@lru_cache(8)
def _powers(b):
    """Tables for x**b: of powers of two, of 128 numbers from 1 to 2, and a binomial series."""
    middle = 1 + (np.arange(128) + 0.5) / 128
    series = np.cumprod([1.0, *((b - k) / (k + 1) for k in range(6))])
    return 2.0 ** (b * (np.arange(256) - 127.0)), middle**b, 1 / middle, series


# With umap-learn's own option, which lets sums and products contract as they do there.
_fast = njit(fastmath=True, error_model="numpy")


def _fast_kernel(function):
    return kept(lambda cache: njit(cache=cache, fastmath=True, error_model="numpy")(function))


@_fast
def _power(x, tables):
    """x**b of a number in single precision, in double: 2**exponent, then its leading 7 bits."""
    of_two, of_middle, inverse, s = tables
    bits = np.float32(x).view(np.uint32)
    m = np.uint64((bits >> np.uint32(16)) & np.uint32(0x7F))
    mantissa = np.uint32((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)).view(np.float32)
    r = np.float64(mantissa) * inverse[m] - 1.0  # below 1/256
    rest = s[0] + r * (s[1] + r * (s[2] + r * (s[3] + r * (s[4] + r * (s[5] + r * s[6])))))
    return of_two[np.uint64(bits >> np.uint32(23))] * of_middle[m] * rest


@_fast
def _clipped(step):
    return min(max(step, -4.0), 4.0)


@_fast
def _next(s0, s1, s2):
    """Umap-learn's random numbers (L'Ecuyer's Tausworthe generator)."""
    low = 0xFFFFFFFF
    s0 = (((s0 & 4294967294) << 12) & low) ^ ((((s0 << 13) & low) ^ s0) >> 19)
    s1 = (((s1 & 4294967288) << 4) & low) ^ ((((s1 << 2) & low) ^ s1) >> 25)
    s2 = (((s2 & 4294967280) << 17) & low) ^ ((((s2 << 3) & low) ^ s2) >> 11)
    return s0, s1, s2


@_fast
def _remainder(number, n, share):
    """Number modulo n, not negative; share is 1 / n."""
    left = number - np.int64(np.floor(number * share)) * n
    if left < 0:
        left += n
    elif left >= n:
        left -= n
    return np.uint64(left)


@_fast_kernel
def _umap_epoch(Y, edges, random, both, a, b, gamma, rate, now, tables):
    """One epoch of umap.layouts._optimize_layout_euclidean_single_epoch."""
    head, tail, every, next_edge, between, next_apart = edges
    n = np.int64(len(Y))
    share, none = 1.0 / n, np.float32(0)
    for e in range(np.uint64(len(head))):
        if next_edge[e] > now:
            continue
        i, j = np.uint64(head[e]), np.uint64(tail[e])
        x, y = Y[i, 0], Y[i, 1]
        dx, dy = x - Y[j, 0], y - Y[j, 1]
        square, pull = dx * dx + dy * dy, 0.0
        if square > none:
            p = _power(square, tables)
            pull = -2.0 * a * b * p / (square * (a * p + 1.0))
        step_x, step_y = _clipped(pull * dx) * rate, _clipped(pull * dy) * rate
        x, y = np.float32(x + step_x), np.float32(y + step_y)
        Y[i, 0], Y[i, 1] = x, y
        if both:
            Y[j, 0] -= step_x
            Y[j, 1] -= step_y
        next_edge[e] += every[e]
        drawn = int((now - next_apart[e]) / between[e])
        s0, s1, s2 = random[i, 0], random[i, 1], random[i, 2]
        for _ in range(drawn):
            s0, s1, s2 = _next(s0, s1, s2)
            j = _remainder(np.int64(np.int32(s0 ^ s1 ^ s2)), n, share)
            if j == i:
                continue
            dx, dy = x - Y[j, 0], y - Y[j, 1]
            square = dx * dx + dy * dy
            if square > none:
                push = 2.0 * gamma * b / ((0.001 + square) * (a * _power(square, tables) + 1.0))
                x = np.float32(x + _clipped(push * dx) * rate)
                y = np.float32(y + _clipped(push * dy) * rate)
        Y[i, 0], Y[i, 1] = x, y
        random[i, 0], random[i, 1], random[i, 2] = s0, s1, s2
        next_apart[e] += drawn * between[e]


def _for_pacmap(own: Callable) -> Callable:
    """pacmap.pacmap.pacmap_grad, with ours in two dimensions."""

    def gradient(Y, *given):
        if Y.shape[1] != 2:
            return own(Y, *given)
        near, middle, far, *weights = given
        return _pacmap_gradient(Y, near, middle, far, *map(np.float32, weights))

    return gradient


@part
def _along_pairs(Y, gradient, pairs, kind, weight):
    """Adds the forces of near (0), mid-near (1) or further (2) pairs; returns the loss."""
    loss = np.float32(0)
    for t in range(np.uint64(len(pairs))):
        i, j = np.uint64(pairs[t, 0]), np.uint64(pairs[t, 1])
        dx, dy = Y[i, 0] - Y[j, 0], Y[i, 1] - Y[j, 1]
        d = 1.0 + np.float64(dx * dx) + np.float64(dy * dy)
        if kind == 0:
            loss += weight * (d / (10.0 + d))
            w = weight * (20.0 / (10.0 + d) ** 2)
        elif kind == 1:
            loss += weight * d / (10000.0 + d)
            w = weight * 20000.0 / (10000.0 + d) ** 2
        else:
            loss += weight / (1.0 + d)
            w = -(weight * 2.0 / (1.0 + d) ** 2)
        gradient[i, 0] += w * dx
        gradient[j, 0] -= w * dx
        gradient[i, 1] += w * dy
        gradient[j, 1] -= w * dy
    return loss


@kernel
def _pacmap_gradient(Y, near, middle, far, w_near, w_middle, w_far):
    gradient = np.zeros((len(Y) + 1, 2), np.float32)
    loss = _along_pairs(Y, gradient, near, 0, w_near)
    loss += _along_pairs(Y, gradient, middle, 1, w_middle)
    loss += _along_pairs(Y, gradient, far, 2, w_far)
    gradient[-1, 0] = loss
    return gradient
