"""What n2p2's files say: input.nn and scaling.data as plain values, checked line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from .._types import FilePath
from ..io.atomic_write import user_path
from .kernel_tables import Function

# Arguments of a symfunction_short line after centre and type; e1, e2 are neighbour elements.
ARGUMENTS = {
    2: "e1 eta rs rc",
    3: "e1 e2 eta lam zeta rc [rs]",
    9: "e1 e2 eta lam zeta rc [rs]",
    12: "eta rs rc",
    13: "eta rs lam zeta rc",
    20: "e1 rl rc sub",
    21: "e1 e2 rl rc left right sub",
    22: "e1 e2 rl rc left right sub",
    23: "rl rc sub",
    24: "rl rc left right sub",
    25: "rl rc left right sub",
}
_READ = {
    "number_of_elements",
    "elements",
    "cutoff_type",
    "symfunction_short",
    "symfunction",
    "scale_symmetry_functions",
    "center_symmetry_functions",
    "scale_min_short",
    "scale_max_short",
    "scale_symmetry_functions_sigma",
    "nnp_type",
    "nnp_generation",
    "nnp_gen",
    "nnp_type_gen",
    "mean_energy",
    "conv_energy",
    "conv_length",
    "atom_energy",
    "normalize_nodes",
    "global_hidden_layers_short",
    "global_nodes_short",
    "global_activation_short",
    "element_hidden_layers_short",
    "element_nodes_short",
    "element_activation_short",
}
_REPEATED = {
    "symfunction_short",
    "atom_energy",
    "element_hidden_layers_short",
    "element_nodes_short",
    "element_activation_short",
}
_UNSUPPORTED = {
    "symfunction_electrostatic",
    "element_symfunction_short",
    "global_symfunction_short",
    "element_symfunction_electrostatic",
    "global_symfunction_electrostatic",
    "element_pairsymfunction_short",
    "global_pairsymfunction_short",
    "use_electrostatics",
}
SUBTYPES = {"p1": 1, "p2": 2, "p3": 3, "p4": 4, "e": 5, "p1a": 11, "p2a": 12, "p3a": 13, "p4a": 14}


def read_input_nn(path: FilePath) -> dict[str, list[tuple[int, list[str]]]]:
    """Keywords of an n2p2 settings file: dict of keyword -> list of (line number, arguments).

    Raises FileNotFoundError, and ValueError for a file that is not an `input.nn` or that asks for
    symmetry functions in a way that is not understood here; training keywords pass.
    """
    path = user_path(path)
    if path.is_dir():
        path = path / "input.nn"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of n2p2's input.nn.")
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file; give the path of n2p2's input.nn.") from None
    keywords = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split("!")[0].split()
        if words:
            name = "symfunction_short" if words[0] == "symfunction" else words[0]
            keywords.setdefault(name, []).append((number, words[1:]))
    if "elements" not in keywords or "symfunction_short" not in keywords:
        raise ValueError(
            f"{path} has no 'elements' or no 'symfunction_short' line: it is not an "
            "n2p2 input.nn; give the path of one."
        )
    for name, entries in keywords.items():
        if name in _UNSUPPORTED:
            raise ValueError(
                f"{path}, line {entries[0][0]}: '{name}' is not supported; write out "
                "the functions as 'symfunction_short' lines."
            )
        near = [] if name in _READ else get_close_matches(name, _READ - {name}, 1, 0.9)
        if near and not _is_known_elsewhere(name):
            raise ValueError(
                f"{path}, line {entries[0][0]}: unknown keyword '{name}'; "
                f"did you mean '{near[0]}'?"
            )
        if name in _READ - _REPEATED and len(entries) > 1:
            raise ValueError(f"{path}, line {entries[1][0]}: a second '{name}'; keep one.")
    return keywords


def _is_known_elsewhere(name):
    return name.endswith(("_electrostatic", "_charge", "_energy", "_force", "_pair"))


@dataclass(frozen=True)
class Scaling:
    """How raw values become inputs of a net: `low + (G - offset) * factor`, n2p2's order."""

    offset: np.ndarray
    factor: np.ndarray
    low: float
    minimum: np.ndarray
    maximum: np.ndarray


def read_elements(path: FilePath, keywords: Mapping[str, Any]) -> list[str]:
    """Symbols of the file's elements; ValueError where they or their number cannot be right."""
    elements = [e for _, words in keywords["elements"] for e in words]
    for e in elements:
        if not atomic_numbers.get(e):
            raise ValueError(f"{path}: '{e}' in 'elements' is not a chemical element.")
        if elements.count(e) > 1:
            raise ValueError(f"{path}: 'elements' names {e} twice; name each element once.")
    number = read_number(keywords, "number_of_elements", len(elements))
    if number != len(elements):
        raise ValueError(
            f"{path}: 'number_of_elements' is {number:g} but 'elements' names "
            f"{len(elements)} ({', '.join(elements)}); correct one of them."
        )
    return elements


