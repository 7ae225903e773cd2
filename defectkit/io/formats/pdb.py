"""Protein Data Bank files: fixed columns, one model after the other."""

import numpy as np

from ..elements import element_of
from ..frame import cell_of, lines_of, sites
from ..source import Cut
from .residues import labels_of

_ATOMS = ("ATOM  ", "HETATM")
_END = ("ENDMDL", "END")


def cut(lines, where):
    """Text of the models, one after the other, each with the last CRYST1 line before it."""
    got, start, cell, n_atoms, models = [], 1, "", 0, False
    while True:
        line = lines.next()
        record = "" if line is None else line[:6].rstrip()
        if line is not None and line.startswith("CRYST1"):
            cell = line
        elif line is not None and line.startswith(_ATOMS):
            got.append(line)
            n_atoms += 1
        models |= record == "MODEL"
        if line is None and n_atoms and (models or _broken(got)):
            raise Cut
        if line is None or record in _END:
            if n_atoms:
                yield (
                    "".join([cell if cell.endswith("\n") or not cell else cell + "\n", *got]),
                    start,
                )
            got, n_atoms = [], 0
            start = lines.number + 1
        if line is None:
            return


def _broken(rows):
    """Whether the last row ends without a new line before the others do."""
    whole = min(map(len, rows[:-1]), default=0)
    return not rows[-1].endswith("\n") and len(rows[-1]) < 54 <= whole


def parse(text, where, elements, unit, line):
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
