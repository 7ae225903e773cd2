"""Lists of neighbours, and what a frame must be like to have them."""

import threading
from warnings import warn

import numpy as np
import vesin
from ase.data import chemical_symbols

from .._threads import current

_local = threading.local()  # each thread's searches, whose memory is worth reusing


def check_atoms(atoms, elements):
    """Raises ValueError where atoms cannot be described by functions of `elements`."""
    if len(atoms) == 0:
        raise ValueError("this frame has no atoms; drop it or check how it was read.")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise ValueError(f"atom {bad[0]} has a position that is NaN or infinite; "
                         "repair or drop the frame.")
    unknown = sorted({chemical_symbols[z] for z in np.unique(atoms.numbers)} - set(elements))
    if unknown:
        raise ValueError(f"these symmetry functions know {', '.join(elements)} but the frame "
                         f"holds {', '.join(unknown)}; remove them or take other functions.")
    for axis in range(3):
        if atoms.pbc[axis] and not np.any(atoms.cell.array[axis]):
            raise ValueError(f"the frame is periodic along axis {axis} but has no cell vector "
                             "there; set the cell or switch off that boundary.")
    if atoms.pbc.any() and abs(atoms.cell.complete().volume) < 1e-9:
        raise ValueError("the cell vectors are not linearly independent; set a proper cell.")


def neighbour_list(atoms, cutoff, copy=True):
    """All pairs nearer than `cutoff` (Å), every periodic image counted, sorted by centre.

    Returns first (n_atoms + 1,), neighbour (n_pairs,), shift (n_pairs, 3): the neighbours of atom
    i are entries first[i]:first[i+1], at positions[neighbour] + shift @ cell.  With copy=False the
    arrays are overwritten by the next search of this thread.
    """
    if not atoms.pbc.any():
        extent = np.ptp(atoms.positions, axis=0)
        if len(atoms) > 1 and np.linalg.norm(extent) < cutoff:
            warn(f"the cutoff ({cutoff:.2f} Å) exceeds the size of this open cluster "
                 f"({np.linalg.norm(extent):.2f} Å): every atom sees all others; for bulk "
                 "environments set the cell and pbc.", stacklevel=3)
    searches = _local.__dict__.setdefault("searches", {})
    key = float(cutoff), current()
    if key not in searches:
        searches[key] = vesin.NeighborList(cutoff=key[0], full_list=True, sorted=True,
                                           n_threads=key[1])
    centre, neighbour, shift = searches[key].compute(
        points=atoms.positions, box=atoms.cell.complete().array, periodic=atoms.pbc,
        quantities="ijS", copy=copy)
    first = np.zeros(len(atoms) + 1, np.int64)
    np.cumsum(np.bincount(centre.view(np.int64), minlength=len(atoms)), out=first[1:])
    return first, neighbour.view(np.int64), shift
