"""Leaves of `cutoffs` and `angular` compiled again in single precision, without slopes.

It is the same source with rows, numbers and constants of 32 bits.  Written anew are only `exp`,
`tanh` and `acos`, which need shorter polynomials, and the steps, which would lose digits where
they end.
"""

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic

from ..._compiled import (
    FLOAT,
    FLOATS,
    NOTHING,
    SINGLE,
    SINGLES,
    fast,
    leaf,
    pointer_to,
    signatures,
)
from ..._compiled import compiled as kept
from . import cutoffs, evaluate  # noqa: F401 (all leaves of double precision are `kept` then)
from .records import TRIPLES_AT, VERSION, WORK, WORK_AT, row_of

_ROUND = 12582912.0  # 1.5 * 2**23, see `cutoffs`


def _narrow_rows(layout):
    kinds = [(name, *layout[name].subdtype) for name in layout.names]
    return np.dtype([(name, "f4" if kind == "f8" else kind, shape) for name, kind, shape in kinds])


WORK_SINGLE = _narrow_rows(WORK)
WORK_SINGLE_AT = types.CPointer(from_dtype(WORK_SINGLE))
singles, work_single_at = pointer_to(SINGLES), pointer_to(WORK_SINGLE_AT)


def _narrow_code(code):
    def narrow(constant):
        if isinstance(constant, CodeType):
            return _narrow_code(constant)
        return np.float32(constant) if isinstance(constant, float) else constant

    return code.replace(co_consts=tuple(map(narrow, code.co_consts)))


def narrow(function: Callable[..., Any], names: dict[str, Any] | None = None) -> FunctionType:
    """The function with constants, its own and global ones, of 32 bits, and with other globals."""
    known = {
        name: np.float32(value) if isinstance(value, float) else value
        for name, value in (function.__globals__ | (names or {})).items()
    }
    made = FunctionType(_narrow_code(function.__code__), known, f"{function.__name__}_single")
    made.__qualname__ = f"{made.__name__}_{VERSION}"  # numba keeps it under that name
    return made


def leaf_single(*arguments: Any, returns: Any = NOTHING) -> Callable[[Callable], Any]:
    """As `leaf`, of the function with constants of 32 bits; its name ends in `_single`."""
    return lambda function: leaf(*arguments, returns=returns)(narrow(function))


@intrinsic
def _bits(typingctx, x):
    """The 32 bits of a number as an integer."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(SINGLE), code


@intrinsic
def _two_to(typingctx, bits):
    """2^k from the bits of k + _ROUND."""

    def code(context, builder, signature, args):
        shifted = builder.shl(
            builder.add(args[0], ir.Constant(ir.IntType(32), 127)), ir.Constant(ir.IntType(32), 23)
        )
        return builder.bitcast(shifted, ir.FloatType())

    return SINGLE(types.int32), code


def exponential(x):
    """exp(x) for x <= 0 to 1e-7 of it; arguments below -87 count as -87."""
    x = x if x > -87.0 else -87.0
    shifted = x * 1.4426950408889634 + _ROUND
    k = shifted - _ROUND
    x = (x - k * 0.693359375) + k * 2.12194440e-4
    p = 0.0416683881 + x * (0.00836871709 + x * 0.00138145964)
    p = 0.499999934 + x * (0.166665206 + x * p)
    return (1.0 + x * (1.0 + x * p)) * _two_to(_bits(shifted))


def _tanh(x):
    """tanh(x) for 0 <= x <= 1."""
    t = x * x
    p = -0.00796521847 + t * (0.00231546911 - t * 0.000362523859)
    p = 0.133324114 + t * (-0.053884105 + t * (0.0214994049 + t * p))
    return x * (1.0 + t * (-0.333332989 + t * p))


def _sin_pi(u):
    """sin(pi u) for |u| <= 1/2."""
    t = u * u
    p = 2.55006973 + t * (-0.598242126 + t * 0.077560386)
    return u * (3.14159264 + t * (-5.16770968 + t * p))


def arccos(c):
    """acos(c) for |c| <= 1."""
    a = abs(c)
    wide = a > 0.5
    t = 0.5 * (1.0 - a) if wide else a * a
    t = t if t > 0.0 else 0.0
    p = 0.0454770971 + t * (0.0241476118 + t * 0.0422185462)
    p = 0.166667539 + t * (0.0749524178 + t * p)
    root = np.sqrt(t)
    asin = root + root * t * p
    acute = 2.0 * asin if wide else 1.5707963267948966 - asin
    return acute if c >= 0.0 else 3.141592653589793 - acute


# How the steps of `cutoffs` rise from 0, for z <= 1/2.  Counted from the nearer end their small
# values keep all digits.


def _rise1(z):
    return z * z * (3.0 - 2.0 * z)


def _rise2(z):
    return z * z * z * (10.0 + z * (6.0 * z - 15.0))


def _rise3(z):
    q = z * z
    return q * q * (35.0 + z * (-84.0 + z * (70.0 - 20.0 * z)))


def _rise4(z):
    q = z * z
    return q * q * z * (126.0 + z * (-420.0 + z * (540.0 + z * (70.0 * z - 315.0))))


def _step(rise):
    @fast
    def step(x):
        near = x < 0.5
        p = rise(x if near else 1.0 - x)
        return (1.0 - p if near else p), 0.0

    return step


NAMES: dict[str, Any] = {"SLOPES": False, "floats": singles, "work_at": work_single_at}
NAMES |= {function.__name__: fast(narrow(function)) for function in (_tanh, _sin_pi, arccos)}
NAMES["exponential"] = cutoffs.exact(narrow(exponential))
_STEPS = [narrow(_step)(fast(narrow(rise))) for rise in (_rise1, _rise2, _rise3, _rise4)]
for _n, _core in enumerate([*_STEPS, fast(narrow(cutoffs.bump.py_func, NAMES))], 1):
    NAMES[f"_step{_n}"] = narrow(cutoffs.step_filler, NAMES)(_core)
    NAMES[f"_window{_n}"] = narrow(cutoffs.window_filler, NAMES)(_core)
for _name in ("by_cosine", "distance", "cutoff", "cutoff_slope", "factor", "factor_slope"):
    NAMES[_name] = row_of(_name, WORK_SINGLE)
NAMES["theta"], NAMES["theta_slope"] = (row_of(n, WORK_SINGLE) for n in ("angle", "angle_slope"))
NAMES["cosine"] = fast(lambda row: row)  # of a block there is only that row


def again(name: str, kinds: dict[Any, Any], names: dict[str, Any]) -> Any:
    """The leaf of that name once more, with other argument types and globals."""
    signature, function = signatures[name], kept[name].__wrapped__
    *arguments, returns = (
        kinds.get(kind, kind) for kind in (*signature.args, signature.return_type)
    )
    return leaf(*arguments, returns=returns)(narrow(function, names))


_KINDS = {FLOAT: SINGLE, FLOATS: SINGLES, TRIPLES_AT: SINGLES, WORK_AT: WORK_SINGLE_AT}
_LEAVES = """cutoff_values compact_values gaussian_values angle_values power_values multiply_row
fill_angles cut_third_sides third_factor radial_of_envelope radial_of_power dot""".split()
for _name in _LEAVES:
    NAMES[_name] = again(_name, _KINDS, NAMES)
