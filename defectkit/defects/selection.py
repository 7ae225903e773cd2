"""Which clusters are the defect, decided without the truth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Choice:
    """Which clusters are the defect, and why.

    Attributes
    ----------
    flagged : array (n_env,) of bool
        Environments of the chosen clusters, and those of the fallback.
    clusters : list of int
        Their labels, in the order in which they were chosen.
    coverage : float
        Share of the frames that have an environment of the chosen clusters.
    table : list of dict
        For each label: size, per_frame (mean number), presence (share of the frames that have
        any), distance (from the bulk, in units of its spread), chosen, why.
    """

    flagged: np.ndarray
    clusters: list
    coverage: float
    table: list


def defect_cluster(labels, frames, points=None, max_share=0.1, coverage=0.98, as_far=0.6,
                   fallback=0.0):
    """Which clusters are the defect, decided without the truth.

    The rule, in this order:

    1. The bulk is the largest cluster. Noise (label -1) is never the defect.
    2. Rare: a cluster counts as a defect only if it holds at most `max_share` of all
       environments. A point defect touches few atoms of each frame.
    3. Far: rare clusters are ranked by their distance from the bulk, the median distance of their
       `points` from the mean of the bulk over the root mean square distance of the bulk's own;
       the farthest first. Without `points`, by size, the smallest first.
    4. In every frame: clusters are taken in that order until `coverage` of the frames hold a
       flagged atom, as a defect that shows several faces (dumbbell and tetrahedral) may need more
       than one cluster.
    5. Alike: further ones are taken that are at least `as_far` times as far as the last (the two
       kinds of neighbour of a vacancy in ice); without `points`, none.
    6. Only if asked for, and if the map does not part the defect from the bulk in all frames: the
       `fallback` share of a frame that is farthest from the bulk is flagged too (Mahalanobis
       distance of the `points`), in every frame if `coverage` is not reached, else in those with
       nothing flagged. Most of these are not the defect; `locate_vacancies` and
       `locate_interstitials` are made to find out.

    Parameters
    ----------
    labels : array (n_env,) of int
        Cluster of each environment, -1 for noise, as `clusters.cluster` gives them.
    frames : array (n_env,) of int, or int
        Frame of each environment, or the number of environments in every frame.
    points : array (n_env, n), optional
        Standardised features (better: a map keeps no distances), or map coordinates.
    max_share, coverage, as_far, fallback : float
        See the rule; between 0 and 1. A `fallback` of 0.05 serves a vacancy that hops all the
        time.

    Returns
    -------
    Choice

    Raises
    ------
    ValueError
        Arrays that do not match, points that are not finite, shares outside 0 to 1, no cluster.

    Examples
    --------
    >>> labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2] * 3
    >>> points = np.array([0, 1, 0, 1, 0, 1, 0, 1, 9, 2])[:, None].repeat(3, 1).T.reshape(-1, 1)
    >>> choice = defect_cluster(labels, 10, points)
    >>> choice.clusters, choice.flagged[:10].nonzero()[0].tolist(), choice.coverage
    ([1], [8], 1.0)
    """
    labels, frames, points = _checked_labels(labels, frames, points)
    for name, value in (("max_share", max_share), ("coverage", coverage), ("as_far", as_far),
                        ("fallback", fallback)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name}={value}; use a share between 0 and 1.")
    if fallback and points is None:
        raise ValueError("fallback needs points; give the standardised features.")
    n_frames, bulk = frames.max() + 1, np.bincount(labels[labels >= 0]).argmax()
    table = _cluster_table(labels, frames, points, bulk)
    rare = []
    for row in table:
        if row["label"] == bulk or row["label"] < 0:
            row["why"] = "bulk: the largest" if row["label"] == bulk else "noise"
        elif row["size"] > max_share * len(labels):
            row["why"] = f"not rare: more than {max_share:.0%} of the environments"
        else:
            rare.append(row)
    rare.sort(key=lambda r: r["size"] if points is None else -r["distance"])
    covered, last, chosen = np.zeros(n_frames, bool), np.nan, []
    for row in rare:
        if covered.mean() < coverage:
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
    flagged = np.isin(labels, chosen)
    if fallback and not covered.all():
        far = _farthest(points, labels == bulk, frames, fallback)
        flagged |= far if covered.mean() < coverage else far & ~covered[frames]
    return Choice(flagged, chosen, float(covered.mean()), table)


def _cluster_table(labels, frames, points, bulk):
    """What the rule of `defect_cluster` asks about each cluster, as one dict each."""
    distance = np.full(len(labels), np.nan)
    if points is not None:
        distance = np.linalg.norm(points - points[labels == bulk].mean(axis=0), axis=1)
        distance /= max(np.sqrt((distance[labels == bulk] ** 2).mean()), 1e-300)
    n_frames, table = frames.max() + 1, []
    for label in np.unique(labels):
        mine = labels == label
        table.append({"label": int(label), "size": int(mine.sum()),
                      "per_frame": float(mine.sum() / n_frames),
                      "presence": len(np.unique(frames[mine])) / n_frames,
                      "distance": float(np.median(distance[mine])), "chosen": False, "why": ""})
    return table


def _farthest(points, bulk, frames, share):
    """The share of each frame, rounded up, with the largest Mahalanobis distance from the bulk."""
    core = bulk
    for _ in range(3):  # the covariance of the inner 95 %
        off = points - points[core].mean(axis=0)
        covariance = np.atleast_2d(np.cov(points[core].T))
        ridge = 1e-6 * max(np.trace(covariance) / len(covariance), 1e-300)
        inverse = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
        distance = np.einsum("ni,ij,nj->n", off, inverse, off)
        core = bulk & (distance <= np.quantile(distance[bulk], 0.95))
    order = np.lexsort((-distance, frames))
    counts = np.bincount(frames)
    rank = np.empty(len(points), int)
    rank[order] = np.arange(len(points)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank < np.ceil(share * counts)[frames]


def _checked_labels(labels, frames, points):
    """Labels, frame of each (0, 1, ...) and points (or None) as arrays that match."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not (labels >= 0).any():
        raise ValueError("labels have to be ints, one for each environment, not all noise (-1); "
                         "give what clusters.cluster returns.")
    if np.ndim(frames) == 0:
        if frames < 1 or len(labels) % frames:
            raise ValueError(f"{len(labels)} labels are not a whole number of frames of {frames} "
                             "environments; give the frame of each environment instead.")
        frames = np.arange(len(labels)) // frames
    frames = np.unique(np.asarray(frames), return_inverse=True)[1]
    if frames.shape != labels.shape:
        raise ValueError(f"{frames.size} frame numbers for {len(labels)} labels; give one for "
                         "each environment.")
    if points is not None:
        points = np.asarray(points, dtype=float)
        if points.ndim != 2 or len(points) != len(labels) or not np.isfinite(points).all():
            raise ValueError(f"points of shape {points.shape} for {len(labels)} labels; give one "
                             "finite row for each environment.")
    return labels, frames, points
