"""Two phases whose islands touch in the map, told apart in the space of features.

One frame of ice beside water, or hot crystals of two kinds: the environments of the two overlap so
much that no gap separates them, yet they pile up around two places. A Gaussian mixture finds these
places, and evidence is asked for before two are believed. No random numbers; the order of the rows
matters only through round-off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from ..embedding.scaling import standardise

_LEAST = 25  # environments of a population
_FITTED = 20_000  # rows that the mixture is fitted to
_STARTS = (0.15, 0.5, 0.85)  # quantiles of each component at which a first guess divides
_RIDGE = 1e-4  # added to variances of components, whose total is the number of features
#: What is asked for before two populations are believed (see `two_populations`).
BIC_GAIN, SEPARATION, VALLEY, OVERLAP = 10.0, 2.8, 0.65, 0.08


def two_populations(
    X: ArrayLike,
    n_components: int | None = None,
    min_fraction: float = 0.02,
    averaged_over: float = 1,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Whether environments belong to one population or two, and to which of them.

    A mixture of two Gaussians with covariances of their own is fitted to the leading principal
    components of the standardised features, from several first guesses. Features of one phase
    are not Gaussian either (they are skewed and have tails), so a better likelihood alone proves
    nothing. Two populations are reported only if all of this holds, along the direction that
    separates best (Fisher's):

    - the Bayesian information criterion gains more than 10;
    - the means are apart by at least 2.8 standard deviations (the mean of both);
    - the density between them falls to at most 0.65 of the lower of the two peaks, also after
      two standard errors are added;
    - at most 8 % of the environments are expected to be on the wrong side.

    Average over time or neighbours first where phases overlap
    (:func:`defectkit.averaging.neighbour_average`).

    Parameters
    ----------
    X : array (n, n_features)
        Features of at least 50 atoms of one element.
    n_components : int, optional
        Principal components used; by default as many as hold 95 % of the variance, at most 4.
    min_fraction : float
        Smallest population, and at least 25 environments; for rarer ones see
        :func:`defectkit.clusters.rare_environments`.
    averaged_over : float
        Number of environments of this table that each row is a mean of, itself included: of
        features averaged over a first shell of four neighbours, 5. Such rows are not independent;
        gain and error of the valley are those of so many times fewer.

    Returns
    -------
    labels : array (n,) of int
        0 the larger population, 1 the smaller; all 0 where there is one.
    evidence : dict
        populations (1 or 2), bic_gain, separation, valley, valley_error, overlap, fraction (of
        the smaller one), n_components; of the best split also where it was not believed, NaN
        where there was none.

    Raises
    ------
    ValueError
        Input that is not a table of finite numbers, fewer than 50 rows, settings out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 5))
    >>> two_populations(X)[1]["populations"]
    1
    >>> X[:150] += 5.0
    >>> labels, evidence = two_populations(X)
    >>> evidence["populations"], np.bincount(labels).tolist()
    (2, [250, 150])
    """
    Z = standardise(X)
    n = len(Z)
    if not 1 <= averaged_over:
        raise ValueError(f"averaged_over={averaged_over} must be at least 1, the row itself.")
    if n < 2 * _LEAST:
        raise ValueError(
            f"{n} environments are too few to tell one population from two; give at "
            f"least {2 * _LEAST}, or use group_equal_environments."
        )
    if not 0 < min_fraction < 0.5:
        raise ValueError(f"min_fraction={min_fraction} must lie between 0 and 0.5.")
    if n_components is not None and not 1 <= n_components <= min(Z.shape):
        raise ValueError(f"n_components={n_components} must lie between 1 and {min(Z.shape)}.")
    labels, evidence = np.zeros(n, int), _nothing()
    with threadpool_limits(1):  # sums over several threads round otherwise
        W = _components(Z, n_components)
        evidence["n_components"] = W.shape[1]
        if W.shape[1] == 0:
            return labels, evidence
        some = W[np.argsort(W[:, 0], kind="stable")[:: -(-n // _FITTED)]]
        least = max(_LEAST, min_fraction * len(some))
        best, found = _best_split(some, least, averaged_over)
        if found is None:
            return labels, evidence
        evidence |= found
        if evidence["populations"] == 2:
            labels = best.predict(W)
            if np.mean(labels) > 0.5:
                labels = 1 - labels
    return labels, evidence


def _nothing():
    return {"populations": 1} | dict.fromkeys(
        ("bic_gain", "separation", "valley", "valley_error", "overlap", "fraction"), float("nan")
    )


def _components(Z, n_components):
    """Leading principal components with a sign that does not depend on the order of rows."""
    if not Z.any():  # all rows alike
        return np.empty((len(Z), 0))
    model = PCA(min(Z.shape), svd_solver="full").fit(Z)
    share = np.cumsum(model.explained_variance_ratio_)
    if n_components is None:
        n_components = min(4, int(np.searchsorted(share, 0.95)) + 1)
    axes = model.components_[:n_components]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    return (Z - model.mean_) @ axes.T


def _best_split(W, least, averaged_over):
    """Mixture of the likeliest split that is believed, else of the likeliest, and its evidence."""
    one = GaussianMixture(1, reg_covar=_RIDGE).fit(W).bic(W)
    splits = []
    for axis in range(W.shape[1]):
        for quantile in _STARTS:
            side = W[:, axis] > np.quantile(W[:, axis], quantile)
            mixture = _mixture(W, side)
            if mixture is None:
                continue
            found = _evidence(W, mixture, one, least, averaged_over)
            if found is not None:
                splits.append((found["populations"], found["bic_gain"], mixture, found))
    if not splits:
        return None, None
    *_, mixture, found = max(splits, key=lambda s: s[:2])
    return mixture, found


def _mixture(W, side):
    """Two Gaussians, fitted from a division of the rows."""
    groups = [W[~side], W[side]]
    if min(map(len, groups)) <= W.shape[1]:
        return None
    ridge = _RIDGE * np.eye(W.shape[1])
    return GaussianMixture(
        2,
        reg_covar=_RIDGE,
        weights_init=[len(g) / len(W) for g in groups],
        means_init=[g.mean(axis=0) for g in groups],
        precisions_init=[np.linalg.inv(np.atleast_2d(np.cov(g.T)) + ridge) for g in groups],
        max_iter=300,
    ).fit(W)


def _evidence(W, mixture, bic_of_one, least, averaged_over):
    """How well two Gaussians are told apart; None where one of them has too few rows."""
    label = mixture.predict(W)
    size = np.bincount(label, minlength=2)
    if size.min() < least:
        return None
    within = np.tensordot(mixture.weights_, mixture.covariances_, 1)
    x = W @ np.linalg.solve(within, mixture.means_[1] - mixture.means_[0])
    a, b = x[label == 0], x[label == 1]
    valley, error = _valley(x, a, b)
    error *= np.sqrt(averaged_over)
    found = {
        "bic_gain": float(bic_of_one - mixture.bic(W)) / averaged_over,
        "separation": float(abs(a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2)),
        "valley": valley,
        "valley_error": error,
        "overlap": float(mixture.predict_proba(W).min(axis=1).mean()),
        "fraction": float(size.min() / size.sum()),
    }
    believed = (
        found["bic_gain"] > BIC_GAIN
        and found["separation"] >= SEPARATION
        and valley + 2 * error <= VALLEY
        and found["overlap"] <= OVERLAP
    )
    return {"populations": 2 if believed else 1} | found


def _valley(x, a, b):
    """Lowest density between two groups over the lower of their peaks, and its standard error."""
    width = 0.9 * min(a.std(), b.std()) * len(x) ** -0.2
    if not width > 0:
        return 1.0, 1.0
    low, high = sorted((np.median(a), np.median(b)))
    grid = np.linspace(x.min(), x.max(), 400)
    density = np.zeros(len(grid))
    for part in np.array_split(x, 1 + len(x) // 4096):
        density += np.exp(-0.5 * ((grid[:, None] - part) / width) ** 2).sum(axis=1)
    between = np.flatnonzero((grid >= low) & (grid <= high))
    if len(between) == 0:
        return 1.0, 1.0
    lowest = between[density[between].argmin()]
    peak = min(density[: lowest + 1].max(), density[lowest:].max())
    valley = density[lowest] / peak
    # A sum of Gaussian kernels has the variance of itself over the square root of 2.
    error = np.sqrt(valley / np.sqrt(2) * (1 + valley) / peak)
    return float(valley), float(error)
