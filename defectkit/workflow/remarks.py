"""What is said of frames before they are looked into: no cell, odd lengths, what takes long."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase.data import covalent_radii

from ..neighbours.lists import neighbour_pairs

if TYPE_CHECKING:
    from ase import Atoms

MOLECULAR = (1, 2, 6, 7, 8, 9, 10, 17, 18, 35, 36, 53, 54, 86)  # stand far apart when alone
TOO_WIDE = 1.6  # sums of covalent radii to the nearest atom; metals have at most 1.25
CLOSE = 0.4  # Å, nearer than any two nuclei of atoms
TOO_NARROW = 0.6  # of these sums; at some hundred GPa metals have 0.8
SPACINGS = 1.5  # mean distances of atoms between the last layer and the first one's image
LOOKED_AT, MOST = 20, 1_000_000  # frames, evenly spaced, and their atoms
SAMPLE = 2000  # atoms


def remarks(frames: Sequence[Atoms], bare: Sequence[int]) -> list[str]:
    """Sentences for the steps; a warning where the lengths look like those of another unit.

    `bare` are the frames that have no cell.
    Raises ValueError where two atoms are nearer to each other than two nuclei can be.
    """
    first = frames[0]
    most = int(np.clip(MOST // len(first), 1, LOOKED_AT))
    chosen = np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))
    for n in chosen:
        _check_apart(frames[n], f"frame {n}")
    said = []
    if bare:
        those = f"frame {bare[0]}" + (f" and {len(bare) - 1} more" if len(bare) > 1 else "")
        which = "there is no cell" if len(bare) == len(frames) else f"no cell in {those}"
        said.append(f"{which}: the atoms are taken for a cluster in vacuum")
    axes = _filled(first)
    if len(axes) > 1:
        text = (
            f"a cell is set and the atoms fill it along {' and '.join(axes)}, but pbc is False: "
            "they are taken for a cluster in vacuum; set atoms.pbc = True where the cell repeats."
        )
        warnings.warn(text, stacklevel=3)
        said.append(text)
    ratio = _stretched(first)
    if ratio > TOO_WIDE or 0 < ratio < TOO_NARROW:
        text = (
            f"atoms are {ratio:.1f} times as far from their nearest neighbours as bonds of these "
            "elements are long: check the unit of positions and of the cell (Å; one bohr is "
            "0.529 Å) and the elements."
        )
        warnings.warn(text, stacklevel=3)
        said.append(text)
    return said


def announce(n_frames: int, n_atoms: int, progress: bool) -> None:
    """Says on standard error, while frames are still read, what will take minutes and what helps.

    n_frames, n_atoms  read so far, and their atoms of all frames together
    """
    if progress and sys.stderr is not None and not sys.stderr.closed:
        frames = f"{n_frames} frame" + "s" * (n_frames > 1)
        print(
            f"defectkit: {n_atoms} atoms in {frames}, read so far: this takes minutes; a window, "
            "centres, a smaller max_frames or max_environments, or fewer frames make it shorter.",
            file=sys.stderr,
        )


def _check_apart(atoms, where):
    i, j, d = neighbour_pairs("ijd", atoms, CLOSE)
    apart = np.flatnonzero((d < CLOSE) & (i != j))
    if len(apart):
        k = apart[np.argmin(d[apart])]
        raise ValueError(
            f"{where}: atoms {min(i[k], j[k])} and {max(i[k], j[k])} are {d[k]:.2g} Å apart, "
            "nearer than two nuclei can be; remove one of them."
        )


def _filled(atoms):
    """Axes of a cell that repeats nowhere along which one more layer would close it."""
    if atoms.pbc.any() or atoms.cell.rank < 3:
        return []
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    extent = np.ptp(atoms.cell.scaled_positions(atoms.positions), axis=0) * heights
    spacing = (np.prod(np.maximum(extent, 1.0)) / len(atoms)) ** (1 / 3)
    gaps = np.abs(heights - extent)
    return [name for name, gap in zip("abc", gaps, strict=True) if gap < SPACINGS * spacing]


def _stretched(atoms):
    """Median distance to the nearest atom in sums of covalent radii; 0 where it tells nothing.

    Of elements that are solid by bonds, in a periodic cell.
    """
    wanted = np.flatnonzero(~np.isin(atoms.numbers, MOLECULAR))
    if not atoms.pbc.all() or len(wanted) < 0.05 * len(atoms) or len(atoms) < 2:
        return 0.0
    wanted = wanted[:: 1 + len(wanted) // SAMPLE]
    reach = 1.5 * (atoms.get_volume() / len(atoms)) ** (1 / 3)
    i, j, d = neighbour_pairs("ijd", atoms, reach)
    nearest = np.full(len(atoms), np.inf)
    radii = covalent_radii[atoms.numbers]
    np.minimum.at(nearest, i, d / (radii[i] + radii[j]))
    found = nearest[wanted]
    return float(np.median(found)) if np.isfinite(found).mean() > 0.5 else 0.0
