"""Lists of neighbours, and what a frame must be like to have them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING
from warnings import warn

import numpy as np
from ase.cell import Cell
from ase.data import atomic_numbers, chemical_symbols

from .._checks import check_is_frame
from .._loading import load
from .._types import Centres

if TYPE_CHECKING:
    from ase import Atoms

FARTHEST = 1e7  # Å from the origin; beyond it a double holds less than 1e-9 Å
MOST_NEIGHBOURS = 5000  # of an atom; copper has as many within 24 Å
DENSEST = 2.0  # atoms per Å^3; diamond has 0.18, a hydrogen molecule in its own box 1.2
_local = threading.local()  # each thread's arrays, whose memory is worth reusing


def check_atoms(
    atoms: Atoms,
    elements: Iterable[str] | None,
    who: str = "these symmetry functions know",
    cutoff: float = 0.0,
) -> None:
    """Raises ValueError where atoms cannot be described by functions of `elements`.

    `who` begins the sentence about other elements; None for `elements` allows all of them.
    `cutoff` (Å): refused where so many atoms lie within it that it looks like another unit.
    """
    check_is_frame(atoms)
    if len(atoms) == 0:
        raise ValueError("this frame has no atoms; drop it or check how it was read.")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise ValueError(
            f"atom {bad[0]} has a position that is NaN or infinite; repair or drop the frame."
        )
    far = np.flatnonzero(np.abs(atoms.positions).max(axis=1) > FARTHEST)
    if len(far):
        raise ValueError(
            f"atom {far[0]} lies {np.abs(atoms.positions[far[0]]).max():.3g} Å from "
            "the origin, where distances lose their digits; repair the frame or "
            "wrap its atoms into the cell."
        )
    if not np.isfinite(atoms.cell.array).all():
        raise ValueError(
            "the cell holds a value that is NaN or infinite; set a proper cell, or drop the frame."
        )
    if np.abs(atoms.cell.array).max() > FARTHEST:
        raise ValueError(
            f"a cell vector is {np.abs(atoms.cell.array).max():.3g} Å long, where distances lose "
            "their digits; set a proper cell, or drop the frame."
        )
    here = {chemical_symbols[z] for z in np.unique(atoms.numbers)}
    if elements is not None and (unknown := sorted(here - set(elements))):
        raise ValueError(
            f"{who} {', '.join(elements)} but the frame holds {', '.join(unknown)}; "
            "remove them or take other functions."
        )
    for axis in range(3):
        if atoms.pbc[axis] and not np.any(atoms.cell.array[axis]):
            raise ValueError(
                f"the frame is periodic along axis {axis} but has no cell vector "
                "there; set the cell or switch off that boundary."
            )
    if atoms.pbc.any() and abs(atoms.cell.complete().volume) < 1e-9:
        raise ValueError("the cell vectors are not linearly independent; set a proper cell.")
    box = _filled_box(atoms)
    density = len(atoms) / abs(np.linalg.det(box))
    if density > DENSEST:
        raise ValueError(
            f"there are {density:.3g} atoms per Å^3, more than in any solid; these "
            "lengths look like nm or scaled ones: multiply positions and cell by 10, "
            "or set the cell in Å."
        )
    if 4.2 * density * cutoff**3 > MOST_NEIGHBOURS:
        _check_reach(box, atoms.pbc, density, cutoff)


def _check_reach(box, pbc, density, cutoff):
    """Refuses a cutoff with too many neighbours, by the volume that it reaches and is filled."""
    width = np.where(pbc, np.inf, np.linalg.norm(box, axis=1))
    neighbours = density * np.pi / 6 * np.minimum(2 * cutoff, width).prod()
    if neighbours > MOST_NEIGHBOURS:
        raise ValueError(
            f"a cutoff of {cutoff:g} Å holds about {neighbours:.2g} neighbours of each atom here, "
            f"more than {MOST_NEIGHBOURS}; lengths are in Å, and 4 to 8 Å are usual."
        )


def _filled_box(atoms):
    """Vectors of the cell (Å); along open axes of what the atoms span and 1 Å beyond."""
    box = Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)).complete().array
    for axis in np.flatnonzero(~atoms.pbc):
        box[axis] *= np.ptp(atoms.positions @ box[axis]) + 1.0
    return box


def centre_index(atoms: Atoms, centres: Centres) -> np.ndarray:
    """Indices (n_centres,) of the atoms that an element, a list of indices or a mask names.

    None names all atoms. Raises ValueError where there are none, or indices beyond the atoms.
    """
    if centres is None:
        return np.arange(len(atoms))
    if isinstance(centres, str):
        index = np.flatnonzero(atoms.numbers == atomic_numbers.get(centres, -1))
        if len(index) == 0:
            raise ValueError(
                f"there is no {centres} among these atoms "
                f"({atoms.get_chemical_formula()}); choose other centres."
            )
        return index
    index = np.asarray(centres)
    if index.dtype == bool and index.shape == (len(atoms),):
        index = np.flatnonzero(index)
    if index.size and index.dtype.kind not in "iu":
        raise ValueError(
            f"centres of shape {index.shape} and type {index.dtype} name no atoms of this frame; "
            f"give one element, such as {atoms.symbols[0]!r}, indices, or {len(atoms)} bools."
        )
    if len(index) == 0 or index.min() < 0 or index.max() >= len(atoms):
        raise ValueError(f"centres must be indices from 0 to {len(atoms) - 1}, at least one.")
    return index.astype(np.int64)


def neighbour_list(
    atoms: Atoms, cutoff: float, copy: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs nearer than `cutoff` (Å), every periodic image counted, sorted by centre.

    Returns first (n_atoms + 1,), neighbour (n_pairs,), shift (n_pairs, 3): the neighbours of atom
    i are entries first[i]:first[i+1], at positions[neighbour] + shift @ cell.  With copy=False the
    arrays are overwritten by the next search of this thread.
    """
    if not atoms.pbc.any():
        extent = np.ptp(atoms.positions, axis=0)
        if len(atoms) > 1 and np.linalg.norm(extent) < cutoff:
            warn(
                f"the cutoff ({cutoff:.2f} Å) exceeds the size of this open cluster "
                f"({np.linalg.norm(extent):.2f} Å): every atom sees all others; for bulk "
                "environments set the cell and pbc.",
                stacklevel=3,
            )
    first, neighbour, shift, _ = _search(atoms, float(cutoff))
    return (first, neighbour.copy(), shift.copy()) if copy else (first, neighbour, shift)