def read_cutoff(path: FilePath, keywords: Mapping[str, Any]) -> tuple[int, float]:
    """Type of the cutoff function and its inner radius, as an input.nn states them."""
    number, words = keywords.get("cutoff_type", [(0, ["2"])])[0]
    try:
        kind, inner = int(words[0]), float(words[1]) if len(words) > 1 else 0.0
        if not 0 <= kind <= 8 or not 0.0 <= inner < 1.0:
            raise ValueError
    except (ValueError, IndexError):
        raise ValueError(
            f"{path}, line {number}: 'cutoff_type' needs a type from 0 to 8 and, "
            "optionally, an inner radius in [0, 1)."
        ) from None
    return kind, inner


def read_function(
    words: Sequence[str], elements: Sequence[str], number: int, where: str, unit: float
) -> Function:
    """One `symfunction_short` line as a `Function`, lengths in Å."""
    try:
        centre, kind = words[0], int(words[1])
        names = ARGUMENTS[kind].split()
    except (IndexError, ValueError, KeyError):
        raise ValueError(
            f"{where}: not a symmetry function of a known type ({', '.join(map(str, ARGUMENTS))})."
        ) from None
    required = [n for n in names if not n.startswith("[")]
    if len(words) - 2 < len(required):
        raise ValueError(f"{where}: type {kind} needs '{ARGUMENTS[kind]}' after the type.")
    given = dict(zip([n.strip("[]") for n in names], words[2:], strict=False))
    for e in (centre, given.get("e1", centre), given.get("e2", centre)):
        if e not in elements:
            raise ValueError(
                f"{where}: element {e} is not among the file's elements "
                f"({', '.join(elements)}); add it to 'elements' or drop the line."
            )
    sub = given.pop("sub", "")
    neighbours = tuple(
        sorted((given.pop(e) for e in ("e1", "e2") if e in given), key=atomic_numbers.__getitem__)
    )
    if kind >= 20 and sub not in SUBTYPES:
        raise ValueError(
            f"{where}: '{sub}' is not a compact function; choose one of {', '.join(SUBTYPES)}."
        )
    try:
        value = {n: float(v) for n, v in given.items()}
        if not np.isfinite(list(value.values())).all():
            raise ValueError
    except ValueError:
        raise ValueError(f"{where}: a parameter is not a finite number.") from None
    return Function.checked(
        where, centre, kind, neighbours, number, sub, SUBTYPES.get(sub, 0), value, unit
    )


def read_scaling(
    path: FilePath, keywords: Mapping[str, Any], index: int, order: np.ndarray, element: str
) -> Scaling:
    """`Scaling` of one element (number `index` from 1), columns in the order of input.nn.

    path      n2p2's scaling.data
    keywords  from `read_input_nn`: which of the scaling and centring modes is asked for
    order     the element's columns in n2p2's order (`SymmetryFunctions.n2p2_order`)
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; give the path of scaling.data, or "
            "scaling=None for raw values."
        )
    try:
        rows = [
            [float(w) for w in line.split()]
            for line in path.read_text().splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        ]
        rows = {(int(r[0]), int(r[1])): (r[2:] + [np.nan])[:4] for r in rows if len(r) >= 5}
    except ValueError:
        raise ValueError(
            f"{path} holds something that is not a number: it is not the "
            "scaling.data of this potential."
        ) from None
    try:
        table = np.array([rows[index, m] for m in range(1, len(order) + 1)])
    except KeyError:
        raise ValueError(
            f"{path} lacks lines for the {len(order)} symmetry functions of "
            f"{element}: it belongs to another input.nn."
        ) from None
    column = np.empty_like(table)
    column[order] = table
    lo, hi, mean, width = column.T
    scale, centre = "scale_symmetry_functions" in keywords, "center_symmetry_functions" in keywords
    sigma = not scale and not centre and "scale_symmetry_functions_sigma" in keywords
    low = read_number(keywords, "scale_min_short", 0.0) if scale or sigma else 0.0
    high = read_number(keywords, "scale_max_short", 1.0)
    offset = np.zeros_like(lo)
    if scale or sigma:
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = (high - low) / (hi - lo if scale else width)
    else:
        factor = np.ones_like(lo)
    if centre or sigma:
        offset = mean
    elif scale:
        offset = lo
    if not np.isfinite(factor).all() or not np.isfinite(offset).all():
        raise ValueError(
            f"{path}: a function of {element} has no spread (minimum equals maximum, "
            "or sigma is missing or 0); scale with other data or drop the function."
        )
    return Scaling(offset, factor, low, lo, hi)


def read_number(keywords: Mapping[str, Any], name: str, default: float) -> float:
    """The number after a keyword of `read_input_nn`, or the default where it is absent."""
    if name not in keywords:
        return default
    line, words = keywords[name][0]
    try:
        return float(words[0])
    except (IndexError, ValueError):
        raise ValueError(f"input.nn, line {line}: '{name}' needs a number.") from None
