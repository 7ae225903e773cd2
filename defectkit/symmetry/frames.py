"""What the kernels take of a frame, and what may be asked of them and what they give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from .kernels.tables import Frame

if TYPE_CHECKING:
    from ase import Atoms

    from .kernel_tables import Function

MOST_ZETA = 64.0  # single precision: the power multiplies the rounding of its base


def make_frame(
    elements: Sequence[str],
    atoms: Atoms,
    centres: np.ndarray,
    first: np.ndarray,
    neigh: np.ndarray,
    shift: np.ndarray,
) -> Frame:
    """The `Frame` of atoms, some of them centres, and their neighbours (see `neighbour_list`)."""
    lookup = np.full(119, -1)
    lookup[[atomic_numbers[e] for e in elements]] = np.arange(len(elements))
    return Frame(
        np.ascontiguousarray(centres, np.int64),
        np.ascontiguousarray(first, np.int64),
        np.ascontiguousarray(neigh, np.int64),
        np.ascontiguousarray(shift, np.int32),
        np.ascontiguousarray(atoms.positions, float),
        np.ascontiguousarray(atoms.cell.array, float),
        lookup[atoms.numbers],
        np.array([float(atomic_numbers[e]) for e in elements]),
    )


def not_finite(values: np.ndarray, names: Sequence[str], atoms: np.ndarray) -> ValueError:
    """The error that says which atom or function gave a value that is not finite.

    values  (n, n_features), some not finite; the kernels fill the row of an atom that coincides
            with another one with NaN
    names   of the columns
    atoms   (n,) by what number errors call each
    """
    bad = ~np.isfinite(values)
    row = int(np.flatnonzero(bad.any(axis=1))[0])
    if np.isnan(values[row]).all():
        return ValueError(f"atom {atoms[row]} coincides with another atom; remove one of them.")
    name = names[int(np.flatnonzero(bad[row])[0])]
    return ValueError(
        f"function {name} is not finite at atom {atoms[row]}; its parameters are "
        "outside what double precision holds: change or drop that function."
    )


def check_precision(precision: str, functions: Iterable[Function]) -> None:
    """Raises ValueError where functions cannot be computed with a precision."""
    if precision not in ("double", "single"):
        raise ValueError(f"precision={precision!r} is not known; use 'double' or 'single'.")
    for f in functions if precision == "single" else ():
        if f.zeta > MOST_ZETA:
            raise ValueError(
                f"function {f.describe()} is too steep for precision='single', which takes zeta "
                f"up to {MOST_ZETA:g}; use 'double'."
            )
