"""Crystallographic information files: cell, atoms, and the symmetry that is listed or named."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.io.cif import parse_cif
from ase.spacegroup import Spacegroup
from ase.spacegroup.spacegroup import SpacegroupError, parse_sitesym

from ..frame import cell_of, sites
from .by_ase import checked

if TYPE_CHECKING:
    from ase import Atoms

_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_NAMES = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m")
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_SAME = 0.1  # Å: images of an atom that come nearer are one, coordinates have few digits
_CHOICE = re.compile(r"\s*:\s*([12HR])\s*$", re.IGNORECASE)


def frames(path: Path, text: Any, elements: Any, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each block that has atoms, with all that the symmetry makes of them."""
    n = 0
    for block in _blocks(path, text):
        if "_atom_site_fract_x" in block or "_atom_site_cartn_x" in block:
            frame = f"{where}, frame {n}"
            yield checked(_atoms(block, elements, frame), frame)
            n += 1
    if n == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")


def _blocks(path, text):
    try:
        yield from parse_cif(text)
    except Exception as err:  # ASE's parser raises whatever a damaged loop leads to
        said = " ".join(str(err).split())[:150]
        raise ValueError(f"{path} breaks off or is damaged ({said}); write it again.") from None


def _atoms(block, elements, where):
    listed = _places(block, where)
    if len(listed) == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one atom.")
    labels = _column(block, "_atom_site_type_symbol") or _column(block, "_atom_site_label")
    if labels is None or len(labels) != len(listed):
        raise ValueError(f"{where} does not name the element of each atom; repair the file.")
    _check_occupancy(block, where)
    fract = "_atom_site_fract_x" in block
    if not fract and "_cell_length_a" not in block:
        return sites(where, labels, listed, None, False, elements)
    edges = [(_column(block, f"_cell_{name}") or [None])[0] for name in _CELL]
    cell = cell_of(
        _numbers(edges[:3], "a cell", where), _numbers(edges[3:], "a cell", where), where
    )
    of, places = [], []
    rotations, translations = _operations(block, where)
    for k, place in enumerate(listed if fract else listed @ np.linalg.inv(cell)):
        images = _images(place, rotations, translations, cell)
        of += [k] * len(images)
        places += images
    named = [labels[k] for k in of]
    return sites(where, named, np.array(places) @ cell, cell, True, elements)


def _column(block, name):
    """Values of a loop, or of a single item, as texts; None where there is none."""
    values = block.get(name)
    if values is None:
        return None
    return [str(value) for value in (values if isinstance(values, list) else [values])]


def _numbers(words, what, where):
    """Floats, without the standard uncertainty in brackets."""
    try:
        return np.array([str(word).partition("(")[0] for word in words], float)
    except ValueError:
        raise ValueError(
            f"{where} has {', '.join(map(str, words[:3]))} where numbers of {what} are expected; "
            "repair the file."
        ) from None


def _places(block, where):
    """Coordinates (n, 3) of the listed atoms, scaled where the file has such."""
    kind = "fract" if "_atom_site_fract_x" in block else "cartn"
    columns = [_column(block, f"_atom_site_{kind}_{axis}") or [] for axis in "xyz"]
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"{where} has no x, y and z of each atom; repair the file.")
    return np.stack([_numbers(column, "a position", where) for column in columns], axis=1)


def _check_occupancy(block, where):
    words = _column(block, "_atom_site_occupancy") or []
    part = [
        word for word in words if word not in ".?" and _numbers([word], "an", where)[0] < 0.999
    ]
    if part:
        raise ValueError(
            f"{where} has sites that are occupied in part or by several elements ({part[0]}); "
            "give a structure with one atom on each site."
        )


def _operations(block, where):
    """Rotations (n, 3, 3) and translations (n, 3): those listed, else those of the group named."""
    listed = next((found for name in _OPERATIONS if (found := _column(block, name))), None)
    name = next((found[0] for key in _NAMES if (found := _column(block, key))), "")
    number = next((found[0] for key in _NUMBERS if (found := _column(block, key))), "")
    try:
        if listed:
            return parse_sitesym(listed)
        return _of_group(name, number, where)
    except (SpacegroupError, ValueError, SyntaxError, IndexError):
        said = name or number or (listed or [""])[0]
        raise ValueError(
            f"{where} has a symmetry that is not understood ({said}); list "
            "its operations, or write the whole cell."
        ) from None


def _of_group(name, number, where):
    """Operations of a space group by its number or name; of two origins the first, and told."""
    choice = _CHOICE.search(name)
    name = _CHOICE.sub("", name).strip()
    group = int(number) if number.isdecimal() and int(number) else name
    if not group:
        return np.eye(3)[None], np.zeros((1, 3))
    setting = 2 if choice and choice[1].upper() in ("2", "R") else 1
    found = Spacegroup(group, setting)
    if not choice and setting == 1 and _has_two(found.no):
        warnings.warn(
            f"{where} names {found.symbol}, which has two settings, and lists no operations: the "
            "first is taken; list the operations if it is another.",
            stacklevel=8,
        )
    return found.get_op()


def _has_two(number):
    try:
        Spacegroup(number, 2)
    except SpacegroupError:
        return False
    return True


def _images(place, rotations, translations, cell):
    """Scaled coordinates of one atom's images in the cell, each once."""
    found = []
    for image in (rotations @ place + translations) % 1.0:
        away = np.array(found).reshape(-1, 3) - image
        away -= np.round(away)
        if not (np.linalg.norm(away @ cell, axis=1) < _SAME).any():
            found.append(image)
    return found
