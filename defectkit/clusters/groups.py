"""Few environments: groups and rare ones of a cell of 30 to 300 atoms, without a map.

A map needs hundreds of environments. A relaxed cell has fewer, and many of them are copies of one
another by symmetry. Here distances between rows of features are compared with how far apart rows
are that differ by noise only. No random numbers; the order of the rows does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.covariance import ledoit_wolf

from .._checks import unmasked
from .hdbscan import by_size

MAX_ROWS = 6000  # all distances between them take 0.3 GB
_FLOOR = 0.03  # of a feature's largest value: what atoms make that are moved by 0.01 to 0.02 Å
_APART = 0.7  # smallest tolerance, in root mean square of scaled features
_NOISE, _LONE = 2.3, 4.0  # tolerance of a group and of one or two rows, in units of the noise


def group_equal_environments(X: ArrayLike, tolerance: float | None = None) -> np.ndarray:
    """Environments of one element that are equal but for noise, as groups.

    Features are scaled by their standard deviation, or by 3 % of their largest value where that
    is more: differences that a shift of 0.01 Å makes stay small, also in a perfect crystal.
    The distance between two rows is the root mean square of the scaled differences, so that it
    does not grow with the number of features. Rows closer than a tolerance are linked (single
    linkage). Then small groups are joined that are closer to each other than to any large one,
    as are the neighbours of one vacancy, and one or two rows go back to the nearest large group
    if they are no further away than thermal motion leads.

    Parameters
    ----------
    X : array (n, n_features)
        Features, not standardised, of atoms of one element.
    tolerance : float, optional
        Root mean square of scaled differences that is taken for noise. Default 2.3 times the
        median distance to the third nearest row, at least 0.7.

    Returns
    -------
    array (n,) of int: 0 for the largest group, 1 for the next, ...; no noise.

    Raises
    ------
    ValueError
        X that is not a table of finite numbers, a tolerance not above 0, more than 6000 rows.

    Examples
    --------
    A crystal of 60 atoms, four of which have other surroundings:

    >>> X = np.repeat([[1.0, 5.0], [2.0, 4.0]], [60, 4], axis=0)
    >>> np.bincount(group_equal_environments(X)).tolist()
    [60, 4]
    """
    X = _table(X)
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance={tolerance} must be above 0; leave it out for the default.")
    n = len(X)
    if n == 1:
        return np.zeros(1, int)
    away = squareform(pdist(X / _scale(X, X.std(axis=0)))) / np.sqrt(X.shape[1])
    noise = float(np.median(np.sort(away, axis=1)[:, min(3, n - 1)]))
    if tolerance is None:
        tolerance, lone = max(_APART, _NOISE * noise), max(1.5 * _APART, _LONE * noise)
    else:
        lone = tolerance
    found = fcluster(linkage(squareform(away, checks=False), "single"), tolerance, "distance")
    return by_size(_small_ones_joined(found, away, lone))


def _small_ones_joined(found, away, lone):
    size = np.bincount(found)
    large = size[found] >= min(max(4, 0.1 * size.max()), size.max())
    core, rest = np.flatnonzero(large), np.flatnonzero(~large)
    if len(rest) == 0:
        return found
    to_core = away[np.ix_(rest, core)].min(axis=1)
    among = away[np.ix_(rest, rest)] / np.minimum(to_core[:, None], to_core)
    among[found[rest][:, None] == found[rest]] = 0.0
    joined = np.ones(1, int)
    if len(rest) > 1:
        joined = fcluster(linkage(squareform(among, checks=False), "average"), 1.2, "distance")
    found = found.copy()
    found[rest] = found.max() + joined
    for group in np.unique(joined):
        members = rest[joined == group]
        if len(members) < 3 and to_core[joined == group].min() < lone:
            found[members] = found[core[away[np.ix_(members, core)].argmin(axis=1)]]
    return found


def rare_environments(X: ArrayLike, false_alarm: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Environments unlike the bulk of those of the same element, by a robust distance.

    The Mahalanobis distance to the centre of those that are alike, with a covariance shrunk
    towards a multiple of the unit matrix (Ledoit and Wolf, J. Multivar. Anal. 88, 365 (2004)), so
    that more features than environments do no harm. Which ones are alike is found by
    repetition, from the nearest three quarters on; each is measured without its own part in
    centre and covariance. What differs by less than a shift of 0.01 to 0.02 Å makes is never
    flagged.

    One hot frame has a few atoms that heat has moved as far as a defect would: take the mean of
    some frames where there are more.

    Parameters
    ----------
    X : array (n, n_features)
        Features, not standardised, of at least 8 atoms of one element; most of them bulk.
    false_alarm : float
        Number of flags to be expected in a crystal without defects, if the scores fall off
        exponentially. Independent displacements of 3 to 5 % of a bond fall off more slowly: one
        in five such cells of 32 to 300 atoms has a flag.

    Returns
    -------
    scores : array (n,)
        How much further away than the median environment, in units of the spread of these
        distances (robust, 1.35 of them between the quartiles).
    flagged : array (n,) of bool

    Raises
    ------
    ValueError
        X that is not a table of finite numbers or has fewer than 8 rows; a false_alarm that is
        not between 0 and 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = 5 + 0.2 * rng.normal(size=(60, 30))
    >>> X[7] += 2.0
    >>> scores, flagged = rare_environments(X)
    >>> np.flatnonzero(flagged).tolist()
    [7]
    """
    X = _table(X)
    n, p = X.shape
    if n < 8:
        raise ValueError(
            f"{n} environments are too few to say which are rare; give at least 8 "
            "atoms of one element, from more frames or a larger cell."
        )
    if not 0 < false_alarm < 1:
        raise ValueError(f"false_alarm={false_alarm} must lie between 0 and 1.")
    middle = np.median(X, axis=0)
    Z = (X - middle) / _scale(X, 1.4826 * np.median(np.abs(X - middle), axis=0))
    plain = np.sqrt(np.mean(Z**2, axis=1))
    alike = plain <= np.quantile(plain, 0.75)
    for _ in range(20):
        scores = _scores(_distances(Z, alike))
        new = scores < 3.5
        if new.mean() < 0.6:
            new = scores <= np.quantile(scores, 0.6)
        if (new == alike).all():
            break
        alike = new
    return scores, (scores > np.log(n / false_alarm)) & (plain > 0.9)


