"""Compiled: integers out of the bits of a packed frame of XTC."""

import numpy as np

from ..._compiled import kernel

_FIRST = 9


@kernel
def _bits(data, at, n):
    """The `n` bits from bit `at` on, first bit first."""
    value = 0
    for k in range(at, at + n):
        value = (value << 1) | ((data[k >> 3] >> (7 - (k & 7))) & 1)
    return value


@kernel
def _three(data, at, n, sizes, digits, out):
    """Three integers below `sizes` out of `n` bits, which hold them as one number.

    That number, up to 72 bits long, stands there by bytes, the lowest first.
    """
    count = 0
    while n > 8:
        digits[count] = _bits(data, at, 8)
        at, n, count = at + 8, n - 8, count + 1
    if n > 0:
        digits[count] = _bits(data, at, n)
        count += 1
    for axis in (2, 1):
        rest = 0
        for k in range(count - 1, -1, -1):
            rest = (rest << 8) | digits[k]
            digits[k] = rest // sizes[axis]
            rest -= digits[k] * sizes[axis]
        out[axis] = rest
    value = 0
    for k in range(count - 1, -1, -1):
        value = (value << 8) | digits[k]
    out[0] = value


@kernel
def unpack(data, low, sizes, bits, together, small, steps, found):
    """Fills `found` (n_atoms, 3) with integers; False where the bits make no sense.

    data : (n,) uint8
    low, sizes : (3,) smallest integer along each axis, and how many there are
    bits : (3,) of each axis; together : of all three, 0 where they are apart
    small : index into `steps` of the first small step
    """
    end = 8 * len(data)
    digits, here, before = np.zeros(16, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int64)
    step_sizes = np.zeros(3, np.int64)
    at, run, i, n = 0, 0, 0, len(found)
    whole = together if together else bits[0] + bits[1] + bits[2]
    while i < n:
        if at + whole + 1 > end:
            return False
        if together:
            _three(data, at, together, sizes, digits, here)
            at += together
        for axis in range(3):
            if not together:
                here[axis] = _bits(data, at, bits[axis])
                at += bits[axis]
            before[axis] = here[axis] + low[axis]
        change, at = 0, at + 1
        if _bits(data, at - 1, 1):
            if at + 5 > end:
                return False
            run, at = _bits(data, at, 5), at + 5
            change = run % 3 - 1
            run -= run % 3
        if i + 1 + run // 3 > n or at + (run // 3) * small > end:
            return False
        for k in range(max(1, run // 3)):
            first = before[0], before[1], before[2]
            if run:
                for axis in range(3):
                    step_sizes[axis] = steps[small]
                _three(data, at, small, step_sizes, digits, here)
                at += small
                for axis in range(3):
                    before[axis] += here[axis] - steps[small] // 2
            for axis in range(3):
                found[i, axis] = before[axis]
            i += 1
            if run and k == 0:  # the first two come in turn, which suits water
                for axis in range(3):
                    found[i, axis] = first[axis]
                i += 1
        small += change
        if small < _FIRST or small > 72:
            return False
    return True
