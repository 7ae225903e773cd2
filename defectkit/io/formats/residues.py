"""Elements of atoms that carry the names of molecular files: OW, HW1, CA of a protein, Na+."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..elements import element_of

_WATER = {
    "SOL",
    "WAT",
    "HOH",
    "TIP",
    "TIP3",
    "TIP4",
    "TIP5",
    "SPC",
    "WATER",
    "TIP3P",
    "TIP4P",
    "TIP5P",
    "SPCE",
    "H2O",
    "OPC",
    "ICE",
    "DOD",
    "TP3",
    "T3P",
    "T4P",
}
_AMINO = {
    "ALA",
    "ARG",
    "ASN",
    "ASP",
    "CYS",
    "GLN",
    "GLU",
    "GLY",
    "HIS",
    "ILE",
    "LEU",
    "LYS",
    "MET",
    "PHE",
    "PRO",
    "SER",
    "THR",
    "TRP",
    "TYR",
    "VAL",
}
#: Two capital letters that name an element and, in molecules, an atom of C, H, N, O.
_EITHER = {
    "CA",
    "CD",
    "CE",
    "CO",
    "CS",
    "CF",
    "CM",
    "CN",
    "HE",
    "HF",
    "HG",
    "HO",
    "HS",
    "NA",
    "NB",
    "ND",
    "NE",
    "NI",
    "NO",
    "NP",
    "OS",
    "OG",
    "PA",
    "PB",
    "PD",
    "SB",
    "SC",
    "SE",
    "SG",
    "CR",
    "CU",
    "CL",
}
_SURE = {"CL", "CU", "CR"}  # of these, those that in practice are the element


def labels_of(
    names: Sequence[str], kinds: Sequence[str], residues: Sequence[Any], elements: Any
) -> list[str]:
    """Labels for `elements.numbers_of`, from atom names.

    Parameters
    ----------
    names : list of str
        Atom names.
    kinds : list of str
        Name of the residue of each atom.
    residues : list
        What tells residues apart: number and name.
    elements : None, tuple or dict
        With a dict its keys, which are names, stay as they are.
    """
    sizes = Counter(residues)
    known = set(elements) if isinstance(elements, dict) else set()
    cache = {}
    labels = []
    for name, kind, residue in zip(names, kinds, residues, strict=True):
        key = name, kind, sizes[residue] == 1
        if key not in cache:
            cache[key] = name if name in known else _label(*key)
        labels.append(cache[key])
    return labels


def _label(name, kind, alone):
    plain = name.strip("0123456789+-*'")
    upper = plain.upper()
    if element_of(name) == 0:
        return name
    if kind.upper() in _WATER and (upper[:1] in ("O", "H") or upper in ("D", "DW")):
        return "O" if upper[0] == "O" else "H"
    if upper.startswith(("OW", "HW")):
        return upper[0]
    mixed = plain[:2].isalpha() and plain[:2] != upper[:2] and plain[:1].isupper()
    if mixed and element_of(plain[:2]):
        return plain[:2]
    if kind.upper() in _AMINO and upper[:1] in "CHNOS":
        return upper[0]
    two = upper[:2]
    if (
        len(upper) >= 2
        and element_of(two)
        and len(upper) == 2
        and (alone or two in _SURE or two not in _EITHER)
    ):
        return two
    if upper[:1] and element_of(upper[0]) and not name.isdecimal():
        return upper[0]
    return name
