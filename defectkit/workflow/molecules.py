"""Frames of molecules: no crystal of single atoms has their names."""

from __future__ import annotations

from collections import Counter

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..neighbours.lists import neighbour_pairs

BOND = 1.2  # longest bond, in sums of covalent radii
LEAST_BOND = 0.9  # Å, which that may be: H2 vibrates beyond
TOUCH, NEAR = 1.3, 1.6  # sums of covalent radii or nearest distances: farther, nothing touches
MOST_ATOMS = 100  # of a molecule
SMALL_FRAME = 1000  # atoms; of larger ones what crosses the cell is larger than a molecule
MOST_NAMED = 3
MADE_OF = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "Te", "I")


def molecules(atoms: Atoms) -> str | None:
    """Formulas, "C6H6" or "CH4, H2O", where every atom belongs to a molecule, None where not.

    A molecule is two to a hundred atoms of non-metals linked by bonds up to 1.2 sums of covalent
    radii, and not linked with its own images.

    Examples
    --------
    >>> from ase.build import bulk, molecule
    >>> molecules(molecule("C6H6")), molecules(bulk("C", cubic=True))
    ('C6H6', None)
    """
    if not set(atoms.symbols) <= set(MADE_OF) or len(atoms) < 2:
        return None
    count, label = bonded_groups(atoms, BOND, LEAST_BOND)
    sizes = np.bincount(label)
    if sizes.min() < 2 or sizes.max() > MOST_ATOMS:
        return None
    if atoms.pbc.any() and len(atoms) < SMALL_FRAME and meets_images(atoms, BOND, LEAST_BOND):
        return None
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.cumsum(sizes)[:-1])
    formulas = Counter(atoms.symbols[part].get_chemical_formula("hill") for part in parts)
    names = [name for name, _ in formulas.most_common(MOST_NAMED)]
    return ", ".join(names) + (", ..." if len(formulas) > MOST_NAMED else "")


def is_island(atoms: Atoms) -> bool:
    """Whether the atoms of a small periodic cell stand apart from their images, as a dimer does.

    >>> box = Atoms("Cu2", [(0, 0, 0), (2.2, 0, 0)], cell=[6, 6, 6], pbc=True)
    >>> from ase.build import bulk
    >>> is_island(box), is_island(bulk("Cu")), is_island(bulk("Ar", "fcc", 5.26))
    (True, False, False)
    """
    reach = 2 * TOUCH * covalent_radii[atoms.numbers].max()
    i, _, d = neighbour_pairs("ijd", atoms, reach)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, i, d)
    if not atoms.pbc.any() or not np.isfinite(nearest).all():
        return False
    return not meets_images(atoms, TOUCH, NEAR * np.median(nearest))


def meets_images(atoms: Atoms, times: float, least: float) -> bool:
    """Whether bonds lead from an atom of a periodic cell to its own image."""
    twice = np.where(atoms.pbc, 2, 1)
    count = bonded_groups(atoms, times, least)[0]
    return bonded_groups(atoms * twice, times, least)[0] != twice.prod() * count


def bonded_groups(atoms: Atoms, times: float, least: float) -> tuple[int, np.ndarray]:
    """Number of groups bonded, and which one each atom belongs to.

    A bond is up to so many sums of covalent radii long, or as long as any may be at least (Å).
    """
    radius = covalent_radii[atoms.numbers]
    i, j, d = neighbour_pairs("ijd", atoms, max(2 * times * radius.max(), least))
    bond = d < np.maximum(times * (radius[i] + radius[j]), least)
    graph = coo_array((np.ones(bond.sum(), np.int8), (i[bond], j[bond])), shape=(len(atoms),) * 2)
    return connected_components(graph, directed=False)
