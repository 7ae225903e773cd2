"""LAMMPS data file: box, masses and atoms of the usual styles; elements by mass or comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..elements import element_of
from ..frame import check_count, lines_of, read_columns, sites
from .lammps_dump import UNITS

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines

#: Columns of the section Atoms after the id: (molecule, type, charge, first of x y z).
_STYLES = {
    "atomic": (None, 1, None, 2),
    "charge": (None, 1, 2, 3),
    "molecular": (1, 2, None, 3),
    "bond": (1, 2, None, 3),
    "angle": (1, 2, None, 3),
    "full": (1, 2, 3, 4),
    "dipole": (None, 1, 2, 3),
    "sphere": (None, 1, None, 4),
    "ellipsoid": (None, 1, None, 4),
    "spin": (None, 1, None, 2),
    "electron": (None, 1, 2, 5),
    "dpd": (None, 1, None, 3),
}
_SECTION = re.compile(r"[A-Z][A-Za-z]+( [A-Z][A-Za-z]+)*( Coeffs)?$")
_ORDER = ("atomic", "charge", "molecular", "full")


def cut(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """The text of the only frame: all of the file."""
    got = []
    while (line := lines.next()) is not None:
        got.append(line)
    yield "".join(got), 1


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms (Å) of a data file, sorted by id."""
    head, sections = _split(text)
    n = _number(head, r"(\d+)\s+atoms\b", where)
    types = _number(head, r"(\d+)\s+atom\s+types\b", where)
    check_count(n, where)
    if n == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    if "Atoms" not in sections:
        raise ValueError(f"{where} has no section 'Atoms'; write it again.")
    start, hint, rows = sections["Atoms"]
    if len(rows) != n:
        what = "breaks off" if len(rows) < n else "says that it has fewer atoms than it has"
        raise ValueError(
            f"{where} {what}: its section Atoms has {len(rows)} lines, not {n}; write it again."
        )
    cell, origin = _box(head, where)
    style = _style(hint, rows, types, cell, origin, where)
    mol, kind, charge, first = _STYLES[style]
    columns = {
        "id": (0, "i"),
        "type": (kind, "s" if _labelled(sections) else "i"),
        "x": (first, "f"),
        "y": (first + 1, "f"),
        "z": (first + 2, "f"),
    }
    columns |= {"mol": (mol, "i")} if mol else {}
    columns |= {"q": (charge, "f")} if charge else {}
    table = read_columns("".join(rows), columns, start)
    length = UNITS.get(_units(text), 1.0)
    labels, masses = _labels(table["type"], sections, elements)
    arrays = {"type": table["type"]} if table["type"].dtype.kind == "i" else {}
    arrays |= {"mol": table["mol"]} if mol else {}
    arrays |= {"initial_charges": table["q"]} if charge else {}
    positions = np.stack([table[c] for c in "xyz"], axis=1)
    atoms = sites(
        where,
        labels,
        positions * length,
        cell * length,
        True,
        elements,
        masses=masses,
        ids=table["id"],
        arrays=arrays,
    )
    atoms.set_celldisp(origin * length)
    return atoms


def _split(text):
    """Header, and of each section: number of its first line, comment, lines."""
    head, name = [], None
    sections: dict[str, list[Any]] = {}
    for number, row in enumerate([row + "\n" for row in lines_of(text)], 1):
        plain, _, comment = row.partition("#")
        if number > 1 and _SECTION.fullmatch(plain.strip()):  # the first line is a title
            name = plain.strip()
            sections[name] = [number, comment.strip(), []]
        elif name is None:
            head.append(row)
        elif plain.strip():
            if not sections[name][2]:
                sections[name][0] = number
            sections[name][2].append(
                row if name in ("Masses", "Atom Type Labels") else plain.rstrip() + "\n"
            )
    return head, sections


def _number(head, pattern, where):
    found = next((m for row in head if (m := re.match(r"\s*" + pattern, row))), None)
    if found is None:
        raise ValueError(f"{where} does not say how many atoms and types it has; write it again.")
    return int(found[1])


