"""Frames of molecules: no crystal of single atoms has their names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..neighbours.lists import neighbour_pairs

if TYPE_CHECKING:
    from ase import Atoms

BOND = 1.2  # longest bond, in sums of covalent radii
LEAST_BOND = 0.9  # Å, which that may be: H2 vibrates beyond
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
    count, label = _bonded(atoms)
    sizes = np.bincount(label)
    if sizes.min() < 2 or sizes.max() > MOST_ATOMS:
        return None
    if atoms.pbc.any() and len(atoms) < SMALL_FRAME:
        twice = np.where(atoms.pbc, 2, 1)
        if _bonded(atoms * twice)[0] != twice.prod() * count:
            return None
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.cumsum(sizes)[:-1])
    formulas = Counter(atoms.symbols[part].get_chemical_formula("hill") for part in parts)
    names = [name for name, _ in formulas.most_common(MOST_NAMED)]
    return ", ".join(names) + (", ..." if len(formulas) > MOST_NAMED else "")


def _bonded(atoms):
    """Number of bonded groups, and which one each atom belongs to."""
    radius = covalent_radii[atoms.numbers]
    i, j, d = neighbour_pairs("ijd", atoms, max(2 * BOND * radius.max(), LEAST_BOND))
    bond = d < np.maximum(BOND * (radius[i] + radius[j]), LEAST_BOND)
    graph = coo_array((np.ones(bond.sum(), np.int8), (i[bond], j[bond])), shape=(len(atoms),) * 2)
    return connected_components(graph, directed=False)
