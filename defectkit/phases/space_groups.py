"""Which atoms of a perfect cell are equivalent by symmetry (spglib)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["SpaceGroup", "space_group"]

TOLERANCE = 0.1  # Å that equivalent atoms may be away from their places
MOST_ATOMS = 600  # the search takes seconds for 500 atoms of high symmetry


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """Space group of a cell.

    Attributes
    ----------
    symbol, number : str, int
        Hermann-Mauguin symbol and number in the International Tables.
    equivalent : array (n_atoms,) of int
        The same number for atoms that a symmetry operation brings on one another.
    primitive : array (n_atoms,) of int
        The atom of the primitive cell that each is, or is shifted from by a lattice vector.
    """

    symbol: str
    number: int
    equivalent: np.ndarray
    primitive: np.ndarray

    @property
    def n_unlike(self) -> int:
        """Inequivalent atoms."""
        return len(np.unique(self.equivalent))

    @property
    def n_primitive(self) -> int:
        """Atoms of the primitive cell."""
        return len(np.unique(self.primitive))

    @property
    def words(self) -> str:
        """The symbol, the number, and how many atoms of the primitive cell differ."""
        return (
            f"space group {self.symbol} ({self.number}) within {TOLERANCE} Å, {self.n_unlike} "
            f"inequivalent atom{'s' * (self.n_unlike > 1)} of {self.n_primitive} in the "
            "primitive cell"
        )


def space_group(atoms: Atoms, tolerance: float = TOLERANCE) -> SpaceGroup | None:
    """Space group of a cell, None where it has no symmetry but its own repetition (P1).

    A melt, a glass and a hot crystal have none; the unit cell of nearly every crystal has.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å), periodic in three directions, of at most 600 atoms; else None comes back.
    tolerance : float
        Å.

    Returns
    -------
    SpaceGroup or None

    Examples
    --------
    >>> from ase.build import bulk
    >>> print(space_group(bulk("NaCl", "rocksalt", a=5.64, cubic=True)).symbol)
    Fm-3m
    """
    if not atoms.pbc.all() or not 1 < len(atoms) <= MOST_ATOMS:
        return None
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how it reports errors
            found = spglib.get_symmetry_dataset(cell, symprec=tolerance)
    except spglib.SpglibError:
        return None
    if found is None or found.number == 1:
        return None
    return SpaceGroup(
        found.international, found.number, found.equivalent_atoms, found.mapping_to_primitive
    )
