"""XYZ and extended XYZ: a count, a comment that may name cell and columns, then the atoms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.io.extxyz import key_val_str_to_dict

from ..frame import check_count, read_columns, sites

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines

_PLAIN = "species:S:1:pos:R:3"
_SPECIES = ("species", "symbols", "element", "elements", "symbol")
_TYPES = ("type", "types", "particle_type")
_IDS = (
    "id",
    "ids",
    "atom_id",
    "particle_id",
    "identifier",
    "particle_identifier",
    "index",
    "atom_index",
)
_STRESS = re.compile(r"\b(stress|virial)\s*=")
_TIMESTEP = re.compile(r"Timestep:\s*(\d+)")
_CP2K = re.compile(r"\bi\s*=\s*(\d+),\s*time\s*=\s*([-+.\dEe]+)")


def cut(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """Text of the frames, one after the other, with the number of the first line of each."""
    while (first := lines.full()) is not None:
        start = lines.number
        words = first.split()
        if len(words) != 1 or not words[0].isdecimal():
            raise ValueError(
                f"line {start}: a number of atoms is expected, not "
                f"{first.strip()[:40]!r}; repair the file."
            )
        check_count(int(words[0]), f"line {start}")
        comment = lines.take(1)
        yield first + comment + lines.take(int(words[0])), start


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms of the text of one frame. The cell is periodic where `pbc` does not say else."""
    first, comment, rows = (text.split("\n", 2) + [""])[:3]
    n = int(first.strip())
    info = _info(comment)
    lattice = info.pop("Lattice", None)
    cell = None if lattice is None else _lattice(lattice)
    pbc = _pbc(info.pop("pbc", lattice is not None))
    origin = info.pop("Origin", None)
    columns, groups = _columns(str(info.pop("Properties", _PLAIN)), rows)
    if n == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    table = read_columns(rows, columns, line + 2)
    if len(table) != n:
        raise ValueError(
            f"{where}: {len(table)} lines of atoms where {n} are expected; repair the file."
        )
    arrays = {name: _array(table, name, width, kind) for name, (width, kind) in groups.items()}
    labels, positions, ids = _known(arrays, n)
    if origin is not None:
        info["Origin"] = origin
    return sites(where, labels, positions, cell, pbc, elements, ids=ids, arrays=arrays, info=info)


def _info(comment):
    """What the comment says; a plain one gives at most a time."""
    extended = re.search(r"\b(lattice|properties|pbc)\s*=", comment, re.IGNORECASE)
    if not extended and (found := _CP2K.search(comment)):
        return {"step": int(found[1]), "time": float(found[2])}
    if not extended and (found := _TIMESTEP.search(comment)):
        return {"timestep": int(found[1])}
    if "=" not in comment:
        return {}
    try:
        info = _entries(comment)
    except ValueError:  # of a lattice only: what else is no number stays a text
        raise ValueError("Lattice is not nine numbers; repair the file.") from None
    return {
        name
        if name.lower() not in ("lattice", "properties", "pbc", "origin")
        else {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc", "origin": "Origin"}[
            name.lower()
        ]: value
        for name, value in info.items()
    }


def _entries(comment):
    """Keys and values; a stress of six numbers, which ASE refuses, under another name."""
    try:
        return key_val_str_to_dict(comment)
    except ValueError:
        return key_val_str_to_dict(_STRESS.sub(r"\1_as_written=", comment))


def _pbc(given):
    """Three flags, or one for all."""
    flags = np.atleast_1d(given)
    if (
        flags.dtype.kind not in "bi"
        or len(flags) not in (1, 3)
        or not np.isin(flags, (0, 1)).all()
    ):
        raise ValueError("pbc is not three T or F; repair the file.")
    return np.broadcast_to(flags.astype(bool), 3)


def _lattice(values):
    values = np.asarray(values)
    if values.dtype.kind not in "if" or values.size != 9:
        raise ValueError("Lattice is not nine numbers; repair the file.")
    return values.T if values.shape == (3, 3) else values.reshape(3, 3)


def _columns(properties, rows):
    """Columns for `read_columns`, and (width, kind) of each property."""
    words = properties.split(":")
    if len(words) % 3 or not all(w.isdecimal() and int(w) > 0 for w in words[2::3]):
        raise ValueError(
            f"Properties={properties[:60]} is not name:kind:columns, again and "
            "again; repair the file."
        )
    columns, groups, place = {}, {}, 0
    for name, kind, width in zip(words[::3], words[1::3], map(int, words[2::3]), strict=True):
        kind = {"R": "f", "I": "i", "S": "s", "L": "s"}.get(kind)
        if kind is None:
            raise ValueError(
                f"Properties={properties[:60]} has a kind other than R, I, S, L; repair the file."
            )
        groups[name] = width, "L" if words[1::3][len(groups)] == "L" else kind
        for k in range(width):
            columns[f"{name} {k}"] = place, kind
            place += 1
    return columns, groups


def _array(table, name, width, kind):
    parts = [table[f"{name} {k}"] for k in range(width)]
    values = parts[0] if width == 1 else np.stack(parts, axis=1)
    return np.isin(values, ("T", "True", "TRUE", "true", "1")) if kind == "L" else values


def _known(arrays, n):
    """Labels, positions and ids, taken out of the arrays."""
    positions = next(
        (arrays.pop(name) for name in ("pos", "positions", "position") if name in arrays), None
    )
    if positions is None or positions.shape != (n, 3):
        raise ValueError("Properties names no pos:R:3; write the positions.")
    labels = next((arrays.pop(name) for name in ("Z", "numbers") if name in arrays), None)
    if labels is not None:
        from ase.data import chemical_symbols

        if (
            labels.dtype.kind != "i"
            or labels.min(initial=0) < 0
            or (labels.max(initial=0) >= len(chemical_symbols))
        ):
            raise ValueError("Z is no atomic number; repair the file.")
        labels = np.array(chemical_symbols)[labels]
    for name in (*_SPECIES, *_TYPES):
        if labels is None and name in arrays:
            labels = arrays.pop(name) if name in _SPECIES else arrays[name]
    if labels is None:
        raise ValueError("Properties names neither species nor types; write one of them.")
    name = min(
        (
            name
            for name in arrays
            if name.lower() in _IDS
            and arrays[name].ndim == 1
            and arrays[name].dtype.kind == "i"
            and len(np.unique(arrays[name])) == n
        ),
        key=lambda name: _IDS.index(name.lower()),
        default=None,
    )
    for taken in ("numbers", "positions"):
        arrays.pop(taken, None)
    return labels, positions, None if name is None else arrays.pop(name)
