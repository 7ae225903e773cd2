"""LAMMPS text dump: orthogonal, triclinic and general boxes, any order of atoms and columns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import Bohr

from ..frame import check_count, lines_of, numbers, read_columns, sites
from ..source import Cut

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines

#: Å for the unit of length of each of LAMMPS' styles of units.
UNITS = {
    "real": 1.0,
    "metal": 1.0,
    "lj": 1.0,
    "electron": Bohr,
    "nano": 10.0,
    "micro": 1e4,
    "cgs": 1e8,
    "si": 1e10,
}
_PLACES = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_SCALED = ("xs", "xsu")
_KEPT = {
    "id": "i",
    "type": "i",
    "mol": "i",
    "mass": "f",
    "q": "f",
    "element": "s",
    "typelabel": "s",
}


def cut(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """Text of the frames, one after the other, with the number of the first line of each."""
    units = ""  # written once, at the top, where they are not those of the style metal or real
    while (line := lines.full()) is not None:
        start, head, n = lines.number, [line], None
        while not head[-1].startswith("ITEM: ATOMS"):
            line = lines.next()
            if line is None:
                raise Cut
            if head[-1].startswith("ITEM: NUMBER OF ATOMS"):
                n = line.strip()
            if head[-1].startswith("ITEM: UNITS"):
                units = line.strip()
            head.append(line)
        if n is None or not n.isdecimal():
            raise ValueError(
                "'ITEM: NUMBER OF ATOMS' is missing or not followed by a number; repair the dump."
            )
        check_count(int(n), where)
        rows = lines.take(int(n))
        if (
            not rows.endswith("\n")
            and rows
            and (len(rows[rows.rfind("\n") + 1 :].split()) < len(head[-1].split()) - 2)
        ):
            raise Cut
        if units and not any(row.startswith("ITEM: UNITS") for row in head):
            head.insert(0, f"ITEM: UNITS\n{units}\n")
            start -= 2
        yield "".join([*head, rows]), start


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms (Å) of the text of one frame, sorted by id. Positions are where the file has them.

    The corner of the box is kept as `celldisp`; without flags of the boundaries the box counts as
    periodic.
    """
    at = text.index("ITEM: ATOMS")
    head, rows = lines_of(text[:at]), text[at:]
    names, rows = (rows.split("\n", 1) + [""])[:2]
    names = names.split()[2:]
    items = _items(head)
    n = int(items["NUMBER OF ATOMS"][0].strip())
    if n == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    table = read_columns(rows, _wanted(names, where), line + len(head) + 1)
    if len(table) != n:
        raise ValueError(f"{where} has {len(table)} lines of atoms, not {n}; repair the dump.")
    length = UNITS.get(items.get("UNITS", [""])[0].strip(), 1.0)
    cell, origin, pbc = _box(items, where)
    columns = next(c for c in _PLACES if c[0] in names)
    positions = np.stack([table[c] for c in columns], axis=1)
    if columns[0] in _SCALED:
        positions = positions @ cell + origin
    arrays: dict[str, Any] = {name: table[name] for name in ("type", "mol") if name in names}
    if "q" in names:
        arrays["initial_charges"] = table["q"]
    labels, masses = _labels(table, names, elements, where)
    atoms = sites(
        where,
        labels,
        positions * length,
        cell * length,
        pbc,
        elements,
        masses=masses,
        ids=table["id"] if "id" in names else None,
        arrays=arrays,
        info=_times(items),
    )
    atoms.set_celldisp(origin * length)
    return atoms


def _items(head):
    """Lines of each item of the header."""
    items, name = {}, None
    for line in head:
        if line.startswith("ITEM:"):
            name = line[5:].strip()
            key = "BOX BOUNDS" if name.startswith("BOX BOUNDS") else name
            items[key], items[f"{key} names"] = [], name.removeprefix("BOX BOUNDS").split()
            name = key
        elif name is not None:
            items[name].append(line)
    return items


def _wanted(names, where):
    places = next((c for c in _PLACES if c[0] in names), None)
    if places is None or not all(c in names for c in places):
        raise ValueError(f"{where} has no columns x y z (or xu, xs, xsu); dump them.")
    wanted = {c: (names.index(c), "f") for c in places}
    return wanted | {c: (names.index(c), kind) for c, kind in _KEPT.items() if c in names}


def _labels(table, names, elements, where):
    """Labels of the atoms and masses of the labels."""
    own = next((c for c in ("element", "typelabel") if c in names), None)
    if own is not None and not ("type" in names and elements is not None):
        if "type" in names and set(table[own].tolist()) == {"C"} and np.ptp(table["type"]):
            warnings.warn(
                f"{where} calls all of its types C, as LAMMPS does where dump_modify "
                "names no elements; if they are others, give elements.",
                stacklevel=2,
            )
        return table[own], None
    if "type" not in names and "mass" in names and elements is None:
        heavy, kinds = np.unique(table["mass"], return_inverse=True)
        return kinds + 1, {str(k): float(mass) for k, mass in enumerate(heavy, 1)}
    if "type" not in names:
        if isinstance(elements, tuple) and len(elements) > 1:
            raise ValueError(
                f"{where} has neither types nor elements, but elements names "
                f"{len(elements)}; name the one element, or dump the types."
            )
        return np.ones(len(table), int), None
    masses = None
    if "mass" in names:
        kinds, first = np.unique(table["type"], return_index=True)
        masses = {str(kind): float(table["mass"][k]) for kind, k in zip(kinds, first, strict=True)}
    return table["type"], masses


def _times(items):
    info = {}
    for name, key, kind in (("TIMESTEP", "timestep", int), ("TIME", "time", float)):
        try:
            info[key] = kind(items[name][0])
        except (KeyError, IndexError, ValueError):
            continue
    return info


def _box(items, where):
    """Cell (rows), corner of the box, periodic boundaries."""
    names = items.get("BOX BOUNDS names", [])
    try:
        rows = np.array([numbers(line.split()) for line in items["BOX BOUNDS"]])
        general = rows.shape == (3, 4) and "xy" not in names
        if rows.shape not in ((3, 2), (3, 3)) and not general:
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(
            f"{where}: 'ITEM: BOX BOUNDS' is missing or not three lines of numbers; "
            "repair the dump."
        ) from None
    flags = [name for name in names if len(name) == 2 and set(name) <= set("pfsm")]
    pbc = [flag == "pp" for flag in flags] if len(flags) == 3 else True
    if general:  # avec, bvec, cvec, each with a number of the corner behind it
        return rows[:, :3], rows[:, 3], pbc
    if (rows[:, 0] > rows[:, 1]).any():
        raise ValueError(f"{where} has a box that ends before it begins; repair the dump.")
    (xlo, xhi), (ylo, yhi), (zlo, zhi) = rows[:, :2]
    xy, xz, yz = rows[:, 2] if rows.shape == (3, 3) else (0.0, 0.0, 0.0)
    xlo, xhi = xlo - min(0, xy, xz, xy + xz), xhi - max(0, xy, xz, xy + xz)
    ylo, yhi = ylo - min(0, yz), yhi - max(0, yz)
    cell = np.array([[xhi - xlo, 0, 0], [xy, yhi - ylo, 0], [xz, yz, zhi - zlo]])
    return cell, np.array([xlo, ylo, zlo]), pbc
