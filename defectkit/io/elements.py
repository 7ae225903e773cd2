"""Elements of atoms from whatever a file calls them: symbols, types, labels, masses."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from .._types import Elements

if TYPE_CHECKING:
    from ase import Atoms

_SYMBOLS = {name: number for name, number in atomic_numbers.items() if number > 0}
_ISOTOPES = {"D": 1, "T": 1}
_VIRTUAL = re.compile(r"(X+|VAC?|MW?|EPW?|LP|IW|DU|DUM|DUMMY|BQ|GH|GHOST|VS|VIRT|Q)\d*", re.I)
_WATER = re.compile(r"([OH])W\d*", re.I)
_LABEL = re.compile(r"\d*([A-Za-z]{1,2})(?![A-Za-z])")


def as_elements(elements: Elements) -> tuple[int, ...] | dict[str, int] | None:
    """What a user gives as `elements`, checked: None, a tuple or a dict of atomic numbers.

    A text counts as one symbol, or several apart by commas or spaces. None and "X" stand for
    sites that are no atoms. Raises ValueError or TypeError that names the wrong one.
    """
    if elements is None:
        return None
    if isinstance(elements, str):
        elements = elements.replace(",", " ").split()
    if isinstance(elements, Mapping):
        return {str(name): _number(symbol) for name, symbol in elements.items()}
    if not isinstance(elements, Sequence | np.ndarray) or len(elements) == 0:
        raise TypeError(
            f"elements={elements!r} is no list of symbols; give one for each type, "
            'e.g. elements=["Si", "O"].'
        )
    return tuple(_number(symbol) for symbol in elements)


def _number(symbol):
    if symbol is None or symbol == "X":
        return 0
    if isinstance(symbol, str) and symbol.strip().capitalize() in _SYMBOLS | _ISOTOPES:
        return (_SYMBOLS | _ISOTOPES)[symbol.strip().capitalize()]
    raise ValueError(
        f"elements names {symbol!r}, which is no chemical element; use symbols such "
        "as Si, or None for sites that are no atoms."
    )


def element_of(label: str) -> int | None:
    """Atomic number of a label: 0 for a virtual site, None where it names no element.

    >>> [element_of(x) for x in ("Fe", "CU", "O2-", "Fe_pv", "D", "HW1", "MW", "1", "Zz")]
    [26, 29, 8, 26, 1, 1, 0, None, None]
    """
    if label in _SYMBOLS:
        return _SYMBOLS[label]
    if label.upper() in _ISOTOPES:
        return 1
    if _VIRTUAL.fullmatch(label) and label.upper() != "V":
        return 0
    if water := _WATER.fullmatch(label):
        return _SYMBOLS[water[1].upper()]
    if found := _LABEL.match(label):
        return (_SYMBOLS | _ISOTOPES).get(found[1].capitalize())
    return None


def by_mass(mass: float) -> int | None:
    """Atomic number of the one element with this mass (u), None where none or two are near.

    A mass of exactly 1 is that of a model and not of hydrogen.

    >>> by_mass(26.98), by_mass(63.54), by_mass(1.0), by_mass(40.0)
    (13, 29, None, None)
    """
    if not mass > 0 or mass == 1.0:
        return None
    away = np.abs(atomic_masses[1:] - mass)
    first, second = np.argsort(away)[:2]
    near = away[first] < max(0.05, 0.003 * mass) and away[second] > 2.5 * away[first]
    return int(first) + 1 if near else None


def numbers_of(
    labels: Sequence[Any] | np.ndarray,
    elements: Any,
    where: str,
    masses: Mapping[Any, float] | None = None,
) -> np.ndarray:
    """Atomic numbers of atoms, 0 for sites that are no atoms.

    Parameters
    ----------
    labels : sequence of str or int
        What the file calls each atom; whole numbers are types that count from 1.
    elements : of `as_elements`
    where : str
        Begins the sentences of errors.
    masses : dict of float, optional
        Mass of each label (u), which tells the element where nothing else does.

    Returns
    -------
    array (n_atoms,) of int
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "iu":
        kinds, place = np.unique(labels, return_inverse=True)
        table = _table([str(kind) for kind in kinds], elements, where, masses)
        return np.array([table[str(kind)] for kind in kinds], int)[place]
    labels = labels.tolist()
    table = _table(list(dict.fromkeys(labels)), elements, where, masses)
    return np.fromiter(map(table.__getitem__, labels), int, len(labels))