def _units(text):
    found = re.search(r"units\s*=\s*(\w+)", text.split("\n", 1)[0])
    return found[1] if found else ""


def _box(head, where):
    """Cell (rows) and its corner."""
    number = r"([-+.\dEeDd]+)"
    found: dict[str, Any] = {}
    for row in head:
        plain = re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "E", row.split("#")[0])
        for axis in "xyz":
            if m := re.match(rf"\s*{number}\s+{number}\s+{axis}lo\s+{axis}hi", plain):
                found[axis] = float(m[1]), float(m[2])
        if m := re.match(rf"\s*{number}\s+{number}\s+{number}\s+xy\s+xz\s+yz", plain):
            found["tilt"] = [float(m[k]) for k in (1, 2, 3)]
        for key in ("avec", "bvec", "cvec", "abc origin"):
            if m := re.match(rf"\s*{number}\s+{number}\s+{number}\s+{key}", plain):
                found[key] = [float(m[k]) for k in (1, 2, 3)]
    if {"avec", "bvec", "cvec"} <= found.keys():
        cell = np.array([found[k] for k in ("avec", "bvec", "cvec")])
        return cell, np.array(found.get("abc origin", [0.0, 0.0, 0.0]))
    if not {"x", "y", "z"} <= found.keys():
        raise ValueError(f"{where} has no box ('xlo xhi' and so on); write it again.")
    low, high = np.array([found[axis] for axis in "xyz"]).T
    if (low > high).any():
        raise ValueError(f"{where} has a box that ends before it begins; repair the file.")
    xy, xz, yz = found.get("tilt", (0.0, 0.0, 0.0))
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, low


def _style(hint, rows, types, cell, origin, where):
    """Atom style: what the section says, else what fits the columns."""
    hint = hint.split()[0] if hint else ""
    if hint in _STYLES:
        return hint
    words = np.array(
        [row.split() for row in rows[:200] if len(row.split()) == len(rows[0].split())]
    )
    fitting = [style for style in _ORDER if _fits(words, *_STYLES[style], types, cell, origin)]
    if "charge" in fitting and "molecular" in fitting:  # a charge has a point, a molecule none
        whole = all(word.lstrip("+-").isdecimal() for word in words[:, 2])
        fitting.remove("charge" if whole else "molecular")
    if not fitting:
        raise ValueError(
            f"{where}: the columns of its section Atoms are of no style known here "
            "(atomic, charge, molecular, full); write the style behind it, as in "
            "'Atoms # full'."
        )
    return fitting[0]


def _fits(words, mol, kind, charge, first, types, cell, origin):
    columns = words.shape[1]
    if columns not in (first + 3, first + 6):
        return False
    if columns == first + 6 and not all(w.lstrip("+-").isdecimal() for w in words[:, -3:].ravel()):
        return False
    try:
        number = words[:, kind].astype(float)
        places = words[:, first : first + 3].astype(float)
        words[:, mol or 0].astype(float)
    except ValueError:
        return False
    if not (np.all(number == np.round(number)) and 1 <= number.min() <= number.max() <= types):
        return False
    scaled = (places - origin) @ np.linalg.pinv(cell)
    return bool(np.mean(np.abs(scaled - 0.5) < 1.5) > 0.9)


def _labelled(sections):
    """Whether the atoms name labels of types instead of numbers."""
    return "Atom Type Labels" in sections


def _labels(kinds, sections, elements):
    """Labels of the atoms and masses of types: a comment behind a mass names the element."""
    rows = sections.get("Masses", [0, "", []])[2]
    masses, comments = {}, {}
    for row in rows:
        plain, _, comment = row.partition("#")
        words = plain.split()
        if len(words) >= 2:
            masses[words[0]] = float(words[1].replace("D", "E").replace("d", "e"))
            comments[words[0]] = comment.split()[0] if comment.split() else ""
    if _labelled(sections):
        return kinds, masses
    named = all(element_of(comments.get(str(k), "")) for k in np.unique(kinds))
    if elements is None and named:
        return np.array([comments[str(k)] for k in kinds.tolist()]), masses
    return kinds, masses
