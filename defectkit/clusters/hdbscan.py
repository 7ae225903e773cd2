"""Clusters in a map without knowing their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.spatial import Delaunay
from sklearn.cluster import HDBSCAN
from sklearn.neighbors import NearestNeighbors

from .._checks import unmasked
from ..embedding.libraries import nearest_rows

__all__ = ["NOT_LABELLED", "by_size", "cluster", "knn_labels"]

MANY_PAIRS = 5e8  # rows to label times rows with a label, beyond which it takes tens of seconds
NOT_LABELLED = -2  # an atom that was not looked at


def cluster(
    Y: ArrayLike, min_size: int | None = None, gap: float = 2.5, k: int | None = None
) -> np.ndarray:
    """Groups of environments that the map shows apart from each other.

    HDBSCAN (Campello, Moulavi and Sander 2013; excess of mass), with its two lengths taken from
    the map itself so that no number of clusters, no radius and no scale has to be given:

    - two groups are apart only if the gap between them exceeds `gap` times the typical spacing,
      the median distance to the `k`-th neighbour (``cluster_selection_epsilon``). Without it a
      continuous cloud falls to pieces and half of it is called noise;
    - a group counts from `min_size` environments;
    - a point is noise if its neighbours are more than 2 `gap` times further away than is typical
      of its cluster and of the map. HDBSCAN alone gives lone points between clusters to one.

    HDBSCAN gets a sparse graph (`k` nearest neighbours and Delaunay triangulation) in place of
    all distances: at most one label in 3000 differed on 55 maps, and 80 000 points take seconds.

    Parameters
    ----------
    Y : array (n, 2)
        Map coordinates. Scale, orientation and order of the points do not matter.
    min_size : int, optional
        Smallest cluster; 0.2 % of the points but at least 20, of fewer than 80 points a quarter.
        One interstitial in 216 atoms is 0.5 %. UMAP and PaCMAP can tear off islands of about as
        many points as neighbours.
    gap : float
        Smallest gap in units of the typical spacing. 2 splits more, 3 less.
    k : int, optional
        Neighbours that make up a local density; 10, of fewer than 40 points a quarter.

    Returns
    -------
    array (n,) of int: 0 for the largest cluster, 1 for the next, ...; -1 for noise. Fewer than 8
    points are one cluster.

    Raises
    ------
    ValueError
        Input that is not (n, 2) and finite, fewer points than a given `min_size` or `k`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y = np.vstack([rng.random((300, 2)), rng.random((100, 2)) + [5, 0]])
    >>> np.bincount(cluster(Y)).tolist()
    [300, 100]
    """
    Y = check_map(Y, 2)
    n = len(Y)
    few = min_size is None and k is None and n < 8
    min_size = min(max(20, n // 500), max(4, n // 4)) if min_size is None else min_size
    k = min(10, max(3, n // 4)) if k is None else k
    if min_size < 2 or gap <= 0 or k < 2:
        raise ValueError(
            f"min_size={min_size}, gap={gap}, k={k}: use min_size >= 2, gap > 0 and k >= 2."
        )
    if few:
        return np.zeros(n, dtype=int)
    if n <= max(min_size, k):
        raise ValueError(
            f"{n} points are too few for clusters of min_size={min_size} with k={k} "
            "neighbours; add frames or lower both."
        )
    if np.ptp(Y, axis=0).max() == 0:
        return np.zeros(n, dtype=int)
    distance, graph = _graph(Y, k)
    spacing = float(np.median(distance))
    found = HDBSCAN(
        min_cluster_size=int(min_size),
        min_samples=int(k),
        allow_single_cluster=True,
        cluster_selection_epsilon=gap * spacing,
        metric="precomputed",
        copy=False,
    ).fit_predict(graph)
    for c in range(found.max() + 1):
        typical = max(spacing, np.median(distance[found == c]))
        found[(found == c) & (distance > 2 * gap * typical)] = -1
    return by_size(found)


def knn_labels(
    known: np.ndarray, labels: np.ndarray, others: np.ndarray, k: int = 10, exact: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Label that most of the `k` nearest rows of `known` have, for each row of `others`.

    Also returns these nearest rows (n_others, k). Of labels as frequent the lowest is taken.
    Where not `exact` and there are more than 5e8 pairs, 99.9 % of the rows are the nearest.
    """
    if not exact and len(known) * len(others) > MANY_PAIRS and len(known) > k:
        near = nearest_rows(known, others, k)
    else:
        search = NearestNeighbors(n_neighbors=min(k, len(known))).fit(known)
        near = search.kneighbors(others, return_distance=False)
    classes = np.unique(labels)
    votes = np.stack([(labels[near] == c).sum(axis=1) for c in classes], axis=1)
    return classes[votes.argmax(axis=1)], near


def by_size(found: np.ndarray) -> np.ndarray:
    """Number clusters by size; equal sizes in the order of their first member."""
    names, first, size = np.unique(found, return_index=True, return_counts=True)
    order = [c for c in np.lexsort((first, -size)) if names[c] >= 0]
    out = np.full(len(found), -1)
    for new, c in enumerate(order):
        out[found == names[c]] = new
    return out


def check_map(Y: ArrayLike, columns: int | None = None) -> np.ndarray:
    """A map as float64 (n, 2), or with any number of columns; ValueError for anything else."""
    Y = np.asarray(unmasked(Y, "the map"), dtype=float)
    wrong = Y.ndim != 2 or len(Y) == 0 or columns not in (None, Y.shape[1])
    if wrong or not np.isfinite(Y).all():
        raise ValueError(
            f"a map must be finite numbers of shape (n, 2), got shape {Y.shape}; "
            "make one with defectkit.embed."
        )
    return Y


def _graph(Y, k):
    """Distances to the k-th neighbour, and along nearest-neighbour and Delaunay edges."""
    n = len(Y)
    distance, near = NearestNeighbors(n_neighbors=k).fit(Y).kneighbors()
    # QJ shifts points by round-off, so that coincident and collinear ones are connected too.
    triangles = Delaunay(Y - Y.mean(axis=0), qhull_options="QJ Pp").simplices
    i = np.concatenate([np.repeat(np.arange(n), k), triangles[:, [0, 1, 2]].ravel()])
    j = np.concatenate([near.ravel(), triangles[:, [1, 2, 0]].ravel()])
    i, j = np.divmod(np.unique(np.minimum(i, j).astype(np.int64) * n + np.maximum(i, j)), n)
    # A stored zero would count as no edge.
    length = np.maximum(np.linalg.norm(Y[i] - Y[j], axis=1), 1e-12 * np.ptp(Y, axis=0).max())
    graph = sparse.csr_array((length, (i, j)), shape=(n, n))
    return distance[:, -1], graph + graph.T
