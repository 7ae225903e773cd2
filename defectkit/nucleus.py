"""From flagged molecules to a nucleus: which of them hang together, where it is, how large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import find_mic
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .neighbours.lists import neighbour_pairs

if TYPE_CHECKING:
    from ase import Atoms


def connected(atoms: Atoms, flagged: ArrayLike, cutoff: float) -> list[np.ndarray]:
    """Groups of flagged atoms linked by distances below a cutoff, the largest first.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å); of molecules the atoms that count, such as the oxygens of water.
    flagged : array (n_atoms,) of bool
        What the clustering, or an order parameter, calls the nucleus.
    cutoff : float
        Å, the end of the first shell of neighbours: 3.5 between oxygens of water.

    Returns
    -------
    list of arrays of int, the atoms of each group, ascending.

    Raises
    ------
    ValueError
        Flags that do not match the atoms, a cutoff that is not above 0.

    Examples
    --------
    >>> from ase import Atoms
    >>> row = Atoms("Ar5", [[x, 0, 0] for x in (0, 1, 5, 6, 9)], cell=[10, 9, 9], pbc=True)
    >>> [group.tolist() for group in connected(row, [True] * 5, 1.5)]    # 9 and 0 meet across
    [[0, 1, 4], [2, 3]]
    """
    flagged = _flags(atoms, flagged, cutoff)
    chosen = np.flatnonzero(flagged)
    if not len(chosen):
        return []
    i, j = neighbour_pairs("ij", atoms[chosen], cutoff)
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(chosen),) * 2)
    _, label = connected_components(graph, directed=False)
    together = chosen[np.argsort(label, kind="stable")]
    return sorted(np.split(together, np.cumsum(np.bincount(label))[:-1]), key=len, reverse=True)


def filled(atoms: Atoms, flagged: ArrayLike, cutoff: float) -> np.ndarray:
    """Flags with the holes closed: an atom with more than half of its neighbours in, is in.

    Repeated until nothing changes, so that molecules inside a nucleus that heat has disguised
    count, and loose ones outside do not. Parameters and errors as :func:`connected`; returns
    flags (n_atoms,) of bool.
    """
    flagged = _flags(atoms, flagged, cutoff).copy()
    i, j = neighbour_pairs("ij", atoms, cutoff)
    number = np.bincount(i, minlength=len(atoms))
    while True:
        more = ~flagged & (2 * np.bincount(i, flagged[j], minlength=len(atoms)) > number)
        if not more.any():
            return flagged
        flagged |= more


def with_surface(atoms: Atoms, flagged: ArrayLike, cutoff: float) -> np.ndarray:
    """Flags and what lies at their surface: atoms with at least half of their neighbours in.

    One step, not repeated. Features averaged over neighbours (`averaging.neighbour_average`)
    let a surface molecule look half like what is outside, which costs a nucleus a part of its
    outermost layer; this gives it back. Parameters and errors as :func:`connected`; returns
    flags (n_atoms,) of bool.
    """
    flagged = _flags(atoms, flagged, cutoff)
    i, j = neighbour_pairs("ij", atoms, cutoff)
    near, number = (np.bincount(i, of, minlength=len(atoms)) for of in (flagged[j], None))
    return flagged | ((2 * near >= number) & (number > 0))


def shape(atoms: Atoms, members: ArrayLike) -> dict[str, Any]:
    """Size, place and roundness of one group of atoms under periodic boundaries.

    The group must be smaller than half the cell along every periodic axis.

    Parameters
    ----------
    atoms : ase.Atoms
    members : array of int
        As :func:`connected` gives them.

    Returns
    -------
    dict
        size: number of atoms; centre_A (3,): their mean position, inside the cell; radius_A: of
        the ball with the same radius of gyration, sqrt(5/3) of it; asphericity: relative, 0 for
        a ball and 1 for a rod.

    Raises
    ------
    ValueError
        No members.
    """
    members = np.asarray(members)
    if not len(members):
        raise ValueError("A group without atoms has no shape; flag some atoms first.")
    cell, pbc = atoms.cell.complete().array, np.array(atoms.pbc)
    scaled = atoms.positions[members] @ np.linalg.inv(cell)
    around = np.angle(np.exp(2j * np.pi * scaled).mean(axis=0)) / (2 * np.pi)
    start = np.where(pbc, around, scaled.mean(axis=0)) @ cell
    away = find_mic(atoms.positions[members] - start, cell, pbc)[0]
    centre = start + away.mean(axis=0)
    away -= away.mean(axis=0)
    gyration = np.linalg.eigvalsh(away.T @ away / len(members))
    total = gyration.sum()
    uneven = 1.5 * (gyration**2).sum() / total**2 - 0.5 if total > 0 else 0.0
    inside = centre @ np.linalg.inv(cell)
    return {
        "size": len(members),
        "centre_A": (inside - np.floor(inside) * pbc) @ cell,
        "radius_A": float(np.sqrt(5 / 3 * total)),
        "asphericity": float(uneven),
    }


def _flags(atoms, flagged, cutoff):
    flagged = np.asarray(flagged)
    if flagged.dtype != bool or flagged.shape != (len(atoms),):
        raise ValueError(
            f"flagged is {flagged.dtype} {flagged.shape} for {len(atoms)} atoms; "
            "give one bool per atom of this frame."
        )
    if not cutoff > 0:
        raise ValueError(f"cutoff={cutoff} Å links nothing; use the end of the first shell.")
    return flagged
