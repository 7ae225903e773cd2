"""Large frames in slabs: neighbours of a few atoms at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

MOST = 100_000  # atoms of a slab; in a metal their neighbours within 6 Å take 0.6 GB


def slabs(
    atoms: Atoms, reach: float, most: int | None = None
) -> Iterator[tuple[Atoms, np.ndarray, np.ndarray]]:
    """Parts of a frame that hold all neighbours of the atoms they are responsible for.

    A frame is cut across its longest axis. Each part is a slab and what lies within `reach` (Å)
    of it, open along that axis; the neighbours of the slab's own atoms are those they have in the
    frame. A frame of up to `most` (default `MOST`) atoms, or one too short to be cut, comes whole.

    Yields
    ------
    part : ase.Atoms
    index : array (len(part),) of int, which atom of the frame each one is
    own : array of int, positions in `part` of the slab's own atoms; over all parts each atom of
        the frame is one's own once
    """
    n = -(-len(atoms) // (most or MOST))
    axis, length, turns, x = _along_the_longest(atoms) if n > 1 else (0, 0.0, *np.zeros((2, 1)))
    periodic = atoms.pbc[axis]
    n = min(n, int((length if periodic else np.ptp(x)) / (2 * reach)))
    groups = np.array_split(np.argsort(x, kind="stable"), max(n, 1))
    if n < 2 or (periodic and any(x[g[-1]] - x[g[0]] + 2 * reach >= length for g in groups)):
        whole = np.arange(len(atoms))
        yield atoms, whole, whole
        return
    for group in groups:
        low, high = x[group[0]] - reach, x[group[-1]] + reach
        near = [
            np.flatnonzero((x + image * length >= low) & (x + image * length <= high))
            for image in ((-1, 0, 1) if periodic else (0,))
        ]
        index = np.concatenate(near)
        shift = np.repeat((-1, 0, 1) if periodic else (0,), list(map(len, near))) - turns[index]
        part = atoms[index]
        part.positions += shift[:, None] * atoms.cell.complete()[axis]
        part.pbc[axis] = False
        place = np.full(len(atoms), -1)
        place[index] = np.arange(len(index))
        yield part, index, place[group]


def _along_the_longest(atoms):
    """Longest axis, the cell's height along it, and each atom's cell and height in it (Å)."""
    inverse = np.linalg.inv(atoms.cell.complete().array)
    scaled = atoms.positions @ inverse
    height = 1 / np.linalg.norm(inverse, axis=0)
    axis = int((np.where(atoms.pbc, 1.0, np.ptp(scaled, axis=0)) * height).argmax())
    turns = np.floor(scaled[:, axis]) if atoms.pbc[axis] else np.zeros(len(atoms))
    return axis, height[axis], turns, (scaled[:, axis] - turns) * height[axis]
