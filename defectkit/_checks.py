"""Checks of what a user gives, before anything expensive is done with it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

__all__ = [
    "check_frame",
    "check_is_frame",
    "checked_elements",
    "not_frames",
    "unmasked",
    "whole_number",
]

_FAR = 1e7  # Å
_DENSEST = 0.5  # atoms per Å^3 but H and He; diamond has 0.18, at 1 TPa 0.4
_DENSEST_H = 1.5  # atoms per Å^3 with H and He
_CLOSE = 0.5  # Å, median distance of nearest neighbours; in H2 0.74
_SAMPLE = 200  # atoms whose nearest neighbour is looked for
_MANY = 20_000  # atoms in a periodic cell, whose density says as much


def check_frame(atoms: Atoms, where: str = "this frame") -> None:
    """Refuses atoms among which neighbours cannot sensibly be looked for.

    Finite and sane positions and cell, a vector along each periodic axis, at most as many atoms
    per Å^3 and as close to each other as matter has them. Costs little beside a neighbour search.

    Parameters
    ----------
    atoms : ase.Atoms
    where : str
        Begins the sentence, such as "run.dump, frame 3".

    Raises
    ------
    ValueError
        One sentence with the remedy: "... these look like nm".

    Examples
    --------
    >>> from ase.build import bulk
    >>> check_frame(bulk("Si"))
    """
    cell = atoms.cell.array
    if not np.isfinite(cell).all() or np.abs(cell).max() > _FAR:
        raise ValueError(
            f"{where} has a cell that is not finite or far too large "
            f"({np.abs(cell).max():g} Å); repair the file or set the cell."
        )
    bad = np.flatnonzero(~(np.abs(atoms.positions) < _FAR).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{where}: atom {bad[0]} is at {_text(atoms.positions[bad[0]])} Å, which "
            "is not finite or far too large; repair the file or leave it out."
        )
    lengths = np.linalg.norm(cell, axis=1)
    empty = np.flatnonzero(atoms.pbc & (lengths == 0))
    if len(empty):
        raise ValueError(
            f"{where} is periodic along {'abc'[empty[0]]} but its cell has no vector "
            "there; set the cell, or pbc to False."
        )
    spanned = lengths[lengths > 0]
    if atoms.pbc.any() and len(spanned) == 3 and _is_flat(cell, lengths):
        raise ValueError(
            f"{where} has cell vectors that lie in one plane; set three that span a volume."
        )
    if len(atoms):
        _check_density(atoms, where)


def check_is_frame(atoms: Any) -> None:
    """Raises ValueError for what is not one frame, such as a list, a data set or a path.

    >>> check_is_frame(Atoms())
    """
    if not isinstance(atoms, Atoms):
        raise ValueError(
            f"one frame (ase.Atoms) is wanted, not a {type(atoms).__name__}; take one from the "
            "list, from the .frames of a data set, or from read_frames(path)."
        )


def not_frames(source: Any) -> str:
    """What to say of an argument that holds no frames."""
    kind = type(source).__name__
    if hasattr(source, "frames"):
        return f"a {kind} is no frames itself; give its .frames."
    return (
        f"source={source!r} is of the kind {kind}; give a path, ase.Atoms, or an iterable of "
        "ase.Atoms."
    )


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """The value of an option that counts something; ValueError names the option.

    >>> whole_number("max_points", 500)
    500
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r} has to be a whole number, at least {least}.")
    return int(value)


def unmasked(values: Any, name: str) -> Any:
    """The same array, or list of arrays; ValueError calls it `name` where a mask hides values.

    Without it NumPy's conversions show what is behind the mask.

    >>> unmasked([1.0, 2.0], "X")
    [1.0, 2.0]
    """
    parts = values if isinstance(values, list | tuple) else [values]
    hidden = sum(np.ma.count_masked(v) for v in parts if isinstance(v, np.ma.MaskedArray))
    if hidden:
        raise ValueError(
            f"{name} has a mask that hides {hidden} values; leave those rows or frames out, and "
            "give plain arrays."
        )
    return values


def _is_flat(cell, lengths):
    return abs(np.linalg.det(cell / lengths[:, None])) < 1e-6


def _check_density(atoms, where):
    volume = abs(np.linalg.det(atoms.cell.array)) if atoms.cell.rank == 3 else np.nan
    periodic = bool(atoms.pbc.all()) and np.isfinite(volume)
    heavy = int(np.sum(atoms.numbers > 2))
    dense = periodic and (heavy > _DENSEST * volume or len(atoms) > _DENSEST_H * volume)
    if dense:
        density = len(atoms) / volume if volume > 0 else np.inf
        raise ValueError(
            f"{where} has {density:.3g} atoms per Å^3, more than any matter; "
            f"{_units(atoms, density ** (-1 / 3))}"
        )
    if periodic and len(atoms) > _MANY:
        return
    nearest = _nearest(atoms.positions)
    if nearest < _CLOSE:
        raise ValueError(
            f"{where} has its atoms {nearest:.2g} Å from their nearest neighbours; "
            f"{_units(atoms, nearest)}"
        )


def _nearest(positions):
    from scipy.spatial import cKDTree  # takes 0.15 s to import

    if len(positions) < 2:
        return np.inf
    tree = cKDTree(positions, balanced_tree=False, compact_nodes=False)
    some = positions[:: max(1, len(positions) // _SAMPLE)]
    return float(np.median(tree.query(some, k=2)[0][:, 1]))


def _units(atoms, spacing):
    """What the lengths look like: their unit and the remedy."""
    span = np.linalg.norm(atoms.cell.array, axis=1)
    inside = atoms.positions.min() > -0.2 and atoms.positions.max() < 1.2
    if len(atoms) > 1 and inside and span.min() > 2.5:
        return (
            "the positions look like fractions of the cell: set them with "
            "atoms.set_scaled_positions."
        )
    for name, factor in (("nm", 10.0), ("metres", 1e10)):
        if 0.9 < spacing * factor < 6.0:
            return f"these look like {name}: multiply cell and positions by {factor:g}."
    if 0.5 < spacing < 1.6:
        return (
            "these look like reduced units (Lennard-Jones): multiply cell and positions by "
            "sigma in Å."
        )
    return "check the unit of cell and positions, which has to be Å."


def _text(vector):
    return "(" + ", ".join(f"{x:g}" for x in vector) + ")"


def checked_elements(elements: Sequence[str] | str) -> tuple[str, ...]:
    """Symbols without repeats in the order of the periodic table; ValueError for others."""
    elements = [elements] if isinstance(elements, str) else list(elements)
    unknown = [e for e in elements if not atomic_numbers.get(e)]
    if unknown or not elements:
        raise ValueError(
            f"{unknown[0] if unknown else 'nothing'!r} is not an element; give "
            'symbols such as ["Cu", "Au"].'
        )
    return tuple(sorted(set(elements), key=lambda e: atomic_numbers[e]))
