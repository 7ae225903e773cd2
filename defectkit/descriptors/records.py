"""A descriptor as JSON holds it, and whether another one is the same.

The record of a saved model says name, parameters, version and fingerprint. Nothing in it is
executed: an adapter's name is looked up in a list, and a file of weights is never opened because
a record names it.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from .._types import Centres
from ..symmetry import SymmetryFunctions
from ..symmetry.kernel_tables import Function
from ..symmetry.n2p2_files import ARGUMENTS, SUBTYPES, Scaling
from .probe import CENTRES, probe

if TYPE_CHECKING:
    from ase import Atoms

CLOSE = 1e-3  # of the largest number of a fingerprint; single precision keeps far below it
DIGITS = 6
#: Adapters that make a descriptor again from numbers and texts: module and function.
ADAPTERS = {
    "soap": "by_dscribe",
    "acsf": "by_dscribe",
    "lmbtr": "by_dscribe",
    "power_spectrum": "by_featomic",
    "spherical_expansion": "by_featomic",
    "chgnet": "by_chgnet",
    "sevennet": "by_sevenn",
    "snap": "by_lammps",
    "ace": "by_pyace",
    "neighbour_averaged": "by_neighbours",
}


class Absent:
    """Stands for the descriptor of a saved model that was not given again."""

    elements = None
    sensitive_to = "unknown"

    def __init__(self, record: dict[str, Any], why: str):
        self.record, self.why = record, why
        self.kind, self.cutoff = record["descriptor"], record["cutoff"]

    def __call__(
        self, atoms: Atoms, centres: Centres = None, progress: bool = False
    ) -> np.ndarray:
        """Raises ValueError: it cannot be computed here."""
        raise ValueError(
            f"this was made with the descriptor {self.kind}, {self.why}; give that "
            "descriptor as symmetry=..."
        )

    def names(self, element: str = "") -> list[str]:
        """None are known."""
        return []

    def __repr__(self):
        return f"the descriptor {self.kind}, {self.why}"


def fingerprint(descriptor: Any) -> list[float] | None:
    """Numbers that tell one descriptor from another: what it gives for the test structure.

    Weighted sums of the features with six digits; None where it cannot describe that structure.
    """
    try:
        values = descriptor(probe(descriptor.elements, descriptor.cutoff), list(CENTRES))
    except Exception:  # somebody else's function and library: anything
        return None
    rows, columns = np.indices(values.shape)
    sums = [(values * np.cos(k * rows + (k + 1) * columns)).sum() for k in range(6)]
    return [float(f"{x:.{DIGITS}g}") for x in [*sums, np.abs(values).max(), values.shape[1]]]


def as_dict(descriptor: Any) -> dict[str, Any] | None:
    """Everything that decides the features, as JSON can hold it; None for None."""
    if descriptor is None:
        return None
    if isinstance(descriptor, Absent):
        return descriptor.record
    if isinstance(descriptor, SymmetryFunctions):
        return _functions_as_dict(descriptor)
    return {
        "descriptor": getattr(descriptor, "kind", type(descriptor).__name__),
        "parameters": getattr(descriptor, "parameters", {}),
        "version": getattr(descriptor, "version", ""),
        "cutoff": float(descriptor.cutoff),
        "elements": None if descriptor.elements is None else list(descriptor.elements),
        "rebuild": getattr(descriptor, "rebuild", ""),
        "fingerprint": fingerprint(descriptor),
    }


def from_dict(record: dict[str, Any] | None) -> Any:
    """The descriptor of `as_dict`; ValueError or TypeError for anything else.

    A function of somebody's own, or a network from a file, cannot be made again: then an object
    that says so when it is called.
    """
    if record is None:
        return None
    if "functions" in record:
        return _functions_from_dict(record)
    _check_record(record)
    name = record["rebuild"]
    if not name:
        return Absent(record, "which cannot be made again from the file")
    try:
        module = import_module(f"{__package__}.{ADAPTERS[name]}")
        made = getattr(module, name)(**record["parameters"])
    except ImportError as error:
        return Absent(record, f"which cannot be made here: {str(error).rstrip('.')}")
    if not same_numbers(fingerprint(made), record["fingerprint"]):
        return Absent(
            record,
            f"of which {made.version} gives other numbers than "
            f"{record['version']}, which it was fitted with",
        )
    return made


def difference(one: dict | None, other: dict | None) -> str | None:
    """How two records differ, in some words; None where they are the same descriptor.

    Versions may differ as long as the numbers are the same.
    """
    if one is None or other is None or ("functions" in one) != ("functions" in other):
        return None if one == other else "another kind of descriptor"
    if "functions" in one:
        mine, theirs = (record.get("precision", "double") for record in (one, other))
        if mine != theirs:
            return f"precision {theirs!r}, not {mine!r}"
        return None if one == other else "other symmetry functions"
    for what in ("descriptor", "parameters", "cutoff"):
        if one[what] != other[what]:
            return (
                f"{what} {other[what]!r}, not {one[what]!r}"
                if what != "parameters"
                else _first_difference(one[what], other[what])
            )
    if not same_numbers(one["fingerprint"], other["fingerprint"]):
        return (
            f"{other['descriptor']} that gives other numbers for the same atoms "
            f"({other['version'] or 'no version'}, not {one['version'] or 'no version'})"
        )
    return None


def same_numbers(one: Any, other: Any) -> bool:
    """Whether two fingerprints are the same up to rounding of the library."""
    if one is None or other is None:
        return one == other
    one, other = np.array(one, float), np.array(other, float)
    return bool(
        one.shape == other.shape
        and one[-1] == other[-1]
        and np.abs(one - other).max() <= CLOSE * max(np.abs(one[:-1]).max(), 1e-12)
    )


def _first_difference(one, other):
    name = next(n for n in [*one, *other] if one.get(n) != other.get(n))
    if isinstance(one.get(name), dict) and isinstance(other.get(name), dict):  # a descriptor
        return difference(one[name], other[name])
    return f"{name}={other.get(name)!r}, not {one.get(name)!r}"


def _check_record(record):
    numbers = record["fingerprint"]
    if not (
        isinstance(record["descriptor"], str)
        and isinstance(record["version"], str)
        and isinstance(record["parameters"], dict)
        and record["rebuild"] in ("", *ADAPTERS)
        and number(record["cutoff"]) > 0
        and (
            numbers is None
            or (len(numbers) == 8 and np.isfinite([number(x) for x in numbers]).all())
        )
    ):
        raise ValueError("descriptor")


def _functions_as_dict(symmetry):
    # Files of earlier versions, all in double precision, do not name it.
    precision = {"precision": symmetry.precision} if symmetry.precision != "double" else {}
    return precision | {
        "functions": {e: [asdict(f) for f in fs] for e, fs in symmetry.functions.items()},
        "cutoff_type": symmetry.cutoff_type,
        "inner": symmetry.inner,
        "elements": list(symmetry.elements),
        "scaling": {
            e: {k: np.asarray(v).tolist() for k, v in asdict(s).items()}
            for e, s in symmetry.scaling.items()
        },
    }


def _functions_from_dict(given):
    elements = [str(e) for e in given["elements"]]
    functions = {e: [_function(f, elements) for f in fs] for e, fs in given["functions"].items()}
    scaling = {
        e: Scaling(
            *(
                _scale(s[name], len(functions[e]))
                for name in ("offset", "factor", "low", "minimum", "maximum")
            )
        )
        for e, s in given["scaling"].items()
    }
    inner, kind = number(given["inner"]), given["cutoff_type"]
    if type(kind) is not int or not 0 <= kind <= 8 or not 0 <= inner < 1:
        raise ValueError("cutoff function")
    made = SymmetryFunctions(functions, kind, inner, elements, scaling)
    return made.using(precision=given.get("precision", "double"))


def _function(given, elements):
    f = Function(**(given | {"neighbours": tuple(given["neighbours"])}))
    for name in ("rc", "rl", "eta", "rs", "lam", "zeta", "left", "right"):
        number(getattr(f, name))
    known = ARGUMENTS[f.kind].split()
    if (
        f.rc <= 0
        or not {f.centre, *f.neighbours} <= set(elements)
        or len(f.neighbours) != ("e1" in known) + ("e2" in known)
        or f.weight not in ("Z", "1")
        or f.core != SUBTYPES.get(f.sub, 0)
        or (f.kind >= 20) != (f.core > 0)
    ):
        raise ValueError("function")
    return f


def _scale(value, n):
    if not isinstance(value, list):
        return number(value)
    if len(value) != n:
        raise ValueError("scaling")
    return np.array([number(x) for x in value], float)


def number(value: Any) -> float:
    """The value; ValueError where it is no finite number."""
    if type(value) not in (int, float) or not np.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return value


__all__ = ["Absent", "as_dict", "difference", "fingerprint", "from_dict", "number", "same_numbers"]
