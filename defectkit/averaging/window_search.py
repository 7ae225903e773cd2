"""The search for the shortest average over time that separates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._progress import tqdm
from ..clusters import agreement, cluster, knn_error
from ..embedding import embed
from .means import check_frames, check_window, moving_average
from .persistence import choice, kept_apart, persistence

__all__ = ["shortest_window"]


def shortest_window(
    features: np.ndarray | Sequence[np.ndarray],
    dt: float | None = None,
    windows: Sequence[int] | None = None,
    method: str = "pacmap",
    threshold: float = 0.97,
    allow_splits: bool = False,
    truth: ArrayLike | Sequence[ArrayLike] | None = None,
    seed: int = 0,
    max_points: int = 8000,
    progress: bool = True,
    **options: Any,
) -> tuple[int | None, pd.DataFrame]:
    """Shortest average over time at which the map falls into clusters that persist.

    Widens the window step by step, as the paper did by eye. No labels are used. A window is long
    enough if

    - there are at least two clusters;
    - they last: an atom is found in the same cluster in the next, not overlapping window, apart
      from a chance-corrected fraction (Cohen's kappa) of at most 1 - `threshold`;
    - they are final: every wider window groups the atoms in the same way (adjusted Rand index at
      least `threshold`). So the widest window only serves to confirm the others. Long averages
      also tell apart what differs in strain or proton order; `allow_splits` takes clusters that
      wider windows divide further but do not mix.

    All windows use the same number of environments, which do not overlap in time.

    Parameters
    ----------
    features : array (n_frames, n_atoms, n_features), or a list of these, one per trajectory
    dt : float, optional
        Time between frames (ps); adds the time to the curve.
    windows : sequence of int, optional
        Frames; by default 1, 2, 3, 4, 6, 8, 12, ... up to a quarter of the shortest trajectory.
    method, seed, options
        Of :func:`defectkit.embedding.embed`.
    threshold : float
        0.97 allows about 1 % of the atoms to be misplaced.
    allow_splits : bool
    truth : optional
        Known phase of each trajectory, or of each atom of each trajectory. It is not used for the
        choice; adds knn_error and ari_to_truth to the curve.
    max_points : int
        Take a random choice of atoms if there are more environments.

    Returns
    -------
    window : int or None
        In frames; None if no window is long enough.
    curve : pandas.DataFrame
        One row for each window: window, time_ps (NaN without `dt`), n_clusters, noise,
        persistence, final (NaN for the widest), accepted.

    Raises
    ------
    ValueError
        No window, one that does not fit twice into each trajectory, differing features.
    """
    runs = [check_frames(f) for f in ([features] if hasattr(features, "ndim") else features)]
    windows = _windows(windows, runs)
    runs, known = choice(runs, truth, windows[-1], max_points, seed)
    if truth is not None and len(np.unique(np.concatenate(known))) < 2:
        raise ValueError("truth names only one phase; leave it out.")
    starts = [windows[-1] * np.arange(len(r) // windows[-1]) for r in runs]
    curve, grouped = [], []
    for window in tqdm(windows, desc="windows", disable=not progress):
        means = [moving_average(r, window)[s] for r, s in zip(runs, starts, strict=True)]
        Y = embed(
            np.concatenate([m.reshape(-1, m.shape[2]) for m in means]),
            method,
            seed=seed,
            **options,
        )
        labels = cluster(Y)
        grouped.append(labels)
        curve.append(
            {
                "window": window,
                "time_ps": float("nan") if dt is None else window * dt,
                "n_clusters": int(labels.max()) + 1,
                "noise": float((labels < 0).mean()),
                "persistence": persistence(labels, means),
            }
        )
        if truth is not None:
            phases = np.concatenate(
                [np.tile(k, len(s)) for k, s in zip(known, starts, strict=True)]
            )
            curve[-1] |= {
                "ari_to_truth": agreement(labels, phases),
                "knn_error": knn_error(Y, phases).overall,
            }
    same = kept_apart if allow_splits else agreement
    for n, row in enumerate(curve):
        row["final"] = min((same(grouped[n], g) for g in grouped[n + 1 :]), default=float("nan"))
        row["accepted"] = (
            row["n_clusters"] > 1 and row["persistence"] >= threshold and row["final"] >= threshold
        )
    return next((row["window"] for row in curve if row["accepted"]), None), pd.DataFrame(curve)


def _windows(windows, runs):
    shortest = min(map(len, runs), default=0)
    if shortest == 0:
        raise ValueError("there are no trajectories; give at least one array of features.")
    if any(r.ndim != 3 or r.shape[2] != runs[0].shape[2] for r in runs):
        raise ValueError(
            "features must be (n_frames, n_atoms, n_features) with the same "
            f"n_features, got shapes {[r.shape for r in runs]}."
        )
    if windows is None:
        steps = sorted({s << p for p in range(30) for s in (2, 3)} | {1})
        windows = [w for w in steps if w <= max(1, shortest // 4)]
    windows = sorted(check_window(w) for w in windows)
    if not windows or 2 * windows[-1] > shortest:
        raise ValueError(
            f"windows {windows} must fit twice into the shortest trajectory of "
            f"{shortest} frames; use windows <= {shortest // 2} or load more frames."
        )
    return windows
