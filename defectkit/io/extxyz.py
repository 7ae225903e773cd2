"""What extended XYZ can hold of a frame: anything else would make a file that nobody reads."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from ase import Atoms

__all__ = ["check_column", "for_extxyz"]

_KEYWORDS = ("lattice", "properties", "pbc", "cell", "species", "pos")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def for_extxyz(atoms: Atoms) -> Atoms:
    """A copy less entries of `info` and arrays that extended XYZ cannot hold.

    These are texts with blanks or line breaks or of no letter, objects, and names that are its
    own keywords.

    >>> atoms = Atoms("Cu2", info={"run": 3, "Lattice": "x", "note": "two\\nlines"})
    >>> atoms.arrays["residue"] = np.array(["", "A"])
    >>> kept = for_extxyz(atoms)
    >>> kept.info, sorted(kept.arrays)
    ({'run': 3}, ['numbers', 'positions'])
    """
    shown = atoms.copy()
    shown.set_constraint()
    shown.info = {k: v for k, v in atoms.info.items() if _fits_info(k, v)}
    for name, values in atoms.arrays.items():
        if name not in ("numbers", "positions") and not _fits_column(name, values):
            del shown.arrays[name]
    return shown


def check_column(name: str, values: np.ndarray, n_atoms: int, n_frames: int) -> None:
    """Raises ValueError for a column that extended XYZ cannot hold or of another length."""
    if name in ("numbers", "positions", "species", "pos"):
        raise ValueError(f"a column cannot be called {name!r}, which every file has; rename it.")
    if not _fits_column(name, values):
        raise ValueError(f"{name!r} is no column of extended XYZ, which takes numbers or words.")
    if len(values) != n_atoms:
        raise ValueError(
            f"{name} has {len(values)} values for {n_atoms} atoms in {n_frames} "
            "frames; give one for each atom."
        )


def _fits_column(name, values):
    """Whether extended XYZ can hold a column: numbers, or texts of one word each."""
    if not _NAME.fullmatch(name) or name.lower() in _KEYWORDS or values.ndim > 2:
        return False
    if values.dtype.kind in "biuf":
        return True
    return values.dtype.kind == "U" and all(
        text.isprintable() and len(text.split()) == 1 for text in values.ravel()
    )


def _fits_info(name: Any, value: Any) -> bool:
    if type(name) is not str or not _NAME.fullmatch(name) or name.lower() in _KEYWORDS:
        return False
    if isinstance(value, str):
        return value.isprintable() and not re.search(r"[\"\\]", value)
    return np.size(value) <= 9 and np.ndim(value) < 3 and np.asarray(value).dtype.kind in "biuf"
