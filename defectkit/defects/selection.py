"""Which clusters are the defect, decided without the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._checks import unmasked
from .._deprecated import renamed_arguments

ODD_CELL = 0.1  # fraction of bulk: a frame with less is another kind of cell
FEWEST_FALLBACK = 8  # atoms: the neighbours of a vacancy in bcc
MAX_FLAGGED = 0.4  # of a frame: the bulk's order is learnt from the rest


@dataclass(frozen=True, eq=False)
class DefectSelection:
    """Which clusters are the defect, and why.

    Attributes
    ----------
    flagged : array (n_env,) of bool
        Environments of the chosen clusters, and those of the fallback.
    clusters : list of int
        Their labels, in the order in which they were chosen.
    coverage : float
        Fraction of the frames that have an environment of the chosen clusters; frames of another
        kind of cell do not count.
    table : pandas.DataFrame
        One row for each label: label, size, per_frame (mean number), presence (fraction of the
        frames that have any), distance (from the bulk, in units of its spread), odd (fraction of
        its environments in frames of another kind of cell), chosen, why.
    """

    flagged: np.ndarray
    clusters: list
    coverage: float
    table: pd.DataFrame


@renamed_arguments(max_share="max_fraction")
def select_defect_clusters(
    labels: ArrayLike,
    frames: ArrayLike,
    points: ArrayLike | None = None,
    max_fraction: float = 0.1,
    coverage: float = 0.98,
    as_far: float = 0.6,
    fallback: float = 0.0,
) -> DefectSelection:
    """Which clusters are the defect, decided without the truth.

    The rule, in this order:

    1. The bulk is the largest cluster. Noise (label -1) is never the defect.
    2. Odd cells: a frame with less than 10 % of its environments in the bulk is another kind of
       cell (strained, another phase), not a defect; clusters that live there are left out.
    3. Rare: a cluster counts as a defect only if it holds at most `max_fraction` of all
       environments. A point defect touches few atoms of each frame.
    4. Far: rare clusters are ranked by their distance from the bulk, the median distance of their
       `points` from the mean of the bulk over the root mean square distance of the bulk's own;
       the farthest first. Without `points`, by size, the smallest first.
    5. In every frame: clusters are taken in that order until `coverage` of the frames hold a
       flagged atom, as a defect that shows several faces (dumbbell and tetrahedral) may need more
       than one cluster.
    6. Alike: further ones are taken that are at least `as_far` times as far as the last (the two
       kinds of neighbour of a vacancy in ice); without `points`, none.
    7. Only if asked for, and if the map does not separate the defect from the bulk in all frames:
       the `fallback` fraction of a frame that is farthest from the bulk, at least eight (the
       neighbours of a vacancy in bcc) or a fifth of a small cell, is flagged too (Mahalanobis
       distance of the `points`), in every frame if `coverage` is not reached, else in those with
       nothing flagged. Most of these are not the defect; `locate_vacancies` and
       `locate_interstitials` are made to find out.
    8. In no frame more than 40 % are flagged where `points` rank them: a defect may touch most
       atoms of a small cell, but the order of the bulk has to be learnt from some.

    Parameters
    ----------
    labels : array (n_env,) of int
        Cluster of each environment, -1 for noise, as `clusters.cluster` gives them.
    frames : array (n_env,) of int, or int
        Frame of each environment, or the number of environments in every frame.
    points : array (n_env, n), optional
        Standardised features (better: a map keeps no distances), or map coordinates.
    max_fraction, coverage, as_far, fallback : float
        See the rule; between 0 and 1. A `fallback` of 0.05 serves a vacancy that hops all the
        time.

    Returns
    -------
    DefectSelection

    Raises
    ------
    ValueError
        Arrays that do not match, points that are not finite, fractions outside 0 to 1, no
        cluster.

    Examples
    --------
    >>> labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2] * 3
    >>> points = np.array([0, 1, 0, 1, 0, 1, 0, 1, 9, 2])[:, None].repeat(3, 1).T.reshape(-1, 1)
    >>> selection = select_defect_clusters(labels, 10, points)
    >>> selection.clusters, selection.flagged[:10].nonzero()[0].tolist(), selection.coverage
    ([1], [8], 1.0)
    """
    labels, frames, points = _checked_labels(labels, frames, points)
    for name, value in (
        ("max_fraction", max_fraction),
        ("coverage", coverage),
        ("as_far", as_far),
        ("fallback", fallback),
    ):
        if not 0 <= value <= 1:
            raise ValueError(f"{name}={value}; use a fraction between 0 and 1.")
    if fallback and points is None:
        raise ValueError("fallback needs points; give the standardised features.")
    bulk = np.bincount(labels[labels >= 0]).argmax()
    in_bulk = np.bincount(frames, labels == bulk) / np.bincount(frames)
    odd = in_bulk < ODD_CELL if (in_bulk >= ODD_CELL).any() else np.zeros(len(in_bulk), bool)
    table = _cluster_table(labels, frames, points, bulk, odd)
    chosen, covered = _chosen(
        table, labels, frames, points, bulk, odd, max_fraction, coverage, as_far
    )
    covered_fraction = float(covered[~odd].mean())
    flagged = np.isin(labels, chosen) & ~odd[frames]
    if fallback and not covered[~odd].all():
        far = _farthest(points, labels == bulk, frames, fallback) & ~odd[frames]
        flagged |= far if covered_fraction < coverage else far & ~covered[frames]
    if points is not None:
        flagged = _at_most(flagged, points, labels == bulk, frames, MAX_FLAGGED)
    return DefectSelection(flagged, chosen, covered_fraction, pd.DataFrame(table))


def _chosen(table, labels, frames, points, bulk, odd, max_fraction, coverage, as_far):
    """Labels taken by rules 1 to 6, and the frames that hold one; the table says why."""
    rare = []
    for row in table:
        if row["label"] == bulk or row["label"] < 0:
            row["why"] = "bulk: the largest" if row["label"] == bulk else "noise"
        elif row["odd"] > 0.5:
            row["why"] = "another kind of cell: these frames have next to no bulk"
        elif row["size"] > max_fraction * len(labels):
            row["why"] = f"not rare: more than {max_fraction:.0%} of the environments"
        else:
            rare.append(row)
    rare.sort(key=lambda r: r["size"] if points is None else -r["distance"])
    covered, last, chosen = np.zeros(len(odd), bool), np.nan, []
    for row in rare:
        if covered[~odd].mean() < coverage:
            row["why"] = f"rare, and far: number {len(chosen) + 1} from the bulk"
            last = row["distance"]
        elif row["distance"] >= as_far * last:
            row["why"] = f"rare, and at least {as_far:g} times as far as the last"
        else:
            row["why"] = "rare, but every frame has a defect without it"
            continue
        row["chosen"] = True
        chosen.append(row["label"])
        covered[frames[labels == row["label"]]] = True
    return chosen, covered


def _cluster_table(labels, frames, points, bulk, odd):
    """What the rule of `select_defect_clusters` asks about each cluster, as one dict each."""
    distance = np.full(len(labels), np.nan)
    if points is not None:
        distance = np.linalg.norm(points - points[labels == bulk].mean(axis=0), axis=1)
        distance /= max(np.sqrt((distance[labels == bulk] ** 2).mean()), 1e-300)
    n_frames, table = frames.max() + 1, []
    for label in np.unique(labels):
        mine = labels == label
        table.append(
            {
                "label": int(label),
                "size": int(mine.sum()),
                "per_frame": float(mine.sum() / n_frames),
                "presence": len(np.unique(frames[mine])) / n_frames,
                "distance": float(np.median(distance[mine])),
                "odd": float(odd[frames[mine]].mean()),
                "chosen": False,
                "why": "",
            }
        )
    return table


def _at_most(flagged, points, bulk, frames, fraction):
    """The flags, in no frame more than the `fraction` of it that is farthest from the bulk."""
    many = np.bincount(frames, flagged) > fraction * np.bincount(frames)
    if not many.any():
        return flagged
    away = _distance_from_bulk(points, bulk)
    rank = _rank(np.where(flagged, away, -1.0), frames)
    return flagged & (~many[frames] | (rank < np.floor(fraction * np.bincount(frames))[frames]))


def _rank(values, frames):
    """Place of each value within its frame, the largest first."""
    order, counts = np.lexsort((-values, frames)), np.bincount(frames)
    rank = np.empty(len(values), int)
    rank[order] = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank


def _farthest(points, bulk, frames, fraction):
    """The fraction of each frame, at least eight, with the largest distance from the bulk."""
    counts = np.bincount(frames)
    enough = np.maximum(np.ceil(fraction * counts), np.minimum(FEWEST_FALLBACK, counts // 5))
    return _rank(_distance_from_bulk(points, bulk), frames) < enough[frames]


def _distance_from_bulk(points, bulk):
    """Squared Mahalanobis distance of each point from the inner 95 % of the bulk."""
    core = bulk
    for _ in range(3):
        off = points - points[core].mean(axis=0)
        covariance = np.atleast_2d(np.cov(points[core].T))
        ridge = 1e-6 * max(np.trace(covariance) / len(covariance), 1e-300)
        inverse = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
        distance = np.einsum("ni,ij,nj->n", off, inverse, off)
        core = bulk & (distance <= np.quantile(distance[bulk], 0.95))
    return distance


def _checked_labels(labels, frames, points):
    """Labels, frame of each (0, 1, ...) and points (or None) as arrays that match."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not (labels >= 0).any():
        raise ValueError(
            "labels have to be ints, one for each environment, not all noise (-1); "
            "give what clusters.cluster returns."
        )
    if np.ndim(frames) == 0:
        if frames < 1 or len(labels) % frames:
            raise ValueError(
                f"{len(labels)} labels are not a whole number of frames of {frames} "
                "environments; give the frame of each environment instead."
            )
        frames = np.arange(len(labels)) // frames
    frames = np.unique(np.asarray(frames), return_inverse=True)[1]
    if frames.shape != labels.shape:
        raise ValueError(
            f"{frames.size} frame numbers for {len(labels)} labels; give one for each environment."
        )
    if points is not None:
        points = np.asarray(unmasked(points, "points"), dtype=float)
        if points.ndim != 2 or len(points) != len(labels) or not np.isfinite(points).all():
            raise ValueError(
                f"points of shape {points.shape} for {len(labels)} labels; give one "
                "finite row for each environment."
            )
    return labels, frames, points
