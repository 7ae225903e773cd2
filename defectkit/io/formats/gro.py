"""GROMACS .gro: fixed columns in nm, one frame after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frame import check_count, lines_of, sites
from ..source import Cut
from .residues import labels_of

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines

_NM = 10.0  # Å


def cut(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """Text of the frames, one after the other, with the number of the first line of each."""
    while (title := lines.full()) is not None:
        start, count = lines.number, lines.next()
        if count is None:
            raise Cut
        if not count.strip().isdecimal():
            raise ValueError(
                f"line {lines.number}: a number of atoms is expected, not "
                f"{count.strip()[:40]!r}; repair the file."
            )
        n = int(count.strip())
        check_count(n, f"line {lines.number}")
        rows, box = lines.take(n), lines.next()
        if box is None or len(box.split()) not in (3, 9):
            raise Cut
        yield "".join([title, count, rows, box]), start


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms (Å) of the text of one frame, in the file's order, with its virtual sites."""
    rows = lines_of(text)
    title, n = rows[0], int(rows[1].strip())
    atoms, box = rows[2 : 2 + n], rows[2 + n]
    if n == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    width = _width(atoms[0], line + 2)
    residues = [row[:10].strip() for row in atoms]
    names = [row[10:15].strip() for row in atoms]
    labels = labels_of(names, [row[5:10].strip() for row in atoms], residues, elements)
    positions = np.empty((n, 3))
    for k, row in enumerate(atoms):
        try:
            positions[k] = [row[20 + c * width : 20 + (c + 1) * width] for c in range(3)]
        except ValueError:
            raise ValueError(
                f"line {line + 2 + k} ({row.strip()[:60]!r}) has no three positions "
                f"of {width} columns each; repair the file."
            ) from None
    cell = _box(box, line + 2 + n)
    return sites(
        where, labels, positions * _NM, cell * _NM, bool(cell.any()), elements, info=_time(title)
    )


def _width(row, line):
    """Columns of a position: the distance between decimal points."""
    points = [k for k, letter in enumerate(row[20:]) if letter == "."]
    if len(points) < 3 or points[2] - points[1] != points[1] - points[0]:
        raise ValueError(
            f"line {line} ({row.strip()[:60]!r}) has no three positions in columns "
            "of equal width; repair the file."
        )
    return points[1] - points[0]


def _box(row, line):
    try:
        v = np.array(row.split(), float)
    except ValueError:
        raise ValueError(
            f"line {line} ({row.strip()[:60]!r}) is no box of three or nine numbers; "
            "repair the file."
        ) from None
    if len(v) == 3:
        return np.diag(v)
    return np.array([[v[0], v[3], v[4]], [v[5], v[1], v[6]], [v[7], v[8], v[2]]])


def _time(title):
    """Time in ps from a title such as "water t= 2.50000 step= 1250"."""
    words = title.split()
    try:
        return {"time": float(words[words.index("t=") + 1])}
    except (ValueError, IndexError):
        return {}
