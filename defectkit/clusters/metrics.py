"""How well labels or a map agree with known phases: error rates and the adjusted Rand index."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .hdbscan import check_map

__all__ = ["ErrorRate", "agreement", "cluster_error", "knn_error", "linear_error", "lof_error"]


class ErrorRate(NamedTuple):
    """Fraction of environments that are misplaced; unpacks as a pair.

    overall    float between 0 and 1, of all environments
    per_phase  dict {phase: float}, of those of each known phase
    """

    overall: float
    per_phase: dict

    def __float__(self):
        return self.overall


def lof_error(
    Y: ArrayLike, truth: ArrayLike, n_neighbors: int = 50, threshold: float = 1.5
) -> ErrorRate:
    """Fraction of environments that lie outside their own phase and inside another, by LOF.

    The paper's measure: the Local Outlier Factor (Breunig, Kriegel, Ng and Sander 2000) of one
    known phase at a time, in the map. An environment is misclassified if its factor with respect
    to its own phase exceeds `threshold`, and with respect to some other phase is smaller than
    that. The second condition is ours: without it, sparse rims of a phase that is far from all
    others count too (0.3 to 0.8 % on maps where 0.05 % are misplaced).

    LOF compares local densities within a phase, so misplaced environments that lie together in
    groups of more than `n_neighbors` pass for inliers. Above all it does not notice two phases
    that overlap throughout, as in a PCA map: there it has 0.6 % where :func:`knn_error` has 5 %.

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
    ErrorRate : overall (float) and per_phase (dict {phase: float}), fractions between 0 and 1

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


def knn_error(Y: ArrayLike, truth: ArrayLike, k: int = 10) -> ErrorRate:
    """Fraction of environments whose neighbours in the map are mostly of another phase.

    The `k` nearest other points vote; a point is misclassified if some other phase gets more
    votes than its own. Stricter than LOF where phases overlap.

    Parameters
    ----------
    Y : array (n, 2)
    truth : array (n,)
        Known phase of each environment: int or str.
    k : int

    Returns an ErrorRate and raises ValueError, as :func:`lof_error`.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> Y = np.column_stack([np.where(x < 10, x, x + 90), 0 * x])
    >>> knn_error(Y, ["ice"] * 9 + ["water"] * 11, k=3)  # one "water" among the ice
    ErrorRate(overall=0.05, per_phase={'ice': 0.0, 'water': 0.09090909090909091})
    """
    Y, phases, index = _known(Y, truth, k)
    near = NearestNeighbors(n_neighbors=k).fit(Y).kneighbors(return_distance=False)
    votes = np.stack([(index[near] == p).sum(axis=1) for p in range(len(phases))], axis=1)
    return _fractions(votes.max(axis=1) > votes[np.arange(len(Y)), index], phases, index)


def linear_error(Y: ArrayLike, truth: ArrayLike, folds: int = 5, seed: int = 0) -> ErrorRate:
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

    Returns an ErrorRate and raises ValueError, as :func:`lof_error`.
    """
    Y, phases, index = _known(Y, truth, folds - 1)
    # With two coordinates a step of Newton's method costs as little as one of lbfgs; few suffice.
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=1e3, class_weight="balanced", solver="newton-cholesky"),
    )
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return _fractions(cross_val_predict(model, Y, index, cv=parts) != index, phases, index)


def agreement(labels: ArrayLike, truth: ArrayLike) -> float:
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


def cluster_error(labels: ArrayLike, truth: ArrayLike) -> ErrorRate:
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
    ErrorRate : overall and per_phase, fractions between 0 and 1; with a single cluster overall is
        the fraction of all phases but the commonest.

    Raises
    ------
    ValueError
        Lengths that differ.

    Examples
    --------
    >>> cluster_error([0, 0, 0, 1, -1], ["ice", "ice", "water", "water", "water"])
    ErrorRate(overall=0.4, per_phase={'ice': 0.0, 'water': 0.6666666666666666})
    """
    labels, truth = _two_lists(labels, truth)
    if len(labels) == 0:
        return ErrorRate(0.0, {})
    phases, index = np.unique(truth, return_inverse=True)
    wrong = np.ones(len(labels), bool)
    for c in np.setdiff1d(labels, [-1]):
        here = labels == c
        wrong[here] = index[here] != np.bincount(index[here]).argmax()
    return _fractions(wrong, phases.tolist(), index)


def _known(Y, truth, k):
    """Map, phase names and the index of each point's phase, after checks."""
    Y, truth = check_map(Y), np.asarray(truth)
    if truth.shape != (len(Y),):
        raise ValueError(
            f"truth {truth.shape} does not match a map of {len(Y)} points; give one "
            "phase for each."
        )
    phases, index, size = np.unique(truth, return_inverse=True, return_counts=True)
    if len(phases) < 2:
        raise ValueError(
            "truth names only one phase, so nothing can be misclassified; add a second phase."
        )
    if size.min() <= k:
        raise ValueError(
            f"phase {phases[size.argmin()]!s} has {size.min()} environments, too few "
            f"for {k} neighbours each; add frames or lower the number."
        )
    return Y, phases.tolist(), index


def _two_lists(labels, truth):
    labels, truth = np.asarray(labels), np.asarray(truth)
    if labels.ndim != 1 or labels.shape != truth.shape:
        raise ValueError(
            f"labels {labels.shape} and truth {truth.shape} must be two lists of the "
            "same length, one entry for each environment."
        )
    return labels, truth


def _fractions(wrong, phases, index):
    return ErrorRate(
        float(wrong.mean()), {p: float(wrong[index == i].mean()) for i, p in enumerate(phases)}
    )


def _noise_apart(labels):
    names, index = np.unique(labels, return_inverse=True)
    noise = (names == -1)[index] if names.dtype.kind in "if" else np.zeros(len(labels), bool)
    return np.where(noise, len(names) + np.arange(len(labels)), index)
