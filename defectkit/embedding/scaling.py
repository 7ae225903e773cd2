"""Features made ready for a map: checked, scaled, in an order that is their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._checks import unmasked

__all__ = ["ROUND_OFF", "canonical_order", "feature_table", "standardise", "variance_shares"]

ROUND_OFF = 1e-10  # relative spread that round-off alone reaches in symmetry functions


def standardise(X: ArrayLike, reference: ArrayLike | None = None) -> np.ndarray:
    """Features with zero mean and unit variance over all environments.

    Each column becomes ``(x - mean) / std``. A column that does not vary carries no information
    and becomes 0 (a spread below 1e-10 of its largest value is round-off).

    Parameters
    ----------
    X : array (n, n_features)
    reference : array (m, n_features), optional
        Take mean and std from these environments instead, to put new ones on an older scale.

    Returns
    -------
    array (n, n_features), float64; the input is left as it is.

    Raises
    ------
    ValueError
        Empty or not two-dimensional input, NaN or infinity, differing numbers of features.

    Examples
    --------
    >>> standardise([[1.0, 5.0], [3.0, 5.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    X = feature_table(X, "X")
    ref = X if reference is None else feature_table(reference, "reference")
    if ref.shape[1] != X.shape[1]:
        raise ValueError(
            f"reference has {ref.shape[1]} features but X has {X.shape[1]}; "
            "compute both with the same symmetry functions."
        )
    centre = ref.mean(axis=0)
    spread = ref.std(axis=0)
    flat = spread <= ROUND_OFF * np.abs(ref).max(axis=0)
    out = (X - centre) / np.where(flat, 1.0, spread)
    out[:, flat] = 0.0
    return out


def canonical_order(X: ArrayLike) -> np.ndarray:
    """Order of environments that depends on their features only, not on the order of the rows.

    Ascending in the first feature, then the second, and so on, each rounded to a millionth of
    its spread. Rows that are equal to this accuracy stay as they came: which one comes first makes
    no difference to anything computed from features.

    With ``order = canonical_order(X)``, whatever draws from ``X[order]`` by a seed draws the same
    environments however atoms and frames are sorted.

    Parameters
    ----------
    X : array (n, n_features)

    Returns
    -------
    array (n,) of int

    Examples
    --------
    >>> canonical_order([[2.0, 1.0], [1.0, 5.0], [2.0, 0.0]]).tolist()
    [1, 2, 0]
    """
    X = feature_table(X, "X")
    low, spread = X.min(axis=0), np.ptp(X, axis=0)
    varies = spread > ROUND_OFF * np.abs(X).max(axis=0)
    if not varies.any():
        return np.arange(len(X))
    steps = np.round((X[:, varies] - low[varies]) / spread[varies] * 1e6).astype(np.int32)
    return np.lexsort(steps.T[::-1])


def variance_shares(X: ArrayLike) -> np.ndarray:
    """Shares of the variance along the two axes of the PCA map of standardised features.

    Parameters
    ----------
    X : array (n, n_features), before standardising

    Returns
    -------
    array (2,), largest first

    Raises
    ------
    ValueError
        As :func:`standardise`; features that do not vary.

    Examples
    --------
    >>> variance_shares([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]).round(6).tolist()
    [1.0, 0.0]
    """
    Z = standardise(X)
    along = np.sort(np.linalg.eigvalsh(Z.T @ Z / len(Z)))[::-1]
    if along[0] <= 0:
        raise ValueError(
            "no feature varies, so there is no variance to share out; add other "
            "structures or a thermal trajectory."
        )
    return np.append(along, 0.0)[:2] / along.sum()


def feature_table(X: ArrayLike, name: str) -> np.ndarray:
    """X as float64 (n, n_features); raises ValueError that calls it `name`."""
    X = unmasked(X, name)
    try:
        X = np.asarray(X, dtype=float)
    except ValueError:
        raise ValueError(
            f"{name} is no table of numbers: its rows differ in length or hold something else; "
            "np.concatenate(features) joins frames."
        ) from None
    if X.ndim != 2:
        raise ValueError(
            f"{name} must be (n_environments, n_features), got shape {X.shape}; "
            "np.concatenate(features) joins frames."
        )
    if X.size == 0:
        raise ValueError(
            f"{name} is empty (shape {X.shape}); give at least one environment with one feature."
        )
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} has NaN or infinite features in {bad.sum()} of {len(X)} rows, "
            f"first in row {bad.argmax()}; check the positions of that atom."
        )
    return X