def neighbour_pairs(
    quantities: str, atoms: Atoms, cutoff: float, copy: bool = True
) -> tuple[np.ndarray, ...]:
    """All pairs nearer than `cutoff` (Å), every periodic image counted, sorted by centre.

    Parameters
    ----------
    quantities : str
        Letters, one array (n_pairs,) each: i centre, j neighbour, d distance (Å); D (n_pairs, 3)
        vector from centre to neighbour (Å); S (n_pairs, 3) cell vectors added to the neighbour.
        They are those of `ase.neighborlist.neighbor_list`.
    atoms : ase.Atoms
    cutoff : float
    copy : bool
        False: the arrays may be overwritten by the next search of this thread.

    Returns
    -------
    tuple of arrays, in the order of the letters
    """
    first, neighbour, shift, vector = _search(
        atoms, float(cutoff), bool({"d", "D"} & set(quantities))
    )
    found = {"j": neighbour, "S": shift, "D": vector}
    made = {
        letter: array.copy() if copy else array
        for letter, array in found.items()
        if letter in quantities
    }
    if "i" in quantities:
        made["i"] = np.repeat(np.arange(len(atoms)), np.diff(first))
    if "d" in quantities:
        made["d"] = np.sqrt(np.einsum("pk,pk->p", vector, vector))
    return tuple(made[letter] for letter in quantities)


def _search(atoms, cutoff, with_vectors=False):
    """Sorts the atoms into cells and runs the compiled search, with more room if it needs it.

    Returns first, neighbour, shift, vector; all but the first are overwritten by the next search
    of this thread, and the last means nothing unless `with_vectors`.
    """
    compiled = load("neighbours.search")
    box = search_box(atoms, cutoff)
    inverse = np.linalg.inv(box)
    scaled = atoms.positions @ inverse
    turns = np.floor(scaled)
    height = 1.0 / np.linalg.norm(inverse, axis=0)
    counts = np.maximum(height // cutoff, 1.0)
    while counts.prod() > 2 * len(atoms) + 27:  # thin air would otherwise take memory
        counts[counts.argmax()] = np.ceil(counts.max() / 2)
    counts = counts.astype(np.int64)
    reach = np.ceil(cutoff * counts / height * (1.0 + 1e-12)).astype(np.int64)
    at = np.clip(((scaled - turns) * counts).astype(np.int64), 0, counts - 1)
    number = np.ravel_multi_index(at.T, counts)
    order = np.argsort(number, kind="stable")
    edges = np.zeros(counts.prod() + 1, np.int64)
    np.cumsum(np.bincount(number, minlength=counts.prod()), out=edges[1:])
    points = np.zeros((3, len(atoms) + compiled.PAD))
    points[:, : len(atoms)] = ((scaled - turns) @ box)[order].T
    turns = turns.astype(np.int32)
    first = np.empty(len(atoms) + 1, np.int64)

    def search(room):
        return compiled.find_pairs(
            first, *room, with_vectors, points, turns, order, box, edges, counts, reach, cutoff
        )

    room = _local.__dict__.setdefault("room", _room(0, 0))
    found = search(room)
    if found > len(room[0]) or (with_vectors and found > len(room[2])):
        size = found + found // 8
        room = _local.room = _room(size, max(size * with_vectors, len(room[2])))
        search(room)
    return (first, *(array[:found] for array in room))


def _room(pairs, vectors):
    """Where a search puts neighbours, shifts and vectors."""
    return np.empty(pairs, np.int64), np.empty((pairs, 3), np.int32), np.empty((vectors, 3))


def search_box(atoms: Atoms, cutoff: float) -> np.ndarray:
    """Vectors of a periodic box in which atoms have the neighbours that they have in the frame.

    Open axes become periodic ones with so much vacuum that no image comes within the cutoff.
    """
    box = Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)).complete().array
    for axis in np.flatnonzero(~atoms.pbc):
        box[axis] *= np.ptp(atoms.positions @ box[axis]) + 1.1 * cutoff
    return box
