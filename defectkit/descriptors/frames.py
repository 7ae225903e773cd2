"""Frames as other libraries need them: closed on all sides, and not too large at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms

from ..neighbours.lists import search_box
from ..neighbours.slabs import slabs


def enclosed(atoms: Atoms, cutoff: float) -> Atoms:
    """A copy that is periodic on all sides, with vacuum wider than `cutoff` (Å) on open ones.

    Its cell is right-handed, as other programs ask for.

    >>> enclosed(Atoms("Cu2", [[0, 0, 0], [2, 0, 0]]), 5.0).cell.lengths().round(1).tolist()
    [7.5, 5.5, 5.5]
    """
    box = search_box(atoms, cutoff)
    box[2] *= np.sign(np.linalg.det(box))
    closed = Atoms(atoms.numbers, atoms.positions, cell=box, pbc=True)
    closed.wrap()
    return closed


def in_slabs(
    atoms: Atoms,
    index: np.ndarray,
    reach: float,
    most: int,
    describe: Callable[[Atoms], np.ndarray],
) -> np.ndarray:
    """Features of the atoms `index` by a function that describes all atoms of what it is given.

    A frame of more than `most` atoms is described in slabs with all that lies within `reach` (Å)
    of them, so that memory stays bounded and features stay the same.
    """
    wanted, back = np.unique(index, return_inverse=True)
    row = np.full(len(atoms), -1)
    row[wanted] = np.arange(len(wanted))
    out = None
    for part, ids, own in slabs(atoms, reach, most):
        mine = own[row[ids[own]] >= 0]
        if len(mine):
            values = np.asarray(describe(part), float)[mine]
            out = np.empty((len(wanted), values.shape[1])) if out is None else out
            out[row[ids[mine]]] = values
    return out[back]  # type: ignore[index]  # each atom is some slab's own
