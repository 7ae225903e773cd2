"""Clusters in a map without knowing their number, their errors, and what they are made of."""

import numpy as np
from scipy import sparse
from scipy.spatial import Delaunay
from sklearn.cluster import HDBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..neighbours.bond_order import shells

__all__ = ["agreement", "cluster", "cluster_error", "describe", "linear_error", "lof_error",
           "vote_error"]

NOT_LABELLED = -2  # an atom that was not looked at


def cluster(Y, min_size=None, gap=2.5, k=10):
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
        Smallest cluster; 0.2 % of the points but at least 20. One interstitial in 216 atoms is
        0.5 %. UMAP and PaCMAP can tear off islands of about as many points as neighbours.
    gap : float
        Smallest gap in units of the typical spacing. 2 splits more, 3 less.
    k : int
        Neighbours that make up a local density.

    Returns
    -------
    array (n,) of int: 0 for the largest cluster, 1 for the next, ...; -1 for noise.

    Raises
    ------
    ValueError
        Input that is not (n, 2) and finite, fewer points than `min_size` or `k`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y = np.vstack([rng.random((300, 2)), rng.random((100, 2)) + [5, 0]])
    >>> np.bincount(cluster(Y)).tolist()
    [300, 100]
    """
    Y = _map(Y)
    n = len(Y)
    min_size = max(20, n // 500) if min_size is None else min_size
    if min_size < 2 or gap <= 0 or k < 2:
        raise ValueError(f"min_size={min_size}, gap={gap}, k={k}: use min_size >= 2, gap > 0 and "
                         "k >= 2.")
    if n <= max(min_size, k):
        raise ValueError(f"{n} points are too few for clusters of min_size={min_size} with k={k} "
                         "neighbours; add frames or lower both.")
    if np.ptp(Y, axis=0).max() == 0:
        return np.zeros(n, dtype=int)
    distance, graph = _graph(Y, k)
    spacing = float(np.median(distance))
    found = HDBSCAN(min_cluster_size=int(min_size), min_samples=int(k), allow_single_cluster=True,
                    cluster_selection_epsilon=gap * spacing, metric="precomputed",
                    copy=False).fit_predict(graph)
    for c in range(found.max() + 1):
        typical = max(spacing, np.median(distance[found == c]))
        found[(found == c) & (distance > 2 * gap * typical)] = -1
    return by_size(found)


def lof_error(Y, truth, n_neighbors=50, threshold=1.5):
    """Fraction of environments that lie outside their own phase and inside another, by LOF.

    The paper's measure: the Local Outlier Factor (Breunig, Kriegel, Ng and Sander 2000) of one
    known phase at a time, in the map. An environment is misclassified if its factor with respect
    to its own phase exceeds `threshold`, and with respect to some other phase is smaller than
    that. The second condition is ours: without it, sparse rims of a phase that is far from all
    others count too (0.3 to 0.8 % on maps where 0.05 % are misplaced).

    LOF compares local densities within a phase, so misplaced environments that lie together in
    groups of more than `n_neighbors` pass for inliers. Above all it does not notice two phases
    that overlap throughout, as in a PCA map: there it has 0.6 % where :func:`vote_error` has 5 %.

    Parameters
    ----------
    Y : array (n, 2)
    truth : array (n,)
        Known phase of each environment: int or str.
    n_neighbors : int
        Neighbours that make up a local density (MinPts of Breunig et al., who use 10 to 50).
    threshold : float
        Factor above which a point is an outlier of its phase; 1 means inside.

    Returns
    -------
    overall : float
    per_phase : dict {phase: float}
        Fractions between 0 and 1.

    Raises
    ------
    ValueError
        Lengths that differ, fewer than two phases, a phase with fewer points than neighbours.
    """
    Y, phases, index = _known(Y, truth, n_neighbors)
    factors = np.empty((len(Y), len(phases)))
    for p in range(len(phases)):
        own = index == p
        lof = LocalOutlierFactor(n_neighbors=n_neighbors, novelty=True).fit(Y[own])
        factors[own, p] = -lof.negative_outlier_factor_  # the point itself left out
        factors[~own, p] = -lof.score_samples(Y[~own])
    rows = np.arange(len(Y))
    own = factors[rows, index]
    factors[rows, index] = np.inf
    return _fractions((own > threshold) & (factors.min(axis=1) < own), phases, index)


def vote_error(Y, truth, k=10):
    """Fraction of environments whose neighbours in the map are mostly of another phase.

    The `k` nearest other points vote; a point is misclassified if some other phase gets more
    votes than its own. Stricter than LOF where phases overlap.

    Parameters
    ----------
    Y : array (n, 2)
    truth : array (n,)
        Known phase of each environment: int or str.
    k : int

    Returns overall and per_phase, and raises ValueError, as :func:`lof_error`.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> Y = np.column_stack([np.where(x < 10, x, x + 90), 0 * x])
    >>> vote_error(Y, ["ice"] * 9 + ["water"] * 11, k=3)  # one "water" among the ice
    (0.05, {'ice': 0.0, 'water': 0.09090909090909091})
    """
    Y, phases, index = _known(Y, truth, k)
    near = NearestNeighbors(n_neighbors=k).fit(Y).kneighbors(return_distance=False)
    votes = np.stack([(index[near] == p).sum(axis=1) for p in range(len(phases))], axis=1)
    return _fractions(votes.max(axis=1) > votes[np.arange(len(Y)), index], phases, index)


def linear_error(Y, truth, folds=5, seed=0):
    """Fraction of environments on the wrong side of the straight lines between phases.

    Logistic regression on the two map coordinates, every point predicted by a model that has not
    seen it (`folds`-fold cross-validation, phases in equal parts, shuffled by `seed`). Phases
    weigh alike whatever their size, so that a small one is not given up.

    Parameters
    ----------
    Y : array (n, 2)
    truth : array (n,)
        Known phase of each environment: int or str.
    folds, seed : int

    Returns overall and per_phase, and raises ValueError, as :func:`lof_error`.
    """
    Y, phases, index = _known(Y, truth, folds - 1)
    model = make_pipeline(StandardScaler(),
                          LogisticRegression(C=1e3, class_weight="balanced", max_iter=2000))
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return _fractions(cross_val_predict(model, Y, index, cv=parts) != index, phases, index)


def agreement(labels, truth):
    """Adjusted Rand index between two labellings: 1 the same groups, 0 no better than chance.

    A noise point (-1) counts as a cluster of its own, in both labellings: declining to decide is
    not rewarded. Hubert and Arabie, J. Classif. 2, 193 (1985).

    Parameters
    ----------
    labels, truth : array (n,)
        Names do not matter, only who is grouped with whom; `truth` may hold strings.

    Returns
    -------
    float

    Examples
    --------
    >>> agreement([1, 1, 0, 0], ["ice", "ice", "water", "water"])
    1.0
    """
    labels, truth = _two_lists(labels, truth)
    return float(adjusted_rand_score(_noise_apart(truth), _noise_apart(labels)))


def cluster_error(labels, truth):
    """Fraction of environments that lie in a cluster made up mostly of another phase.

    Every cluster gets the name of its commonest phase (of two equally common ones, the first in
    order); several may get the same. Noise points (-1) belong to no cluster and count as wrong.

    Parameters
    ----------
    labels : array (n,) of int
    truth : array (n,)
        Known phase of each environment: int or str.

    Returns
    -------
    float between 0 and 1; with a single cluster the share of all phases but the commonest.

    Raises
    ------
    ValueError
        Lengths that differ.

    Examples
    --------
    >>> cluster_error([0, 0, 0, 1, -1], ["ice", "ice", "water", "water", "water"])
    0.4
    """
    labels, truth = _two_lists(labels, truth)
    index = np.unique(truth, return_inverse=True)[1]
    right = sum(np.bincount(index[labels == c]).max() for c in np.unique(labels) if c != -1)
    return float(1 - right / len(labels)) if len(labels) else 0.0


def describe(labels, frames, cutoff, centres=None):
    """What each cluster is made of: size, coordination, order of the neighbours, open sides.

    Parameters
    ----------
    labels : array (n,)
        One for each atom of each frame, in this order. Atoms labelled -2 count as neighbours of
        others, and nowhere else (`NOT_LABELLED`).
    frames : list of ase.Atoms
    cutoff : float
        Neighbours up to this distance (Å) make up the coordination number; near the first
        minimum of the radial distribution function (silicon: 2.8, oxygen in water: 3.3).
    centres : str, optional
        Only atoms of this element are labelled, and only they count as neighbours ("O").

    Returns
    -------
    list of dict in the order of the labels, noise (-1) last: label, size, fraction, per_frame
    (mean number in a frame), coordination and coordination_std, nearest and nearest_std (Å), q4
    and q6, one_sided; the last five over atoms that have a neighbour within the cutoff.

    q4 and q6 are the bond orientational order parameters of Steinhardt, Nelson and Ronchetti
    (Phys. Rev. B 28, 784 (1983), eq. 1.3): fcc 0.19, 0.57; hcp 0.10, 0.48; bcc with its 8
    nearest 0.51, 0.63; diamond 0.51, 0.63. one_sided is the length of the mean direction to the
    neighbours: 0 in a crystal, about 0.5 at a free surface.

    Raises
    ------
    ValueError
        Not one label for each atom, or a cutoff that is not positive.

    Examples
    --------
    >>> from ase.build import bulk
    >>> diamond = bulk("Si", cubic=True)
    >>> row, = describe([0] * 8, [diamond], cutoff=2.8)
    >>> row["coordination"], round(row["nearest"], 3)
    (4.0, 2.351)
    """
    labels = np.asarray(labels)
    frames = [f if centres is None else f[f.symbols == centres] for f in frames]
    n = sum(map(len, frames))
    if labels.shape != (n,):
        raise ValueError(f"labels {labels.shape} do not match {n} atoms in {len(frames)} frames; "
                         "give one label for each atom" + (f" of {centres}." if centres else "."))
    if not cutoff > 0:
        raise ValueError(f"cutoff={cutoff} must be a positive distance in Å.")
    wanted = np.split(labels != NOT_LABELLED, np.cumsum([len(f) for f in frames])[:-1])
    of_frames = [shells(f, cutoff, w) for f, w in zip(frames, wanted, strict=True)]
    number, nearest, q4, q6, one_sided = np.concatenate(of_frames, axis=1)
    labels = labels[labels != NOT_LABELLED]
    rows = []
    for label in sorted(set(labels.tolist()), key=lambda c: (c < 0, c)):
        here = labels == label
        bonded = here & (number > 0)

        def mean(values, of=bonded, how=np.mean):
            return float(how(values[of])) if of.any() else float("nan")

        rows.append({
            "label": label, "size": int(here.sum()), "fraction": float(here.mean()),
            "per_frame": float(here.sum() / len(frames)),
            "coordination": mean(number, here), "coordination_std": mean(number, here, np.std),
            "nearest": mean(nearest), "nearest_std": mean(nearest, how=np.std),
            "q4": mean(q4), "q6": mean(q6), "one_sided": mean(one_sided)})
    return rows


def _map(Y):
    Y = np.asarray(Y, dtype=float)
    if Y.ndim != 2 or len(Y) == 0 or not np.isfinite(Y).all():
        raise ValueError(f"a map must be finite numbers of shape (n, 2), got shape {Y.shape}; "
                         "make one with defectkit.embed.")
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


def _known(Y, truth, k):
    """Map, phase names and the index of each point's phase, after checks."""
    Y, truth = _map(Y), np.asarray(truth)
    if truth.shape != (len(Y),):
        raise ValueError(f"truth {truth.shape} does not match a map of {len(Y)} points; give one "
                         "phase for each.")
    phases, index, size = np.unique(truth, return_inverse=True, return_counts=True)
    if len(phases) < 2:
        raise ValueError("truth names only one phase, so nothing can be misclassified; add a "
                         "second phase.")
    if size.min() <= k:
        raise ValueError(f"phase {phases[size.argmin()]!s} has {size.min()} environments, too few "
                         f"for {k} neighbours each; add frames or lower the number.")
    return Y, phases.tolist(), index


