"""Sites over time: paths, jumps, mean square displacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import find_mic
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from .._deprecated import warn
from .geometry import distances

if TYPE_CHECKING:
    from .sites import Site


@dataclass(frozen=True, eq=False)
class Track:
    """Path of one defect.

    Attributes
    ----------
    frames : array (n,) of int
        Frames in which it was found, increasing.
    path : array (n, 3)
        Its positions (Å), unwrapped: across a boundary it goes on.
    atoms : list of n arrays of int
        Its atoms; empty where only positions were given.
    jumps : structured array
        `frame` (of arrival), `start`, `end` (Å, unwrapped) and `displacement` (Å).
    exchange_events : list of (frame, lost, gained)
        Where its atoms changed, and which: an interstitial that takes a lattice atom's place.
    """

    frames: np.ndarray
    path: np.ndarray
    atoms: list
    jumps: np.ndarray
    exchange_events: list

    @property
    def identity_changes(self) -> list:
        """Old name of `exchange_events`."""
        warn("identity_changes", "exchange_events")
        return self.exchange_events


JUMP = np.dtype([("frame", int), ("start", float, 3), ("end", float, 3), ("displacement", float)])


def track(
    sites: Sequence[Sequence[Site] | ArrayLike],
    cells: ArrayLike,
    max_jump: float = 5.0,
    memory: int = 5,
    min_jump: float = 1.2,
    pbc: ArrayLike = True,
) -> list[Track]:
    """Paths of the defects found frame by frame, with their jumps and exchange events.

    In each frame the sites are given to the paths so that the sum of squared distances from
    where each was last seen is smallest, none larger than `max_jump`. A path not continued for
    more than `memory` frames ends; a site without a path starts one.

    A jump is a move from one resting place to another at least `min_jump` away: the resting place
    is the mean since the last jump, and two frames in a row have to lie beyond, so that a defect
    seen once at the wrong site has not jumped.

    Parameters
    ----------
    sites : sequence of n_frames lists of Site, or of arrays (n, 3) in Å
        What was found in each frame; may be empty.
    cells : array (3, 3) or (n_frames, 3, 3)
        Cell vectors (Å).
    max_jump, min_jump : float
        Å. Half a bond of silicon is 1.2, second neighbours are 3.8 apart.
    memory : int
        Frames.
    pbc : bool or three
        Periodic directions.

    Returns
    -------
    list of Track, the longest first.

    Raises
    ------
    ValueError
        Cells that do not match the frames, positions that are not finite, lengths or memory
        below zero.

    Examples
    --------
    >>> path = [[[9.8, 5, 5]], [[9.9, 5, 5]], [[0.1, 5, 5]], [[2.3, 5, 5]], [[2.3, 5, 5]]]
    >>> found, = track(path, 10 * np.eye(3))
    >>> found.path[:, 0].round(1).tolist()
    [9.8, 9.9, 10.1, 12.3, 12.3]
    >>> found.jumps["frame"].tolist()
    [3]
    """
    places, members, cells = sites_of_frames(sites, cells)
    if max_jump <= 0 or min_jump <= 0 or memory < 0:
        raise ValueError(
            f"max_jump={max_jump}, min_jump={min_jump}, memory={memory}: use lengths "
            "above 0 Å and a memory of 0 frames or more."
        )
    pbc, paths = np.broadcast_to(pbc, 3), []
    for frame, (found, cell) in enumerate(zip(places, cells, strict=True)):
        alive = [path for path in paths if frame - path[-1][0] <= memory + 1]
        taken = set()
        if alive and len(found):
            # a cell that breathes carries its defects along
            last = np.array(
                [path[-1][1] @ np.linalg.inv(cells[path[-1][0]]) @ cell for path in alive]
            )
            away = distances(last, found, cell, pbc)
            for i, j in zip(
                *linear_sum_assignment(np.minimum(away, 2 * max_jump) ** 2), strict=True
            ):
                if away[i, j] <= max_jump:
                    step = find_mic((found[j] - last[i])[None], cell, pbc)[0][0]
                    alive[i].append((frame, last[i] + step, members[frame][j]))
                    taken.add(j)
        paths += [
            [(frame, place, members[frame][j])] for j, place in enumerate(found) if j not in taken
        ]
    tracks = [_track(path, min_jump) for path in paths]
    return sorted(tracks, key=lambda t: (-len(t.frames), t.frames[0]))


def mean_square_displacement(path: Track, max_lag: int | None = None) -> np.ndarray:
    """Mean square displacement (Å^2) of a defect over lags of 0, 1, 2, ... frames.

    Averaged over all pairs of frames a lag apart in which the defect was found; NaN where there
    is none. Displacements between its positions are dominated by heat until it jumps.

    Parameters
    ----------
    path : Track
    max_lag : int, optional
        Largest lag in frames; half the length of the track.

    Returns
    -------
    array (max_lag + 1,)

    Raises
    ------
    ValueError
        A lag below 0 or beyond the track.
    """
    check_one(path)
    span = path.frames[-1] - path.frames[0]
    max_lag = int(span // 2) if max_lag is None else max_lag
    if not 0 <= max_lag <= span:
        raise ValueError(
            f"max_lag={max_lag} for a track that spans {span} frames; use max_lag <= {span}."
        )
    place = np.full((span + 1, 3), np.nan)
    place[path.frames - path.frames[0]] = path.path
    result = np.zeros(max_lag + 1)
    for lag in range(1, max_lag + 1):
        square = ((place[lag:] - place[:-lag]) ** 2).sum(axis=1)
        square = square[np.isfinite(square)]
        result[lag] = square.mean() if len(square) else np.nan
    return result


def sites_of_frames(sites: Sequence[Any], cells: ArrayLike) -> tuple[list, list, np.ndarray]:
    """Positions, atoms and cells of each frame."""
    cells = np.asarray(cells, dtype=float)
    if cells.shape not in ((3, 3), (len(sites), 3, 3)):
        raise ValueError(
            f"cells has shape {cells.shape} for {len(sites)} frames; give (3, 3) or "
            f"({len(sites)}, 3, 3)."
        )
    cells = np.broadcast_to(cells, (len(sites), 3, 3))
    places, members = [], []
    for frame, found in enumerate(sites):
        if hasattr(found, "sites"):
            raise ValueError(
                f"frame {frame} is a {type(found).__name__}; give its .sites, one list for each "
                "frame."
            )
        bare = [getattr(site, "position", site) for site in found]
        places.append(np.reshape(np.array(bare, dtype=float), (-1, 3)))
        if not np.isfinite(places[-1]).all():
            raise ValueError(f"The sites of frame {frame} are not finite; leave them out.")
        members.append([np.asarray(getattr(site, "atoms", ()), dtype=int) for site in found])
    return places, members, cells


def check_one(path: Any) -> None:
    """Raises ValueError for the list of paths that `track` returns, where one is wanted."""
    if isinstance(path, list | tuple):
        raise ValueError(
            f"path is a {type(path).__name__} of {len(path)}, as track returns them; give one, "
            "such as path[0], the longest."
        )


def _track(path, min_jump):
    """A Track from its (frame, position, atoms)."""
    frames, places, atoms = zip(*path, strict=True)
    frames, places = np.array(frames), np.array(places)
    jumps, start = [], 0
    for k in range(1, len(places)):
        rest = places[start:k].mean(axis=0)
        ahead = places[k : k + 2]
        if (np.linalg.norm(ahead - rest, axis=1) < min_jump).any() or len(ahead) < 2:
            continue
        end = ahead.mean(axis=0)
        jumps.append((frames[k], rest, end, np.linalg.norm(end - rest)))
        start = k
    changes = [
        (
            int(frames[k]),
            np.setdiff1d(atoms[k - 1], atoms[k]),
            np.setdiff1d(atoms[k], atoms[k - 1]),
        )
        for k in range(1, len(atoms))
        if not np.array_equal(atoms[k - 1], atoms[k])
    ]
    return Track(frames, places, list(atoms), np.array(jumps, dtype=JUMP), changes)
