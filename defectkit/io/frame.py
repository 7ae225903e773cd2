"""From what a reader has found to one frame: columns of numbers, atoms sorted by id."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import cellpar_to_cell

from .._checks import check_frame
from .elements import left_out, numbers_of
from .source import size_in_memory

_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")
_COMMA = re.compile(r"\d,\d")
_TOGETHER = re.compile(r"\d-\d")
_KINDS = {"f": "f8", "i": "i8", "s": "U24"}
_BYTES = 300  # of text and arrays for each atom


def read_columns(text: str, columns: Mapping[str, tuple[int, str]], line: int = 1) -> np.ndarray:
    """Columns of a block of lines, as arrays of one entry for each line.

    Parameters
    ----------
    text : str
        Lines of words apart by blanks.
    columns : dict
        {name: (place of the column, kind)} with the kinds "f" (float), "i" (int), "s" (text).
    line : int
        Number of the first line in the file, for errors.

    Raises
    ------
    ValueError
        A sentence that names the line and the remedy.

    Examples
    --------
    >>> found = read_columns("1 Si 0.5\\n2 O 1.5D-1\\n", {"x": (2, "f"), "name": (1, "s")})
    >>> found["x"].tolist(), found["name"].tolist()
    ([0.5, 0.15], ['Si', 'O'])
    """
    kinds = [(name, _KINDS[kind]) for name, (_, kind) in columns.items()]
    places = [place for place, _ in columns.values()]

    def load(text, kinds):
        with warnings.catch_warnings():  # "1.0" where a whole number is expected
            warnings.simplefilter("error", DeprecationWarning)
            return np.loadtxt(
                io.StringIO(text), dtype=kinds, usecols=places, comments=None, ndmin=1
            )

    try:
        return load(text, kinds)
    except (ValueError, DeprecationWarning):
        pass
    numbers = [(name, "f8" if kind == "i8" else kind) for name, kind in kinds]
    try:
        table = load(_FORTRAN.sub("E", text), numbers)
    except ValueError:
        raise ValueError(_wrong_line(text, columns, line)) from None
    whole = [table[name] for name, kind in kinds if kind == "i8"]
    if not all(
        (np.rint(values) == values).all() and (np.abs(values) < 2**53).all() for values in whole
    ):
        raise ValueError(_wrong_line(text, columns, line))
    return table.astype(kinds)


def numbers(words: Iterable[str]) -> np.ndarray:
    """Words as floats, also those with Fortran's exponents; ValueError for what is no number.

    >>> numbers(["1.5D+01", "2"]).tolist()
    [15.0, 2.0]
    """
    return np.array([_FORTRAN.sub("E", word) for word in words], float)


def lines_of(text: str) -> list[str]:
    """Lines of a text, which end at a new line and nowhere else."""
    return text.removesuffix("\n").split("\n")


def _wrong_line(text, columns, first):
    """The sentence about the first line that does not hold what it should."""
    needed = 1 + max(place for place, _ in columns.values())
    for number, row in enumerate(lines_of(text), first):
        words = row.split()
        shown = row.strip()[:60]
        if not words:
            continue
        if len(words) < needed:
            return (
                f"line {number} ({shown!r}) has {len(words)} words, not {needed}; "
                + (
                    "numbers run together: put a blank before each minus sign"
                    if _TOGETHER.search(row)
                    else "repair the file"
                )
                + "."
            )
        for name, (place, kind) in columns.items():
            if kind != "s" and not _is_number(words[place], kind):
                if _COMMA.search(words[place]):
                    return (
                        f"line {number} ({shown!r}) has commas in its numbers; write decimal "
                        "points."
                    )
                if _TOGETHER.search(words[place]):
                    return (
                        f"line {number} ({shown!r}) has numbers run together; put a blank "
                        "before each minus sign."
                    )
                return (
                    f"line {number} ({shown!r}) has {words[place][:20]!r} where {name} is "
                    "expected, a number; repair the file."
                )
    return "the columns cannot be read; repair the file."


def _is_number(word, kind):
    try:
        value = float(_FORTRAN.sub("E", word))
    except ValueError:
        return False
    return kind == "f" or value.is_integer()


def cell_of(
    lengths: Sequence[float] | np.ndarray, angles: Sequence[float] | np.ndarray, where: str
) -> np.ndarray:
    """Cell (3, 3) of three lengths (Å) and three angles (degrees).

    Raises ValueError where there is no such cell, as with angles of 10, 120 and 170 degrees.

    >>> cell_of([3, 4, 5], [90, 90, 90], "run.nc").diagonal().tolist()
    [3.0, 4.0, 5.0]
    """
    lengths, angles = np.asarray(lengths, float), np.asarray(angles, float)
    cosines = np.cos(np.radians(angles))
    if not (
        np.isfinite(lengths).all()
        and lengths.min() > 0
        and 1 - cosines @ cosines + 2 * cosines.prod() > 1e-9
    ):
        raise ValueError(
            f"{where} has the lengths {_row(lengths)} and angles {_row(angles)}, "
            "which make no cell; repair the file."
        )
    return cellpar_to_cell([*lengths, *angles])


def _row(values):
    return ", ".join(f"{value:g}" for value in values)


def check_count(n: int, where: str) -> None:
    """Refuses a number of atoms that this machine cannot hold."""
    if n * _BYTES > size_in_memory():
        raise ValueError(
            f"{where} says it has {n} atoms, more than fit into this machine's "
            "memory; check that number."
        )


def make_frame(
    where: str,
    labels: Any,
    positions: Any,
    cell: Any,
    pbc: Any,
    elements: Any,
    *,
    masses: Any = None,
    ids: Any = None,
    arrays: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
) -> Atoms:
    """ase.Atoms of one frame, checked; sites that are no atoms left out, sorted by id."""
    return finished(
        sites(
            where,
            labels,
            positions,
            cell,
            pbc,
            elements,
            masses=masses,
            ids=ids,
            arrays=arrays,
            info=info,
        ),
        where,
    )


def sites(
    where: str,
    labels: Any,
    positions: Any,
    cell: Any,
    pbc: Any,
    elements: Any,
    *,
    masses: Any = None,
    ids: Any = None,
    arrays: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
) -> Atoms:
    """As `make_frame`, but as in the file: unchecked, with virtual sites as number 0.

    Those are named in ``info["left_out"]``.
    """
    if len(labels) == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    numbers = numbers_of(labels, elements, where, masses)
    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=pbc)
    for name, values in (arrays or {}).items():
        atoms.arrays[name] = np.asarray(values)
    if ids is not None:
        atoms.arrays["id"] = np.asarray(ids)
    atoms.info |= info or {}
    if (numbers == 0).any():
        atoms.info["left_out"] = left_out(labels, numbers)
    return atoms


def finished(atoms: Atoms, where: str) -> Atoms:
    """Atoms without the sites that are none, in the order of their ids, checked."""
    atoms = atoms if atoms.numbers.all() else atoms[atoms.numbers != 0]
    if len(atoms) == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    check_frame(atoms, where)
    ids = atoms.arrays.get("id")
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "iu":
        return atoms
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(np.diff(ids[order]) == 0)
    if len(twice):
        raise ValueError(
            f"{where} has the id {ids[order][twice[0]]} twice; an id has to name one "
            "atom, write the file again."
        )
    return atoms if np.array_equal(order, np.arange(len(atoms))) else atoms[order]
