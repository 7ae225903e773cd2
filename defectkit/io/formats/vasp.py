"""VASP's POSCAR, CONTCAR and XDATCAR: a header with cell and counts, then a line for each atom."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..elements import element_of
from ..frame import check_count, lines_of, numbers, read_columns, sites
from ..source import Cut

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines

_INTEGERS = re.compile(r"(\s*\d+)+\s*(!.*)?")
_STEP = re.compile(r"\s*(Direct|Cartesian) configuration\s*=\s*(\d+)|\s*Konfig", re.I)


def cut_poscar(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """The text of the only frame."""
    start, head, n = _head(lines, where)
    line = _next(lines)
    if line.strip()[:1] in ("S", "s"):
        line = _next(lines)
    yield "".join([*head, line, lines.take(n)]), start
    rest = "".join(islice(iter(lines.next, None), 12))  # velocities, a density, or this again
    if is_poscar(rest.lstrip("\n")):
        raise ValueError(
            f"{where} holds several structures one after the other; give a list of files with one "
            "in each, or an XDATCAR."
        )


def is_poscar(text: str) -> bool:
    """Whether a text begins as one: scale, three vectors, and counts on line 6 or 7."""
    rows = text.splitlines()
    try:
        scale, *vectors = [numbers(row.split()[:3]) for row in rows[1:5]]
    except ValueError:
        return False
    return (
        len(rows) > 7
        and len(vectors) == 3
        and all(len(vector) == 3 for vector in vectors)
        and len(scale) in (1, 3)
        and any(_INTEGERS.fullmatch(row) and row.strip() for row in rows[5:7])
    )


def cut_xdatcar(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """Text of the frames, one after the other; each has the header that holds for it."""
    line = lines.full()
    head, n = [], 0
    while line is not None:
        start = lines.number
        if not _STEP.match(line):
            lines.back(line)
            start, head, n = _head(lines, where)
            line = lines.full()
            if line is None:
                raise Cut
            if not _STEP.match(line):
                raise ValueError(
                    f"line {lines.number}: 'Direct configuration=' is expected, not "
                    f"{line.strip()[:40]!r}; repair the file."
                )
            start = lines.number - len(head)
        else:
            start -= len(head)
        yield "".join([*head, line, lines.take(n)]), start
        line = lines.full()


def _next(lines):
    line = lines.next()
    if line is None:
        raise Cut
    return line


def _head(lines, where):
    """Number of the first line, the lines down to the counts, the number of atoms."""
    start = lines.number + 1
    head = [_next(lines) for _ in range(6)]
    if not head[-1].split() or not all(word.isdecimal() for word in head[-1].split()):
        head.append(_next(lines))
    counts = head[-1].split("!")[0].split()
    if not counts or not all(word.isdecimal() for word in counts):
        raise ValueError(
            f"line {lines.number}: the numbers of atoms are expected, not "
            f"{head[-1].strip()[:40]!r}; repair the file."
        )
    n = sum(map(int, counts))
    check_count(n, where)
    return start, head, n


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms (Å, periodic) of the text of one frame."""
    rows = [row + "\n" for row in lines_of(text)]
    cell = _cell(rows[1:5], line)
    named = len(rows[5].split()) > 0 and not rows[5].split()[0].isdecimal()
    counts = [int(word) for word in rows[6 if named else 5].split("!")[0].split()]
    mode, block = rows[7 if named else 6], "".join(rows[8 if named else 7 :])
    first = line + (8 if named else 7)
    table = read_columns(block, {"x": (0, "f"), "y": (1, "f"), "z": (2, "f")}, first)
    if len(table) != sum(counts):
        raise ValueError(
            f"{where} has {len(table)} lines of positions, not {sum(counts)}; repair the file."
        )
    positions = np.stack([table[c] for c in "xyz"], axis=1)
    if mode.strip()[:1] in "CcKk" and mode.strip():
        positions = positions * _scale(rows[1], cell, rows[2:5], line)
    else:
        positions = positions @ cell
    names = (
        rows[5].split("!")[0].split()
        if named
        else _names_elsewhere(rows[0], block, counts, elements, where)
    )
    if len(names) != len(counts):
        raise ValueError(
            f"line {line + 5}: {len(names)} elements for {len(counts)} numbers of "
            "atoms; repair the file."
        )
    labels = np.repeat(np.array([str(name) for name in names]), counts)
    info = {"step": int(found[2])} if (found := _STEP.match(mode)) and found[2] else {}
    return sites(where, labels, positions, cell, True, elements, info=info)


def _scale(row, cell, vectors, line):
    """Factor, or one for each axis, of the lengths of the file."""
    factors = numbers(row.split("!")[0].split())
    if len(factors) == 3:
        return factors
    if factors[0] > 0:
        return factors[0]
    raw = np.array([numbers(r.split()[:3]) for r in vectors])
    return (-factors[0] / abs(np.linalg.det(raw))) ** (1 / 3)  # a negative one is the volume


def _cell(rows, line):
    try:
        raw = np.array([numbers(row.split()[:3]) for row in rows[1:]])
        if raw.shape != (3, 3) or len(rows[0].split("!")[0].split()) not in (1, 3):
            raise ValueError
        if abs(np.linalg.det(raw)) < 1e-12:
            raise ValueError
        return raw * _scale(rows[0], raw, rows[1:], line)
    except (ValueError, IndexError):
        raise ValueError(
            f"lines {line + 1} to {line + 4} are no scale and three vectors of a "
            "cell; repair the file."
        ) from None


def _names_elsewhere(comment, block, counts, elements, where):
    """Elements of a file from before VASP 5: those given, behind the positions, or on line 1."""
    if isinstance(elements, tuple):
        return range(1, len(counts) + 1)
    behind = [row.split()[3:4] for row in lines_of(block)]
    behind = [words[0] if words and words[0] not in "TF" else "" for words in behind]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    if all(name.isalpha() and element_of(name) for name in behind):
        return [behind[k] for k in starts]
    words = comment.split()
    if len(words) == len(counts) and all(element_of(word) for word in words):
        warnings.warn(
            f"{where} names no elements but in its first line; taken from there: "
            f"{' '.join(words)}.",
            stacklevel=6,
        )
        return words
    return range(1, len(counts) + 1)