def _distances(Z, alike):
    """Mahalanobis distance (n,), per feature, to those alike; each left out of its own measure."""
    k = np.count_nonzero(alike)
    away = Z - Z[alike].mean(axis=0)
    covariance = ledoit_wolf(Z[alike])[0] + 0.05 * np.eye(Z.shape[1])
    square = np.einsum("ij,ji->i", away, np.linalg.solve(covariance, away.T))
    # Sherman and Morrison: the same without row i in mean and covariance.
    share = np.minimum(square[alike] / (k - 1), 0.999)
    square[alike] *= (k / (k - 1)) ** 2 / (1 - share)
    return np.sqrt(square / Z.shape[1])


def _scores(distance):
    low, middle, high = np.quantile(distance, [0.25, 0.5, 0.75])
    return (distance - middle) / max((high - low) / 1.349, 0.05)


def _scale(X, spread):
    """Unit of each feature: its spread, or what counts as no difference."""
    largest = np.abs(X).max(axis=0)
    unit = np.maximum(spread, _FLOOR * np.maximum(largest, 0.1 * np.median(largest)))
    return np.where(unit > 0, unit, 1.0)


def _table(X):
    X = np.asarray(unmasked(X, "X"), dtype=float)
    if X.ndim != 2 or X.size == 0 or not np.isfinite(X).all():
        raise ValueError(
            f"X must be finite features (n_environments, n_features), got shape "
            f"{X.shape}; np.concatenate(features) joins frames."
        )
    if len(X) > MAX_ROWS:
        raise ValueError(
            f"{len(X)} environments are more than {MAX_ROWS}; use embed and cluster for so many."
        )
    return X
