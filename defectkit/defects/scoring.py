"""The score of what was found against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from .geometry import distances
from .tracking import sites_of_frames

if TYPE_CHECKING:
    from .sites import Site


def score(
    found: Sequence[Sequence[Site] | ArrayLike],
    truth: Sequence[ArrayLike],
    cells: ArrayLike,
    tolerance: float = 0.7,
    pbc: ArrayLike = True,
    halves: Sequence[ArrayLike] | None = None,
    truth_atoms: Sequence[Sequence[ArrayLike]] | None = None,
) -> dict[str, Any]:
    """How many of the true defects were found, how far off, and how many false ones.

    In each frame found and true positions are paired one to one, at the smallest sum of squared
    distances; a pair counts if it is nearer than `tolerance`.

    Parameters
    ----------
    found : sequence of n_frames lists of Site, or of arrays (n, 3) in Å
    truth : sequence of n_frames arrays (n, 3)
        True positions (Å), none or several a frame.
    cells : array (3, 3) or (n_frames, 3, 3)
        Cell vectors (Å).
    tolerance : float
        Å.
    pbc : bool or three
    halves : sequence of n_frames arrays (n, 3), optional
        The other site of each split vacancy, NaN for whole ones, as `wigner_seitz` gives them.
    truth_atoms : sequence of n_frames lists of arrays of int, optional
        The atoms of each true defect, as `wigner_seitz` gives those of interstitials.

    Returns
    -------
    dict
        located: fraction of the true defects that were found;
        frames_located: fraction of the frames with all of theirs found;
        errors_A: distances of the pairs that count (Å); median_error_A, largest_error_A;
        false_alarms_per_frame: found ones without a true one, per frame;
        exactly_four: fraction of the located ones with four atoms in `Site.atoms` (NaN for bare
        positions); atom_counts: {number of atoms: number of located ones}.

        With `halves` also located_either and false_alarms_either_per_frame: the same where a
        split vacancy counts at either of its two sites; split: fraction that is split.
        With `truth_atoms` also found_atoms and false_atoms_per_frame: true defects of which an
        atom is named in a `Site.atoms`, and sites that name an atom of none.

    Raises
    ------
    ValueError
        Found and true frames, cells, halves or atoms that differ in number; positions that are
        not finite; a tolerance that is not above 0.

    Examples
    --------
    >>> result = score([[[9.9, 0, 0]], [[5, 5, 5]]], [[[0.1, 0, 0]], []], 10 * np.eye(3))
    >>> result["located"], round(result["median_error_A"], 3), result["false_alarms_per_frame"]
    (1.0, 0.2, 0.5)
    """
    if tolerance <= 0:
        raise ValueError(f"tolerance={tolerance} Å; use one above 0, such as 0.7.")
    if len(found) != len(truth):
        raise ValueError(
            f"{len(found)} frames of found sites for {len(truth)} frames of true "
            "ones; give one list (empty where there is none) for each frame."
        )
    places, members, cells = sites_of_frames(found, cells)
    true, _, _ = sites_of_frames(truth, cells)
    away = [
        distances(here, there, cell, np.broadcast_to(pbc, 3))
        for here, there, cell in zip(places, true, cells, strict=True)
    ]
    errors, hits, false, complete = _paired(away, tolerance)
    counts = [len(members[frame][k]) for frame, k in hits]
    n_true, bare = sum(map(len, true)), not any(counts)
    result = {
        "located": len(errors) / n_true if n_true else np.nan,
        "frames_located": complete,
        "errors_A": errors,
        "median_error_A": float(np.median(errors)) if hits else np.nan,
        "largest_error_A": max(errors, default=np.nan),
        "false_alarms_per_frame": false,
        "exactly_four": np.nan if bare else float(np.mean(np.array(counts) == 4)),
        "atom_counts": dict(zip(*np.unique(counts, return_counts=True), strict=True))
        if not bare
        else {},
    }
    if halves is not None:
        result |= _either(away, places, true, halves, cells, tolerance, pbc)
    if truth_atoms is not None:
        result |= _by_atoms(members, true, truth_atoms)
    return result


def _paired(away, tolerance):
    """Errors and (frame, found one) of the pairs that count, false alarms, complete frames.

    False alarms per frame; the fraction of the frames with all found.
    """
    errors, hits, false, complete = [], [], 0, []
    for frame, distance in enumerate(away):
        i, j = linear_sum_assignment(np.minimum(distance, 2 * tolerance) ** 2)
        hit = distance[i, j] <= tolerance
        errors += distance[i, j][hit].tolist()
        hits += [(frame, k) for k in i[hit]]
        false += len(distance) - hit.sum()
        complete.append(hit.sum() == distance.shape[1])
    if not away:
        return np.array(errors), hits, np.nan, np.nan
    return np.array(errors), hits, float(false / len(away)), float(np.mean(complete))


def _either(away, places, true, halves, cells, tolerance, pbc):
    """The score where a split vacancy counts at either of its two sites."""
    halves = [np.reshape(np.array(half, dtype=float), (-1, 3)) for half in halves]
    if [len(half) for half in halves] != [len(there) for there in true]:
        raise ValueError(
            "halves and truth differ in the number of defects; give one row for each "
            "true position, NaN where the vacancy is whole."
        )
    split = [np.isfinite(half).all(axis=1) for half in halves]
    nearer = []
    for distance, here, half, mine, cell in zip(away, places, halves, split, cells, strict=True):
        distance = distance.copy()
        distance[:, mine] = np.minimum(
            distance[:, mine], distances(here, half[mine], cell, np.broadcast_to(pbc, 3))
        )
        nearer.append(distance)
    errors, _, false, _ = _paired(nearer, tolerance)
    split = np.concatenate(split) if split else np.zeros(0, bool)
    return {
        "located_either": len(errors) / len(split) if len(split) else np.nan,
        "false_alarms_either_per_frame": false,
        "split": float(split.mean()) if len(split) else np.nan,
    }


def _by_atoms(members, true, truth_atoms):
    """The score by atoms that the found and the true defects share."""
    if [len(atoms) for atoms in truth_atoms] != [len(there) for there in true]:
        raise ValueError(
            "truth_atoms and truth differ in the number of defects; give an array of "
            "atoms for each true position."
        )
    shared = [
        np.array(
            [[bool(np.intersect1d(a, b).size) for b in theirs] for a in mine], dtype=bool
        ).reshape(len(mine), len(theirs))
        for mine, theirs in zip(members, truth_atoms, strict=True)
    ]
    n_true = sum(map(len, true))
    return {
        "found_atoms": sum(int(s.any(axis=0).sum()) for s in shared) / n_true
        if n_true
        else np.nan,
        "false_atoms_per_frame": float(np.mean([(~s.any(axis=1)).sum() for s in shared]))
        if shared
        else np.nan,
    }
