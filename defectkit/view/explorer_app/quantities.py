"""What environments can be coloured by beside clusters and features: element, shell, time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...neighbours.bond_order import first_shell, shells

#: Names of the quantities, in the order of the menu.
NAMES = ("element", "coordination", "q6", "time (frame)")
_RANGE = r"(\S+) to (\S+)"
_REACH = 6.0  # Å, up to which the first shell is looked for


def of_environments(name: str, data: Any) -> np.ndarray:
    """Values (n,) of a quantity; q6 and coordination count neighbours in the first shell.

    The shell ends at the cutoff of the result, or where the radial distribution function of the
    first frame has its first minimum (:func:`defectkit.neighbours.bond_order.first_shell`).
    Hydrogen counts only where it is looked at. `data`: `sources.Source`.
    """
    if name == "time (frame)":
        return data.frame.astype(float)
    if name == "element":
        return elements(data)
    return surroundings(data)[("coordination", "q6").index(name)]


def elements(data: Any) -> np.ndarray:
    """Symbol of each environment's atom."""
    symbols = [np.array(atoms.get_chemical_symbols()) for atoms in data.frames]
    found = np.empty(len(data.frame), "<U3")
    for f in np.unique(data.frame):
        mine = data.frame == f
        found[mine] = symbols[f][data.atom[mine]]
    return found


def surroundings(data: Any) -> np.ndarray:
    """Number of neighbours and q6 of each environment, (2, n); see :func:`of_environments`."""
    found = np.zeros((2, len(data.frame)))
    bare = elements(data)
    cutoff = data.cutoff or first_shell(data.frames[0], _REACH)
    for f in np.unique(data.frame):
        mine, atoms = np.flatnonzero(data.frame == f), data.frames[f]
        counted = (atoms.numbers != 1) | ("H" in bare)
        shell = shells(atoms, cutoff, data.atom[mine], counted)
        found[:, mine] = shell[[0, 3]]
    return found


def _angles(pair, near, far, low, high):
    """A function that is largest in the middle of its two ranges, and even about 0 and 180°."""
    place = f"within {far:.3g} Å" if near < 0 else f"from {near:.3g} to {far:.3g} Å"
    return f"angles {pair} {max(low, 0):g} to {min(high, 180):g}°, {place}"


def readable(columns: Sequence[str]) -> list[str]:
    """Names of features in words, `columns` as `SymmetryFunctions.names` gives them.

    A name that two columns would share is followed by the column's own.

    Examples
    --------
    >>> readable(["G2 Cu eta=3.5/Å² rs=1.485 rc=5.94 Å", "G22 Cu-O p2 -6 to 6 Å, -45 to 45°"])
    ['Cu near 1.49 Å', 'angles Cu-O 0 to 45°, within 6 Å']
    """
    words = []
    for name in columns:
        radial = re.fullmatch(r"G\d+ (.+) eta=\S+ rs=(\S+) rc=\S+ Å", name)
        angular = re.fullmatch(rf"G\d+ (.+) \S+ {_RANGE} Å, {_RANGE}°", name)
        words.append(
            f"{radial[1]} near {float(radial[2]):.2f} Å"
            if radial
            else _angles(angular[1], *map(float, angular.groups()[1:]))
            if angular
            else name
        )
    return [
        word if words.count(word) == 1 else f"{word} [{name}]"
        for word, name in zip(words, columns, strict=True)
    ]
