"""Features of the atoms of many frames."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice, repeat
from typing import Any

import numpy as np
from ase import Atoms

from .. import _threads
from .._checks import check_is_frame, not_frames
from .._progress import tqdm
from .._types import Centres, FilePath, Frames
from ..neighbours.lists import centre_index
from ..neighbours.slabs import MOST
from .functions import SymmetryFunctions


def features(
    frames: Frames | FilePath,
    symmetry: Callable[..., Any],
    centres: Centres = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Features of every centre in every frame.

    Parameters
    ----------
    frames : ase.Atoms, iterable of ase.Atoms, or path
        A frame, a list, a reader, a generator, a file of `io.iter_frames`.
    symmetry : SymmetryFunctions, another descriptor, or function
        See `defectkit.descriptors`; a function of atoms and indices returns a row for each.
    centres : str or array of int, optional
        Element symbol or indices; default all atoms.
    n_jobs : int, optional
        Threads; default all of this machine.
    progress : bool, optional
        Default shows a bar when it takes more than 2 s.

    Returns
    -------
    array (n_frames, n_centres, n_features) of float64, or a list of (n_centres, n_features) where
    the numbers of centres differ.

    Raises
    ------
    TypeError, ValueError
        What is no frames, a descriptor that gives no row for each centre, what it refuses (the
        sentence names the frame), no frames.

    Notes
    -----
    Each thread works on a frame of its own, or all on the same
    where there are fewer frames than threads or as many like the first hold over 100 000 atoms;
    the neighbours of no more frames are in memory at a time.  Functions that torch computes on a
    device (`SymmetryFunctions.using`) and descriptors of other libraries take one frame after the
    other.  The bits do not depend on the threads.
    """
    if isinstance(frames, str | os.PathLike):
        from ..io.trajectory import iter_frames  # ASE's readers take 0.2 s to import

        frames = iter_frames(frames)
    frames = [frames] if isinstance(frames, Atoms) else frames
    if not callable(symmetry):
        raise ValueError(
            f"a {type(symmetry).__name__} gives no features; the order is "
            "features(frames, symmetry)."
        )
    try:
        pairs = zip(frames, repeat(centres))
    except TypeError:
        raise TypeError(not_frames(frames)) from None
    return features_of_each(pairs, symmetry, n_jobs, progress)


def features_of_each(
    pairs: Iterable[tuple[Atoms, Centres]],
    symmetry: Callable[..., Any],
    n_jobs: int | None,
    progress: bool | None,
) -> np.ndarray | list[np.ndarray]:
    """As `features`, of pairs of a frame and the centres wanted of it."""
    n_jobs = _threads.checked(n_jobs) or _threads.current()
    pairs = iter(pairs)
    begun = list(islice(pairs, n_jobs))
    for frame, _ in begun:
        check_is_frame(frame)
    ours = isinstance(symmetry, SymmetryFunctions)
    compiled = isinstance(symmetry, SymmetryFunctions) and not symmetry.device
    few = compiled and len(begun) == n_jobs and n_jobs * len(begun[0][0]) <= MOST
    apart = n_jobs if few else 1

    def one(numbered):
        n, (atoms, centres) = numbered
        try:
            with _threads.for_frame(atoms, n_jobs // apart):
                if not ours:
                    return _rows(symmetry, atoms, centres)
                return symmetry(atoms, centres, progress is not False and apart == 1)
        except ValueError as error:
            raise ValueError(f"frame {n}: {error}") from None

    rows = list(
        tqdm(
            _in_order(one, iter(enumerate(chain(begun, pairs))), apart),
            desc="features",
            unit="frame",
            delay=2,
            disable=progress is False,
        )
    )
    if not rows:
        raise ValueError("there are no frames; check the file or the selection.")
    return np.stack(rows) if len({len(r) for r in rows}) == 1 else rows


def _rows(symmetry, atoms, centres):
    """Features as float64; ValueError where they are no row for each centre.

    A plain function, which does not say how far it sees, is given indices.
    """
    index = centre_index(atoms, centres)
    values = np.asarray(symmetry(atoms, centres if hasattr(symmetry, "cutoff") else index))
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise ValueError(
            f"the descriptor returned {values.dtype} of shape {values.shape}; it has "
            "to return one row of numbers for each centre."
        )
    if len(values) != len(index):
        raise ValueError(
            f"the descriptor returned {len(values)} rows for {len(index)} centres; it has to "
            "return one row of numbers for each centre, in their order."
        )
    return values.astype(float, copy=False)


def _in_order(function, items, workers):
    """Results of a function in the order of the items, some of them worked on at a time."""
    # The first alone: two threads that import and compile at once may wait for each other.
    yield from map(function, items if workers == 1 else islice(items, 1))
    if workers == 1:
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead = deque(pool.submit(function, item) for item in islice(items, workers))
        while ahead:
            done = ahead.popleft().result()
            ahead.extend(pool.submit(function, item) for item in islice(items, 1))
            yield done
