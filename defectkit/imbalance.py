"""Maps of data in which one kind of environment is far more common than the rest.

PaCMAP draws its mid-near and further pairs from all environments, so a rare kind hardly ever
meets its like there, and its piece of the map sticks to the common one (the paper's Fig. 3i). The
paper adds environments of the rare kind from elsewhere; here the common kind is thinned out
instead, with nothing but the features to say which that is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestNeighbors

from . import clusters, embedding
from ._deprecated import module_getattr
from .embedding.libraries import nearest_rows
from .embedding.scaling import feature_table

__all__ = [
    "density_balanced_sample",
    "density_strata",
    "embed_density_balanced",
    "halfway_borders",
    "local_spacing",
    "shared_out",
]

_NEIGHBORS = 10
_MANY = 4096  # environments, beyond which a search among all pairs takes seconds
_STRATA = 20

__getattr__ = module_getattr(
    __name__,
    {"equalised_sample": "density_balanced_sample", "embed_equalised": "embed_density_balanced"},
)


def local_spacing(X: ArrayLike, *, standardise: bool = True) -> np.ndarray:
    """Distance of each environment to its tenth neighbour in the space of features.

    The local density by which :func:`density_balanced_sample` draws: small in a crystal, larger in
    a liquid. Of more than 4096 environments 99.9 % of the neighbours are the true ones.

    Parameters
    ----------
    X : array (n_environments, n_features)
    standardise : bool
        Scale every feature first, see :func:`defectkit.embedding.standardise`.

    Returns
    -------
    array (n_environments,), in units of the (scaled) features.

    Raises
    ------
    ValueError
        Too few environments for neighbours, features that are not finite.

    Examples
    --------
    >>> local_spacing(np.arange(12.0)[:, None], standardise=False).tolist()[:4]
    [10.0, 9.0, 8.0, 7.0]
    """
    X = feature_table(X, "X")
    if len(X) <= _NEIGHBORS:
        raise ValueError(
            f"{len(X)} environments are too few to tell their density from "
            f"{_NEIGHBORS} neighbours; add frames."
        )
    Z = embedding.standardise(X) if standardise else X
    if len(Z) > _MANY:
        tenth = nearest_rows(Z, Z, _NEIGHBORS + 1)[:, -1]  # the first is the row itself
        return np.linalg.norm(Z - Z[tenth], axis=1)
    near = NearestNeighbors(n_neighbors=_NEIGHBORS, algorithm="brute").fit(Z)
    return near.kneighbors()[0][:, -1]


def density_balanced_sample(
    X: ArrayLike,
    n: int,
    *,
    strata: int = _STRATA,
    seed: int = 0,
    standardise: bool = True,
    spacing: ArrayLike | None = None,
) -> np.ndarray:
    """Indices of environments that show every local density equally often, rare kinds kept whole.

    The local density of an environment is told by the distance to its tenth neighbour in the
    space of features: a crystal is dense there, a liquid is thin, a defect thinner still.
    Intervals of equal width of the logarithm of that distance are filled at random and alike,
    until there are `n`; intervals with fewer environments give all of them.

    Parameters
    ----------
    X : array (n_environments, n_features)
    n : int
        How many to keep.
    strata : int
        Intervals of density.
    seed : int
    standardise : bool
        Scale every feature first, see :func:`defectkit.embedding.standardise`.
    spacing : array (n_environments,), optional
        What :func:`local_spacing` gives for X, where several samples of it are drawn: nearly all
        of the time goes there.

    Returns
    -------
    array (n,) of int, ascending.

    Raises
    ------
    ValueError
        More environments asked for than there are, none, a share of them, less than two
        intervals, too few environments for neighbours, features that are not finite, a spacing
        that does not match.

    Examples
    --------
    A liquid of 5000 environments and a crystal of 100:

    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (5000, 5)), rng.normal(3, 0.05, (100, 5))])
    >>> chosen = density_balanced_sample(X, 1000)
    >>> len(chosen), bool((chosen >= 5000).mean() > 0.08)   # of all it was 0.02
    (1000, True)
    """
    X = feature_table(X, "X")
    if not 0 < n <= len(X) or n % 1:
        raise ValueError(
            f"n={n} of {len(X)} environments cannot be kept; use 1 to {len(X)}, a number of "
            "environments and no share."
        )
    if strata < 2:
        raise ValueError(f"strata={strata} tells no densities apart; use at least 2.")
    away = local_spacing(X, standardise=standardise) if spacing is None else np.asarray(spacing)
    if away.shape != (len(X),) or not (np.isfinite(away) & (away >= 0)).all():
        raise ValueError(
            f"spacing of shape {away.shape} is no distance for each of {len(X)} environments; "
            "give what local_spacing returns for these features."
        )
    if not away.any():
        raise ValueError("all environments have ten that equal them; thin out the copies.")
    stratum, quota = density_strata(np.maximum(away, away[away > 0].min()), n, strata)
    rng = np.random.default_rng(seed)
    return np.sort(
        np.concatenate(
            [rng.permutation(np.flatnonzero(stratum == k))[: quota[k]] for k in range(strata)]
        )
    )


def embed_density_balanced(
    X: ArrayLike,
    n: int,
    method: str = "pacmap",
    *,
    strata: int = _STRATA,
    seed: int = 0,
    spacing: ArrayLike | None = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map and clusters of all environments, made from a density-balanced sample of `n`.

    The sample is mapped by `method` and clustered. Every other environment joins the cluster of
    most of its ten nearest in the sample (in the space of standardised features) and lies in the
    middle of those of them. A net that learns the map (`ParametricMap`) draws bridges between
    clusters instead, which a cluster that is rare does not survive.

    Parameters
    ----------
    X : array (n_environments, n_features)
    n : int
        Environments in the sample: a thousand, or a few; see :func:`density_balanced_sample`. The
        fewer, the larger the share of what is rare.
    method : "pacmap", "umap" or "pca"
    strata, seed, spacing
        As :func:`density_balanced_sample` takes them.
    **options
        Passed to :func:`defectkit.embedding.embed`.

    Returns
    -------
    Y : array (n_environments, 2)
    labels : array (n_environments,) of int
        From 0 by size, -1 for noise of the sample.
    chosen : array (n,) of int
        The sample.

    Raises
    ------
    ValueError
        As `density_balanced_sample`, `embed` and `cluster` do.
    """
    X = feature_table(X, "X")
    Z = embedding.standardise(X)
    chosen = density_balanced_sample(
        Z, n, strata=strata, seed=seed, standardise=False, spacing=spacing
    )
    here = embedding.embed(X[chosen], method, seed=seed, **options)
    found = clusters.cluster(here)
    Y, labels = np.empty((len(X), 2)), np.full(len(X), -1)
    Y[chosen], labels[chosen] = here, found
    rest, labelled = np.setdiff1d(np.arange(len(X)), chosen), np.flatnonzero(found >= 0)
    if len(rest):
        labels[rest], near = clusters.knn_labels(
            Z[chosen[labelled]], found[labelled], Z[rest], _NEIGHBORS
        )
        near = labelled[near]
        alike = found[near] == labels[rest][:, None]
        Y[rest] = (here[near] * alike[..., None]).sum(axis=1) / alike.sum(axis=1)[:, None]
    return Y, clusters.by_size(labels), chosen


