"""Functions that are compiled once, kept on disk and called by name.

numba links a compiled function into each of its callers and optimises it there anew, which for
nested kernels takes most of the time of compiling.  A function made by `leaf` is compiled by
itself; its callers know its address only, through a symbol.  Arrays pass as pointers; many of them
as the address of a record that holds their addresses (`record_of`, `pointer_to`).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from typing import Any
from warnings import warn

import llvmlite.binding as llvm
import numpy as np
from numba import cfunc, config, from_dtype, njit, types
from numba.core.compiler import Compiler
from numba.extending import intrinsic

FAST = {"reassoc", "contract", "arcp", "nsz"}  # sums may be reordered; NaN and inf still count
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
FLOATS, INT, FLOAT = types.CPointer(types.float64), types.int64, types.float64
INTS, SHORTS = types.CPointer(types.int64), types.CPointer(types.int32)
SINGLE, SINGLES = types.float32, types.CPointer(types.float32)
NOTHING = types.void
PAD = 16  # rows are that much longer, so that loops run over whole vectors; see `padded`

compiled = {}  # name -> the compiled function, whose machine code has to stay in memory
signatures: dict[str, Any] = {}
_state = {"keep": True, "said": False}


def kept(make: Callable[..., Any]) -> Any:
    """`make(cache=True)`, or without a cache, and one warning, where none can be written."""
    if _state["keep"]:
        try:
            return make(cache=True)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "cannot cache" not in str(error):
                raise
            _state["keep"] = False
            warn(
                "compiled functions cannot be kept on disk, each new process compiles them "
                "again (seconds); set NUMBA_CACHE_DIR to a folder that can be written.",
                stacklevel=2,
            )
    return make(cache=False)


def _say():
    """One line where somebody waits for the compiler."""
    if not _state["said"] and sys.stderr is not None:  # print would take standard output for None
        _state["said"] = True
        try:
            print("defectkit: compiling, once; a quarter of a minute ...", file=sys.stderr)
        except (AttributeError, OSError, ValueError):
            pass  # there is no place to say it


class _Apart(Compiler):
    """numba's compiler, told that what one pointer reaches no other argument does."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


@contextmanager
def _joined():
    """Within it like operations on numbers that lie side by side become one of a vector."""
    before, config.SLP_VECTORIZE = config.SLP_VECTORIZE, 1  # type: ignore[attr-defined]
    try:
        yield
    finally:
        config.SLP_VECTORIZE = before  # type: ignore[attr-defined]


def leaf(*arguments: Any, returns: Any = NOTHING) -> Callable[[Callable], Any]:
    """Compiles a function of these argument types; others call it by name.

    Its pointers must reach different numbers: what is written by one is read by no other.
    """
    signature = returns(*arguments)

    def decorate(function):
        name = f"defectkit_{function.__name__}"
        options: dict[str, Any] = {
            "fastmath": FAST,
            "error_model": "numpy",
            "pipeline_class": _Apart,
        }
        with _joined():
            made = kept(lambda cache: cfunc(signature, cache=cache, **options)(function))
        if not made.cache_hits:
            _say()
        compiled[function.__name__], signatures[function.__name__] = made, signature
        llvm.add_symbol(name, made.address)
        return types.ExternalFunction(name, signature)

    return decorate


@cache
def for_python(name: str) -> Any:
    """A function made by `leaf`, for Python: pointers are addresses, the lock is released."""
    plain: dict[Any, Any] = {FLOAT: ctypes.c_double, INT: ctypes.c_int64, NOTHING: None}
    given: list[Any] = [plain.get(kind, ctypes.c_void_p) for kind in signatures[name].args]
    kind = ctypes.CFUNCTYPE(plain[signatures[name].return_type], *given)
    return kind(compiled[name].address)


def pointer_to(kind: Any) -> Any:
    """For compiled functions: (address, n) to a pointer to number n of this kind from there on."""

    @intrinsic
    def pointer(typingctx, address, n):
        def code(context, builder, signature, args):
            first = builder.inttoptr(args[0], context.get_value_type(kind))
            return builder.gep(first, [args[1]])

        return kind(INT, INT), code

    return pointer


def record_of(layout: np.dtype) -> Any:
    """For compiled functions: (address or pointer, n) to record n of those that begin there."""
    kind = from_dtype(layout)

    @intrinsic
    def record(typingctx, address, n):
        if isinstance(address, types.CPointer):
            return kind(address, INT), lambda _, builder, __, args: builder.gep(args[0], [args[1]])

        def code(context, builder, signature, args):
            size = context.get_constant(INT, layout.itemsize)
            place = builder.add(args[0], builder.mul(args[1], size))
            return builder.inttoptr(place, context.get_value_type(kind))

        return kind(INT, INT), code

    return record


# Number n of those at an address; the addresses of arrays that records hold are 64-bit integers.
floats, ints, shorts = pointer_to(FLOATS), pointer_to(INTS), pointer_to(SHORTS)


def kernel(function: Callable) -> Any:
    """Compiles a function at its first call from Python; it releases the interpreter's lock."""
    return kept(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(function))


# Becomes part of leaves, whose loops it is fast in; only what is always inlined.
fast = njit(fastmath=FAST, **_INNER)  # type: ignore[call-overload]
# Becomes part of a kernel.  Sums in strict order (a leaf adds up faster): whether a part is
# inlined differs between the process that compiles and those that load, and bits must not.
part = njit(**_INNER)  # type: ignore[call-overload]


@fast
def unsigned(i):
    """An index from the start: the test for one from the end keeps loops from being vectorised."""
    return np.uint64(i)


@fast
def padded(n):
    """The next multiple of PAD: a loop over so many leaves no rest that is not vectorised."""
    return (n + PAD - 1) // PAD * PAD