def renamed(atoms: Atoms, elements: Any, where: str) -> Atoms:
    """Atoms (a copy) whose symbols a dict such as {"H": "Cu"} changes; None leaves them out.

    Raises ValueError where `elements` names symbols that are not there, or, as a list for types,
    not those that are.
    """
    symbols = atoms.get_chemical_symbols()
    there = ", ".join(sorted(set(symbols)))
    if not isinstance(elements, dict):
        others = [n for n in dict.fromkeys(atoms.numbers.tolist()) if n not in elements]
        if others:
            new = next((chemical_symbols[number] for number in elements if number), "Cu")
            raise ValueError(
                f"{where} has elements ({there}) and no types; leave elements out, or name new "
                f'ones by symbol, e.g. elements={{"{chemical_symbols[others[0]]}": "{new}"}}.'
            )
        return atoms
    unknown = sorted(set(elements) - set(symbols))
    if unknown:
        raise ValueError(f"{where} has no atoms called {unknown[0]!r}; it holds {there}.")
    copy = atoms.copy()
    copy.calc = atoms.calc
    copy.numbers = [
        elements.get(symbol, number) for symbol, number in zip(symbols, atoms.numbers, strict=True)
    ]
    return copy if copy.numbers.all() else copy[copy.numbers != 0]


def left_out(labels: Sequence[Any] | np.ndarray, numbers: np.ndarray) -> str:
    """Names and counts of the sites that are no atoms, such as "20 MW", "" for none."""
    virtual = np.asarray(labels)[numbers == 0]
    return ", ".join(f"{n} {name}" for name, n in Counter(virtual.tolist()).items())


def _table(kinds, elements, where, masses):
    """Atomic number of each label."""
    if isinstance(elements, dict):
        table = {kind: elements.get(kind, element_of(kind)) for kind in kinds}
    elif kinds and all(kind.isdecimal() for kind in kinds):
        table = _types(kinds, elements, where, masses)
    else:
        table = _names(kinds, elements, where)
    unknown = [kind for kind in kinds if table[kind] is None]
    if unknown:
        raise ValueError(
            f"{where} has atoms called {', '.join(map(repr, unknown[:5]))}, which is "
            f"no element; say what they are, e.g. elements={{{unknown[0]!r}: "
            "'Si'}, with None for sites that are no atoms."
        )
    if kinds and not any(table.values()):
        raise ValueError(
            f"{where} has atoms without an element ({', '.join(kinds[:5])}); name "
            'it, e.g. elements=["Ar"].'
        )
    return table


def _types(kinds, elements, where, masses):
    if elements is None:
        table = {kind: by_mass((masses or {}).get(kind, 0.0)) for kind in kinds}
        if None in table.values():
            raise ValueError(
                f"{where} has atom types but no elements; name them in the order of "
                'the types, e.g. elements=["Si"].'
            )
        return table
    most, least = max(map(int, kinds)), min(map(int, kinds))
    if most > len(elements) or least < 1:
        what = f"up to {most}" if least >= 1 else f"from {least}"
        raise ValueError(
            f"{where} has atom types {what}, but elements names {len(elements)}; "
            "name one for each type."
        )
    return {kind: elements[int(kind) - 1] for kind in kinds}


def _names(kinds, elements, where):
    table = {kind: element_of(kind) for kind in kinds}
    if elements is None:
        return table
    open_ = [kind for kind, number in table.items() if not number]
    if len(open_) == len(kinds) == len(elements) == 1:
        return {open_[0]: elements[0]}
    if not any(number is None for number in table.values()) and any(table.values()):
        other = [n for n in table.values() if n and n not in elements]
        if other:
            warnings.warn(
                f"{where} names its own elements, among them "
                f"{chemical_symbols[other[0]]}, which is not in elements; elements is "
                "not used, leave it out.",
                stacklevel=2,
            )
    elif len(elements) == 1 and sum(n is None for n in table.values()) == 1:
        return {kind: elements[0] if n is None else n for kind, n in table.items()}
    return table