def halfway_borders(X: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Labels again, with the border between two clusters halfway between their means.

    Nearest neighbours place the border where the densities of both clusters are alike. That is
    deep inside a rare cluster, which so loses its rim to the common one. Fisher's linear
    discriminant with equal weight of the clusters asks only how far an environment is from either
    mean, in units of the scatter within clusters.

    Parameters
    ----------
    X : array (n_environments, n_features)
        Better of the features than of the map, whose distances mean little.
    labels : array (n_environments,) of int
        Clusters from 0, -1 for noise, which joins a cluster here. One cluster stays as it is.

    Returns
    -------
    array (n_environments,) of int, from 0 by size.

    Raises
    ------
    ValueError
        Labels that do not match X, clusters of one environment only, features not finite.

    Examples
    --------
    Neighbours gave 30 of the 100 rare environments to the common kind:

    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (2000, 5)), rng.normal(3, 1, (100, 5))])
    >>> labels = np.repeat([0, 1], [2030, 70])
    >>> int((halfway_borders(X, labels)[2000:] == 1).sum()) >= 98
    True
    """
    X, labels = feature_table(X, "X"), np.asarray(labels)
    if labels.shape != (len(X),):
        raise ValueError(
            f"labels of shape {labels.shape} do not match {len(X)} environments; give one each."
        )
    inside = labels >= 0
    sizes = np.unique(labels[inside], return_counts=True)[1]
    if len(sizes) < 2:
        return labels.copy()
    if sizes.max() < 2:
        raise ValueError("every cluster has one environment only; their scatter is not known.")
    equal = np.full(len(sizes), 1 / len(sizes))
    line = LinearDiscriminantAnalysis(priors=equal).fit(X[inside], labels[inside])
    return clusters.by_size(line.predict(X))


def density_strata(
    away: np.ndarray, n: int, strata: int = _STRATA
) -> tuple[np.ndarray, np.ndarray]:
    """Stratum (n_environments,) of each environment, and how many of each stratum make up `n`.

    away
        distance to some near neighbour, above 0; strata are equal intervals of its logarithm

    Examples
    --------
    >>> stratum, quota = density_strata(np.array([1.0, 1, 1, 10, 100]), 3, 2)
    >>> stratum.tolist(), quota.tolist()
    ([0, 0, 0, 1, 1], [2, 1])
    """
    level = np.log(away)
    edges = np.linspace(level.min(), level.max(), strata + 1)[1:-1]
    stratum = np.searchsorted(edges, level, side="right")
    return stratum, shared_out(np.bincount(stratum, minlength=strata), n)


def shared_out(sizes: np.ndarray, n: int) -> np.ndarray:
    """The same quota for every group, less where it has fewer, `n` in all."""
    quota, left = np.zeros(len(sizes), int), n
    for rank, k in enumerate(np.argsort(sizes, kind="stable")):
        quota[k] = min(sizes[k], left // (len(sizes) - rank))
        left -= quota[k]
    return quota
