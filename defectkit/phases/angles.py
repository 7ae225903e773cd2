"""Neighbours of each element around each, and whether their angles contradict a prototype."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import _mdapy
from .graph import periodic_tree, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    Vectors = Mapping[tuple[str, str], np.ndarray]

SHELL = 1.3  # of the nearest distance: neighbours of a prototype that are bonds
FEWEST, MOST = 3, 14  # bonds whose angles are compared: quartz, too, bends at its oxygens
OTHER = 0.115  # rms difference of sorted cosines: strain, tilts and heat alter them less
CENTRES = 2000  # atoms of an element, evenly chosen


def surroundings(atoms: Atoms, count: int, inside: np.ndarray | None = None) -> dict:
    """Vectors (Å) from atoms of each element to the nearest of each.

    Parameters
    ----------
    atoms : ase.Atoms
    count : int
        Neighbours of each element.
    inside : array (n_atoms,) of bool, optional
        Atoms that are centres; default all.

    Returns
    -------
    dict of (A, B): array (n_centres, count, 3), nearest first, NaN where there is none
    """
    counted = np.ones(len(atoms), bool) if inside is None else inside
    symbols = np.array(atoms.get_chemical_symbols())
    result = {}
    cell, pbc = atoms.cell.complete().array, np.asarray(atoms.pbc)
    points = _mdapy.frame(atoms.positions, cell, pbc, 0.0)
    place = points.positions[: len(atoms)]
    kinds = sorted(set(symbols))
    for other in kinds:
        chosen = np.flatnonzero(symbols == other)
        volume = abs(np.linalg.det(points.box)) / max(len(chosen), 1)
        reach = 1.25 * (3 * (count + 1) * volume / (4 * np.pi)) ** (1 / 3)
        tree, _ = periodic_tree(place[chosen], points.box, pbc, reach)
        targets = np.vstack([tree.data, np.full(3, np.nan)])
        for one in kinds:
            centres = np.flatnonzero((symbols == one) & counted)
            if len(centres) > CENTRES:
                centres = centres[:: len(centres) // CENTRES + 1]
            start = wrapped(place[centres], points.box, pbc)
            vectors = targets[tree.query(start, count + 1)[1]] - start[:, None]
            result[one, other] = vectors[:, 1:] if one == other else vectors[:, :-1]
    return result


def contradicted(
    vectors: Vectors, ideal: Sequence[Vectors], shells: Vectors, pairing: Mapping[str, str]
) -> bool:
    """Whether bonds between unlike elements are at other angles than a prototype's.

    An octahedron and a trigonal prism, a square and a tetrahedron have the same distances.

    Parameters
    ----------
    vectors : dict
        From `surroundings`.
    ideal : list of dict
        The same of the prototype, cold and hot; the nearest counts.
    shells : dict of (A, B): array
        Distances in the ideal prototype, nearest first.
    pairing : dict of str
        Element of the prototype to the element in its place.
    """
    bonds = {
        (a, b): int((distance < SHELL * distance[0]).sum())
        for (a, b), distance in shells.items()
        if a != b
    }
    bonds = {pair: n for pair, n in bonds.items() if FEWEST <= n <= MOST}
    ours = {(a, b): cosines(vectors[pairing[a], pairing[b]], n) for (a, b), n in bonds.items()}
    return bool(bonds) and not any(
        all(_apart(ours[pair], cosines(hot[pair], n)) < OTHER for pair, n in bonds.items())
        for hot in ideal
    )


def _apart(one, other):
    """Rms difference, 0 where one is unknown."""
    return 0.0 if np.isnan(one).any() else float(np.sqrt(((one - other) ** 2).mean()))


def cosines(vectors: np.ndarray, n: int) -> np.ndarray:
    """Sorted cosines of the angles between n neighbours, the median over the atoms.

    Parameters
    ----------
    vectors : array (n_atoms, k, 3)
        To k >= n neighbours, Å, nearest first, NaN where there is none.
    n : int
        At least 2.

    Returns
    -------
    array (n (n - 1) / 2,), NaN where no atom has n neighbours
    """
    near = vectors[:, :n]
    near = near[np.isfinite(near).all(axis=(1, 2))]
    one, other = np.triu_indices(n, 1)
    if not len(near):
        return np.full(len(one), np.nan)
    unit = near / np.linalg.norm(near, axis=-1, keepdims=True)
    product = np.einsum("ank,amk->anm", unit, unit)[:, one, other]
    return np.median(np.sort(product, axis=1), axis=0)
