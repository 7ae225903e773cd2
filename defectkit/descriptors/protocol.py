"""What every descriptor has, whichever potential it comes from, and one class that gives it that.

Anything that is called as ``descriptor(atoms, centres)`` and returns one row of numbers per centre
is a descriptor: `SymmetryFunctions`, one of the adapters beside this file, or your own function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

import numpy as np
from ase import Atoms

from .._checks import checked_elements
from .._progress import tqdm
from .._types import Centres
from ..neighbours.lists import centre_index, check_atoms
from .probe import probe

NOT_TOLD = "not told by its author"
BATCH = 1000  # centres described at a time


@runtime_checkable
class Descriptor(Protocol):
    """What the loop takes wherever it takes `SymmetryFunctions`.

    Attributes
    ----------
    cutoff : float
        How far it sees (Å).
    elements : tuple of str, or None
        Those it knows; None: all.
    sensitive_to : str
        What changes it, for people: elements, distances, angles, ...
    """

    cutoff: float
    elements: Any
    sensitive_to: str

    def __call__(self, atoms: Atoms, centres: Centres = None) -> np.ndarray:
        """One row of features per centre, (n_centres, n_features)."""

    def names(self, element: str) -> list[str]:
        """One text per column, for centres of that element."""


class AtomDescriptor:
    """A function of atoms as a descriptor: checked input, bounded memory, checked output.

    The adapters return it; `from_function` makes one of your own function.

    Parameters
    ----------
    function : callable
        ``function(atoms, index)`` returns (len(index), n_features): the invariant features of the
        atoms at those indices, the same number for each.
    kind : str
        What it is called ("SOAP").
    parameters : dict
        All that decides its numbers, as JSON holds it; saved with a model.
    cutoff : float
        How far it sees (Å).
    elements : sequence of str, optional
        Elements it knows; default all.
    columns : sequence of str, optional
        A text per feature.
    version : str
        Library and version that compute it.
    sensitive_to : str
        What changes it.
    rebuild : str
        Name of the adapter that makes it again from its parameters alone, "" for none.
    batch : int
        Centres that the function gets at a time, which bounds its memory.
    images : bool
        Whether the function counts every periodic image. False: cells narrower than twice the
        cutoff are refused.
    """

    def __init__(
        self,
        function: Callable[[Atoms, np.ndarray], Any],
        kind: str,
        parameters: dict[str, Any],
        cutoff: float,
        *,
        elements: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        version: str = "",
        sensitive_to: str = NOT_TOLD,
        rebuild: str = "",
        batch: int = BATCH,
        images: bool = True,
    ):
        if not callable(function):
            raise ValueError(
                f"{function!r} cannot be called; give a function of atoms and the "
                "indices of the centres."
            )
        if isinstance(cutoff, bool) or not 0.0 < cutoff < np.inf:
            raise ValueError(
                f"cutoff={cutoff!r} must be a positive length in Å: how far the descriptor sees."
            )
        self.function, self.kind, self.parameters = function, kind, dict(parameters)
        self.cutoff, self.version, self.rebuild = float(cutoff), version, rebuild
        self.elements = None if elements is None else checked_elements(elements)
        self.columns = None if columns is None else [str(name) for name in columns]
        self.sensitive_to, self.batch, self.images = sensitive_to, batch, images

    def __call__(
        self, atoms: Atoms, centres: Centres = None, progress: bool = False
    ) -> np.ndarray:
        """Features of each centre.

        Parameters
        ----------
        atoms : ase.Atoms
        centres : element, indices or mask, optional
            Default all atoms.
        progress : bool
            A bar where there are several batches and it takes more than 2 s.

        Returns
        -------
        array (n_centres, n_features), float64

        Raises
        ------
        ValueError
            Elements that it does not know, no atoms, positions that are NaN, a cell too narrow,
            or a function that returns something else than a row of finite numbers per centre.
        """
        check_atoms(atoms, self.elements, f"the descriptor {self.kind} knows")
        if not self.images:
            check_width(atoms, 2 * self.cutoff, f"the descriptor {self.kind}")
        index = centre_index(atoms, centres)
        parts = np.array_split(index, max(1, -(-len(index) // self.batch)))
        return np.concatenate(
            [
                self._checked(self.function(atoms, part), len(part))
                for part in tqdm(
                    parts,
                    f"{self.kind} of one frame",
                    unit="batch",
                    delay=2,
                    leave=False,
                    disable=not progress or len(parts) == 1,
                )
            ]
        )

    def _checked(self, values, n):
        try:
            values = np.asarray(values, float)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.ndim != 2 or len(values) != n or values.shape[1] == 0:
            raise ValueError(
                f"the descriptor {self.kind} returned something of shape "
                f"{values.shape} for {n} centres; it has to return one row of "
                "features per centre."
            )
        if not np.isfinite(values).all():
            raise ValueError(
                f"the descriptor {self.kind} returned NaN or infinite features; "
                "check for atoms that coincide, or mend the function."
            )
        if self.columns is None:
            self.columns = [f"{self.kind} {n}" for n in range(values.shape[1])]
        if len(self.columns) != values.shape[1]:
            raise ValueError(
                f"the descriptor {self.kind} returned {values.shape[1]} features but "
                f"has names for {len(self.columns)}; give a name for each, and the "
                "same number of features for every element."
            )
        return values

    def names(self, element: str = "") -> list[str]:
        """One text per column, the same for every element.

        Where none were given and it has not been called, it is asked for the test structure.
        """
        if self.columns is None:
            with suppress(Exception):  # somebody else's function: then the names come later
                self(probe(self.elements, self.cutoff), [0])
        return list(self.columns or [])

    def __repr__(self):
        elements = self.elements or ()
        knows = ", ".join(elements) or "any element"
        if len(elements) > 10:
            knows = f"{len(elements)} elements"
        made = f" ({self.version})" if self.version else ""
        return (
            f"{self.kind}{made} of {knows}, cutoff {self.cutoff:.4g} Å; sensitive to: "
            f"{self.sensitive_to}"
        )

    def __deepcopy__(self, memo):
        return self  # it does not change; a network it holds is not worth a second copy


def from_function(
    function: Callable,
    cutoff: float,
    *,
    name: str | None = None,
    elements: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    parameters: dict | None = None,
    version: str = "",
    sensitive_to: str = NOT_TOLD,
    images: bool = True,
    batch: int = BATCH,
) -> AtomDescriptor:
    """Your own function as a descriptor that `identify`, `features` and models take.

    Parameters
    ----------
    function : callable
        ``function(atoms, index)`` returns (len(index), n_features) for the atoms at `index`.
        Features should not change when atoms are turned, moved or listed in another order.
    cutoff : float
        How far it sees (Å).
    name : str, optional
        Default the function's own.
    elements, columns, parameters, version, sensitive_to, images, batch
        As `AtomDescriptor`. A saved model records name, parameters and version, and a
        fingerprint, what the function gives for a small test structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from defectkit.neighbours.lists import neighbour_pairs
    >>> def shells(atoms, index):  # sorted distances to the twelve nearest neighbours
    ...     i, d = neighbour_pairs("id", atoms, 5.0)
    ...     return [sorted(d[i == n])[:12] for n in index]
    >>> descriptor = from_function(shells, cutoff=5.0, sensitive_to="distances")
    >>> descriptor(bulk("Cu", a=3.6)).round(2)[0, :3].tolist()
    [2.55, 2.55, 2.55]
    """
    own = str(getattr(function, "__name__", type(function).__name__))
    return AtomDescriptor(
        function,
        name or own,
        parameters or {},
        cutoff,
        elements=elements,
        columns=columns,
        version=version,
        sensitive_to=sensitive_to,
        images=images,
        batch=batch,
    )


def check_descriptor(given: Any, argument: str = "symmetry") -> Any:
    """The same object, or None; one sentence for what is no descriptor."""
    if given is None or (isinstance(given, Descriptor) and callable(given)):
        return given
    if isinstance(given, type) or not callable(given):
        raise ValueError(
            f"{argument}={given!r} gives no features; pass a SymmetryFunctions, for "
            "instance SymmetryFunctions.from_n2p2('input.nn'), another descriptor of "
            "defectkit.descriptors, or leave it out."
        )
    if (getattr(given, "__module__", None) or "").partition(".")[0] == __name__.partition(".")[0]:
        name = getattr(given, "__qualname__", "it")
        raise ValueError(
            f"{argument} is the function {name} itself; call it, {name}(...), and give what it "
            "returns."
        )
    raise ValueError(
        f"{argument} is a plain function, which does not say how far it sees; give "
        "defectkit.descriptors.from_function(your_function, cutoff=5.0) with its "
        "own cutoff in Å."
    )


def knows(descriptor: Any, element: str) -> bool:
    """Whether it describes centres of that element."""
    functions = getattr(descriptor, "functions", None)
    if functions is not None:
        return bool(functions.get(element))
    return descriptor.elements is None or element in descriptor.elements


def check_width(atoms: Atoms, width: float, who: str) -> None:
    """Raises ValueError where a periodic cell is narrower than `width` (Å)."""
    if not atoms.pbc.any():
        return
    inverse = np.linalg.inv(atoms.cell.complete().array)
    height = np.where(atoms.pbc, 1.0 / np.linalg.norm(inverse, axis=0), np.inf)
    if height.min() < width:
        times = np.where(atoms.pbc, np.ceil(width / height), 1).astype(int).tolist()
        raise ValueError(
            f"{who} needs a cell at least {width:.2f} Å wide and this one has "
            f"{height.min():.2f} Å; repeat it: atoms * {tuple(times)}."
        )
