"""Protein Data Bank files: fixed columns, one model after the other."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..elements import element_of
from ..frame import cell_of, lines_of, sites
from ..source import Cut
from .residues import labels_of

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines

_ATOMS = ("ATOM  ", "HETATM")
_END = ("ENDMDL", "END")


def cut(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """Text of the models, one after the other, each with the last CRYST1 line before it."""
    got, start, cell, n_atoms, models, told = [], 1, "", 0, False, set()
    while True:
        line = lines.next()
        record = "" if line is None else line[:6].rstrip()
        if line is not None and line.startswith("CRYST1"):
            cell = line
            _tell(_symmetry(line), where, told)
        elif line is not None and line.startswith(_ATOMS):
            got.append(line)
            n_atoms += 1
        models |= record == "MODEL"
        if line is None and n_atoms and (models or _broken(got)):
            raise Cut
        if line is None or record in _END:
            if n_atoms:
                got, left = _one_place_each(got)
                _tell(left, where, told)
                yield (
                    "".join([cell if cell.endswith("\n") or not cell else cell + "\n", *got]),
                    start,
                )
            got, n_atoms = [], 0
            start = lines.number + 1
        if line is None:
            return


def _tell(text, where, told):
    """A warning, once for each file."""
    if text and text not in told:
        warnings.warn(f"{where} {text}", stacklevel=5)
        told.add(text)


def _symmetry(row):
    """What to say where the cell has symmetry that would make more atoms."""
    group = row[55:66].strip()
    if group.replace(" ", "").upper() in ("", "P1"):
        return ""
    return (
        f"names the space group {group}, which is not applied: its atoms are taken as they are "
        "listed; where these are the asymmetric unit, write the whole cell."
    )


def _one_place_each(rows):
    """Rows of which each atom has one place, and what to say of the others.

    Of the alternative locations of a residue (a letter in column 17) those of one letter stay:
    of the most occupied, the first of equal ones.
    """
    occupied = {}
    for row in rows:
        if row[16:17].strip():
            letters = occupied.setdefault(row[17:27], {})
            letters[row[16]] = letters.get(row[16], 0.0) + _occupancy(row)
    if not any(len(letters) > 1 for letters in occupied.values()):
        return rows, ""
    kept = {residue: max(letters, key=letters.get) for residue, letters in occupied.items()}
    rows = [row for row in rows if row[16:17] in (" ", kept.get(row[17:27]))]
    return rows, (
        "has atoms at alternative locations; of each residue those of the most occupied one are "
        "taken, the others are left out."
    )


def _occupancy(row):
    try:
        return float(row[54:60])
    except ValueError:
        return 1.0


def _broken(rows):
    """Whether the last row ends without a new line before the others do."""
    whole = min(map(len, rows[:-1]), default=0)
    return not rows[-1].endswith("\n") and len(rows[-1]) < 54 <= whole


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms (Å) of one model, in the file's order, with its virtual sites."""
    rows = lines_of(text)
    cell = None
    if rows[0].startswith("CRYST1"):
        cell = _cell(rows.pop(0), where)
    positions = np.empty((len(rows), 3))
    for k, row in enumerate(rows):
        try:
            positions[k] = row[30:38], row[38:46], row[46:54]
        except ValueError:
            raise ValueError(
                f"{where}: {row.strip()[:60]!r} has no three positions in columns 31 "
                "to 54; repair the file."
            ) from None
    return sites(where, _labels(rows, elements), positions, cell, cell is not None, elements)


def _cell(row, where):
    try:
        found = [
            float(row[a:b]) for a, b in ((6, 15), (15, 24), (24, 33), (33, 40), (40, 47), (47, 54))
        ]
    except ValueError:
        try:
            found = [float(word) for word in row.split()[1:7]]
        except ValueError:
            found = []
    if len(found) < 6:
        raise ValueError(
            f"{row.strip()[:60]!r} holds no six numbers of a cell; repair it or take it out."
        )
    if max(found[:3]) <= 1.0:  # the usual stand-in for no cell
        return None
    return cell_of(found[:3], found[3:], where)


def _labels(rows, elements):
    """The element's own column; where that is empty, the name, as its column says."""
    own = [row[76:78].strip() for row in rows]
    if not all(own):
        names = [row[12:16] for row in rows]
        residues = [row[17:27] for row in rows]
        guessed = labels_of(
            [name.strip() for name in names],
            [row[17:20].strip() for row in rows],
            residues,
            elements,
        )
        # A name of two letters that begins in column 13 is that of an element, such as "CA  ".
        guessed = [
            name[:2]
            if name[:2].isalpha() and element_of(name[:2]) and len(name.strip()) == 2
            else label
            for name, label in zip(names, guessed, strict=True)
        ]
        own = [symbol or label for symbol, label in zip(own, guessed, strict=True)]
    if isinstance(elements, dict):
        own = [
            name if (name := row[12:16].strip()) in elements else label
            for row, label in zip(rows, own, strict=True)
        ]
    return own
