"""Means that take thermal noise out of features or positions, and how long they must be.

A window is a number of consecutive frames; :func:`window_from_ps` turns a time into one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from .._checks import unmasked
from ..neighbours.average import neighbour_average

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "average_frames",
    "average_positions",
    "frame_index",
    "moving_average",
    "neighbour_average",
    "stream_average",
    "window_from_ps",
]


def moving_average(features: ArrayLike, window: int) -> np.ndarray:
    """Features of each atom averaged over every `window` consecutive frames.

    Row k of every frame has to be the same atom: an array cannot tell. Frames passed through
    :func:`defectkit.io.in_order` before their features are computed are checked for that.

    Parameters
    ----------
    features : array (n_frames, n_atoms, n_features), or any array with time along axis 0
    window : int
        Number of frames; 1 leaves the features as they are.

    Returns
    -------
    array (n_frames - window + 1, n_atoms, n_features), float64. Entry t is the mean of frames t
    to t + window - 1; see :func:`frame_index` for the frame it belongs to. A NaN in one frame
    makes NaN of that value in the windows that hold the frame, and of nothing else.

    Raises
    ------
    ValueError
        A window below 1, not whole, or longer than the trajectory; frames of changing size.

    Examples
    --------
    >>> moving_average([0.0, 2.0, 4.0, 12.0], 2)
    array([1., 3., 8.])
    """
    features = check_frames(features)
    window = check_window(window, len(features))
    # Sums of deviations from the first frame stay small, so that a large offset costs no digits.
    origin = np.where(np.isfinite(features[0]), features[0], 0.0)
    with np.errstate(invalid="ignore"):
        total = np.cumsum(features - origin, axis=0)
        spoilt = ~np.isfinite(total[-1])
        total[window:] = total[window:] - total[:-window]
    mean = origin + total[window - 1 :] / window
    if np.any(spoilt):  # a running sum never forgets a NaN: these columns window by window
        mean[:, spoilt] = sliding_window_view(features[:, spoilt], window, axis=0).mean(axis=-1)
    return mean


def frame_index(
    n_frames: int, window: int, mode: Literal["centred", "trailing"] = "centred"
) -> np.ndarray:
    """Frame to which each moving average belongs.

    Parameters
    ----------
    n_frames, window : int
    mode : str
        "centred": the middle frame of the window (of an even window the earlier of the two);
        "trailing": the last, so that an average looks only into the past.

    Returns
    -------
    array (n_frames - window + 1,) of int

    Raises
    ------
    ValueError
        As :func:`moving_average`; an unknown mode.

    Examples
    --------
    >>> frame_index(6, 3).tolist(), frame_index(6, 3, "trailing").tolist()
    ([1, 2, 3, 4], [2, 3, 4, 5])
    """
    if mode not in ("centred", "trailing"):
        raise ValueError(f"unknown mode {mode!r}; use centred or trailing.")
    window = check_window(window, n_frames)
    shift = (window - 1) // 2 if mode == "centred" else window - 1
    return np.arange(n_frames - window + 1) + shift


def window_from_ps(ps: float, dt: float) -> int:
    """Number of frames that span a time.

    Parameters
    ----------
    ps : float
        Length of the average (ps); 0 means none, one frame.
    dt : float
        Time between two frames (ps).

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Times that are no numbers or negative, a time shorter than one interval, or one that is
        not a whole number of frames within 1 %.

    Examples
    --------
    >>> window_from_ps(0.75, dt=0.0125)
    60
    """
    if not (isinstance(ps, Real) and isinstance(dt, Real)):
        raise ValueError(f"window={ps!r} with frames every {dt!r}: give both as numbers, in ps.")
    if not dt > 0 or not ps >= 0:
        raise ValueError(f"window={ps} ps with frames every {dt} ps: times must be positive.")
    if ps == 0:
        return 1
    if ps < 0.99 * dt:
        raise ValueError(
            f"window={ps:g} ps is shorter than one interval of {dt:g} ps; use at "
            f"least {dt:g} ps or store frames more often."
        )
    window = round(ps / dt)
    if abs(window * dt - ps) > 0.01 * ps:
        below = int(ps / dt)
        raise ValueError(
            f"window={ps:g} ps lies between {below} and {below + 1} frames of "
            f"{dt:g} ps; use {below * dt:g} or {(below + 1) * dt:g} ps."
        )
    return window


def average_positions(
    positions: ArrayLike, cell: ArrayLike, window: int, pbc: ArrayLike = True
) -> np.ndarray:
    """Positions averaged over every `window` frames, following atoms across periodic boundaries.

    Between two frames an atom is taken to move by less than half a cell. Positions may be
    wrapped; the result is not.

    Parameters
    ----------
    positions : array (n_frames, n_atoms, 3), Å
    cell : array (3, 3) or (n_frames, 3, 3), Å
        Rows are the cell vectors. In a changing cell scaled coordinates are averaged and set into
        the averaged cell, ``moving_average(cell, window)``.
    window : int
    pbc : bool or three bool

    Returns
    -------
    array (n_frames - window + 1, n_atoms, 3), Å

    Raises
    ------
    ValueError
        As :func:`moving_average`; shapes that do not match, a cell without volume.

    Examples
    --------
    >>> wrapped = [[[9.8, 0, 0]], [[0.2, 0, 0]]]  # an atom that crosses the boundary of a 10 Å box
    >>> average_positions(wrapped, 10 * np.eye(3), 2).tolist()
    [[[10.0, 0.0, 0.0]]]
    """
    positions, cell = check_frames(positions), np.asarray(cell, dtype=float)
    window = check_window(window, len(positions))
    if positions.ndim != 3 or positions.shape[2] != 3:
        raise ValueError(f"positions must be (n_frames, n_atoms, 3), got {positions.shape}.")
    if cell.shape not in ((3, 3), (len(positions), 3, 3)):
        raise ValueError(
            f"cell must be (3, 3) or ({len(positions)}, 3, 3), got {cell.shape}; "
            "give its vectors as rows."
        )
    if np.abs(np.linalg.det(cell)).min() < 1e-9:
        raise ValueError("the cell has no volume; average free atoms with moving_average.")
    scaled = _unwrapped(positions @ np.linalg.inv(cell), pbc)
    box = cell if cell.ndim == 2 else moving_average(cell, window)
    return moving_average(scaled, window) @ box


def average_frames(
    frames: Sequence[Atoms], window: int, element: str | None = None
) -> list[Atoms]:
    """Frames whose atoms sit at their mean positions over every `window` consecutive frames.

    Parameters
    ----------
    frames : list of ase.Atoms
        One run: the same atoms in the same order, in a cell that does not change; wrapped or not.
    window : int
    element : str, optional
        Keep only these atoms, such as "O" of water.

    Returns
    -------
    list of n_frames - window + 1 ase.Atoms, not wrapped; the first belongs to frames 0 to
    window - 1. See :func:`average_positions`.

    Raises
    ------
    ValueError
        As :func:`average_positions`; a cell that changes, atoms that change in number or elements,
        an element that is not there.

    Examples
    --------
    >>> from ase import Atoms
    >>> run = [Atoms("OH", [[x, 0, 0], [x + 1, 0, 0]], cell=[9, 9, 9], pbc=True) for x in (0, 1)]
    >>> average_frames(run, 2, "O")[0].positions.tolist()
    [[0.5, 0.0, 0.0]]
    """
    frames = list(frames)
    if not frames:
        raise ValueError("there are no frames to average; load at least one.")
    cell = frames[0].cell.array
    if not all(np.allclose(atoms.cell.array, cell, atol=1e-6) for atoms in frames):
        raise ValueError(
            "the cell changes from frame to frame; average_positions takes the cells "
            "of all frames."
        )
    for n, atoms in enumerate(frames):
        if not np.array_equal(atoms.numbers, frames[0].numbers):
            raise ValueError(
                f"frame {n} ({atoms.symbols}) holds other atoms than frame 0 "
                f"({frames[0].symbols}), or in another order; average only over frames of the "
                "same atoms."
            )
    chosen = np.ones(len(frames[0]), bool) if element is None else frames[0].symbols == element
    if not chosen.any():
        raise ValueError(
            f"there is no {element} in these frames; they hold "
            f"{', '.join(sorted(set(frames[0].symbols)))}."
        )
    places = average_positions(
        [atoms.positions[chosen] for atoms in frames], cell, window, frames[0].pbc
    )
    like = frames[0][chosen]
    means = [like.copy() for _ in places]
    for atoms, mean in zip(means, places, strict=True):
        atoms.positions = mean
    return means


def stream_average(frames: Iterable[ArrayLike], window: int) -> Iterator[np.ndarray]:
    """Moving averages one by one, from frames that arrive one by one.

    Keeps only the last `window` frames, however long the trajectory.

    Parameters
    ----------
    frames : iterable of arrays (n_atoms, n_features)
        For instance ``(sf(atoms) for atoms in in_order(dk.iter_frames("long.xyz")))``:
        :func:`defectkit.io.in_order` stops at a frame whose atoms changed places, which the
        arrays themselves cannot tell.
    window : int

    Yields
    ------
    array (n_atoms, n_features), float64; the same numbers as :func:`moving_average`.

    Raises
    ------
    ValueError
        A window below 1 or longer than what came; frames of changing size.

    Examples
    --------
    >>> [float(mean) for mean in stream_average(iter([0, 2, 4, 12]), 2)]
    [1.0, 3.0, 8.0]
    """
    return _stream(frames, check_window(window))


def check_frames(features: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
    """Frames as float64; raises ValueError for none or for frames of changing size."""
    features = unmasked(features, "the array")
    try:
        features = np.asarray(features, dtype=float)
    except ValueError:
        raise ValueError(
            "the number of atoms or features changes between frames; average only "
            "over frames of the same atoms."
        ) from None
    if features.ndim == 0 or len(features) == 0:
        raise ValueError("there are no frames to average; load at least one.")
    return features


def _unwrapped(scaled, pbc):
    """Scaled positions that follow each atom, also past frames in which it has none (NaN)."""
    known = np.isfinite(scaled).all(axis=2)
    last = np.maximum.accumulate(np.where(known, np.arange(len(scaled))[:, None], 0), axis=0)
    first = np.where(last > 0, last, known.argmax(axis=0))  # before the first known one: that one
    filled = np.take_along_axis(scaled, first[:, :, None], axis=0)
    steps = np.diff(filled, axis=0)
    steps -= np.where(pbc, np.round(steps), 0.0)
    filled[1:] = filled[0] + np.cumsum(steps, axis=0)
    return np.where(np.isfinite(scaled), filled, scaled)


def check_window(window: Any, n_frames: int | None = None) -> int:
    """A window as int; raises ValueError for one that is none or does not fit."""
    if (
        isinstance(window, bool)
        or not isinstance(window, Real)
        or window != window // 1
        or (window < 1)
    ):
        raise ValueError(
            f"window={window!r} must be a whole number of frames, at least 1; "
            "window_from_ps converts a time."
        )
    if n_frames is not None and float(window) > n_frames:
        raise ValueError(
            f"window={window} exceeds the {n_frames} frames in this trajectory; use "
            f"window <= {n_frames} or load more frames."
        )
    return int(float(window))


def _stream(frames, window):
    kept = deque(maxlen=window)  # deviations from the first frame, as in moving_average
    origin, total, count = None, None, 0
    for count, frame in enumerate(frames, 1):
        frame = np.array(unmasked(frame, f"frame {count - 1}"), dtype=float)
        if origin is None:
            origin = np.where(np.isfinite(frame), frame, 0.0)
        if frame.shape != origin.shape:
            raise ValueError(
                f"frame {count - 1} has shape {frame.shape} but those before have "
                f"{origin.shape}; average only over frames of the same atoms."
            )
        frame = frame - origin
        oldest = kept[0] if len(kept) == window else None
        kept.append(frame)
        if oldest is None or count % window == 0 or not np.isfinite(oldest).all():
            # A fresh sum, before round-off piles up, and because no difference undoes a NaN.
            total = np.sum(kept, axis=0)
        else:
            total = total + (frame - oldest)
        if count >= window:
            yield origin + total / window
    if count < window:
        check_window(window, count)