def _two_lists(labels, truth):
    labels, truth = np.asarray(labels), np.asarray(truth)
    if labels.ndim != 1 or labels.shape != truth.shape:
        raise ValueError(f"labels {labels.shape} and truth {truth.shape} must be two lists of the "
                         "same length, one entry for each environment.")
    return labels, truth


def _fractions(wrong, phases, index):
    return float(wrong.mean()), {p: float(wrong[index == i].mean()) for i, p in enumerate(phases)}


def nearest_vote(known, labels, others, k=10):
    """Label that most of the `k` nearest rows of `known` have, for each row of `others`.

    Also returns these nearest rows (n_others, k). Of labels as frequent the lowest is taken.
    """
    search = NearestNeighbors(n_neighbors=min(k, len(known))).fit(known)
    near = search.kneighbors(others, return_distance=False)
    classes = np.unique(labels)
    votes = np.stack([(labels[near] == c).sum(axis=1) for c in classes], axis=1)
    return classes[votes.argmax(axis=1)], near


def by_size(found):
    """Number clusters by size; equal sizes in the order of their first member."""
    names, first, size = np.unique(found, return_index=True, return_counts=True)
    order = [c for c in np.lexsort((first, -size)) if names[c] >= 0]
    out = np.full(len(found), -1)
    for new, c in enumerate(order):
        out[found == names[c]] = new
    return out


def _noise_apart(labels):
    names, index = np.unique(labels, return_inverse=True)
    noise = (names == -1)[index] if names.dtype.kind in "if" else np.zeros(len(labels), bool)
    return np.where(noise, len(names) + np.arange(len(labels)), index)
