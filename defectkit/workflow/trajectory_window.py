"""Averages over time: how long, and which frames they belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..averaging import average_positions, frame_index, shortest_window

if TYPE_CHECKING:
    from ase import Atoms

SEARCH_FRAMES = 400  # consecutive frames in which the window is looked for
SEARCH_ATOMS = 400
FEWEST = 30  # environments of the widest windows: three times the neighbours of a map
WIDEST = 4  # windows of that length make the trajectory
ALIKE = 1e-9  # of the largest feature: digits of one structure's copies


def find_window(
    features_of: Callable[[slice, slice], np.ndarray],
    n_frames: int,
    n_atoms: int,
    dt: float | None,
    method: str,
    seed: int,
    progress: bool,
) -> tuple[int, str]:
    """Shortest window (frames) whose clusters last, and why; 1 where there is none.

    features_of  function of (frames, atoms), each a slice, that gives (n_frames, n_atoms,
                 n_features)
    """
    frames = slice(0, min(n_frames, SEARCH_FRAMES))
    atoms = slice(None, None, 1 + n_atoms // SEARCH_ATOMS)
    if WIDEST * len(range(n_atoms)[atoms]) < FEWEST:
        return 1, f"too few atoms to look for one ({n_atoms})"
    features = features_of(frames, atoms)
    if np.ptp(features, axis=(0, 1)).max() <= ALIKE * np.abs(features).max():
        return 1, "all environments are alike"
    window, _ = shortest_window(
        features,
        dt,
        method=method,
        seed=seed,
        max_points=3000,
        allow_splits=True,
        progress=progress,
    )
    if window is None:
        return 1, "no window up to a quarter of the trajectory gives clusters that persist"
    if window == 1:
        return 1, "the clusters of single frames persist"
    return window, "the shortest whose clusters persist"


def starts_of(n_frames: int, window: int, n_atoms: int, most: int) -> tuple[np.ndarray, bool]:
    """First frames of windows that do not overlap; evenly fewer where there are too many.

    Returns the starts and whether some were left out.
    """
    starts = np.arange(0, n_frames - window + 1, window)
    wanted = max(1, most // max(n_atoms, 1))
    if len(starts) <= wanted:
        return starts, False
    return starts[np.linspace(0, len(starts) - 1, wanted).round().astype(int)], True


def middle_of(starts: np.ndarray, n_frames: int, window: int) -> np.ndarray:
    """Frame that each window belongs to."""
    return frame_index(n_frames, window)[starts]


def mean_frame(part: Sequence[Atoms]) -> Atoms:
    """The middle frame of a window, its atoms at their mean positions (a copy)."""
    middle = part[(len(part) - 1) // 2].copy()
    positions = np.stack([atoms.positions for atoms in part])
    cells = np.stack([atoms.cell.complete().array for atoms in part])
    same = np.ptp(cells, axis=0).max() == 0
    middle.positions = average_positions(
        positions, cells[0] if same else cells, len(part), middle.pbc
    )[0]
    if not same:
        middle.set_cell(cells.mean(axis=0))
    return middle
