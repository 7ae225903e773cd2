"""Means over each atom and its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from .._checks import unmasked
from .lists import neighbour_pairs

if TYPE_CHECKING:
    from ase import Atoms


def neighbour_average(features: ArrayLike, atoms: Atoms, cutoff: float) -> np.ndarray:
    """Features of each atom averaged over itself and its neighbours: a mean in space, not time.

    What Lechner and Dellago did to bond order parameters (J. Chem. Phys. 129, 114707 (2008)):
    phases come further apart, and what is thinner than the cutoff is washed out.

    Parameters
    ----------
    features : array (n_atoms, n_features)
    atoms : ase.Atoms
        One frame with these atoms (Å), of water the oxygens; where features are averaged over
        time, at their mean positions.
    cutoff : float
        Å, the end of the first shell: 3.5 between oxygens of water.

    Returns
    -------
    array (n_atoms, n_features), float64

    Raises
    ------
    ValueError
        Features and atoms that differ in number, a cutoff that is not above 0.

    Examples
    --------
    >>> from ase import Atoms
    >>> row = Atoms("Ar3", [[0, 0, 0], [1, 0, 0], [5, 0, 0]])
    >>> neighbour_average([[0.0], [4.0], [7.0]], row, 1.5).ravel().tolist()
    [2.0, 2.0, 7.0]
    """
    features = np.array(unmasked(features, "features"), dtype=float)
    if features.ndim != 2 or len(features) != len(atoms):
        raise ValueError(
            f"features {features.shape} do not match {len(atoms)} atoms; give one "
            "row for each atom of this frame."
        )
    if not cutoff > 0:
        raise ValueError(f"cutoff={cutoff} Å has no neighbours; use the end of the first shell.")
    i, j = neighbour_pairs("ij", atoms, cutoff)
    n = len(atoms)
    around = csr_array((np.ones(len(i)), (i, j)), shape=(n, n))
    return (features + around @ features) / (1 + np.bincount(i, minlength=n))[:, None]
