"""What is unlike anything seen: densities of the features of each class, and thresholds.

Each class is one Gaussian, in two spaces: the features, and their logarithm. A phase that hides
in the broad cloud of a liquid in one of them lies outside in the other: the ratios of small
features differ where the features do not, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.model_selection import StratifiedGroupKFold

from .._threads import one_for_products

__all__ = ["Space", "find_novel", "fit_novelty"]

_AT_ONCE = 15_000  # numbers of an array: larger ones are had from the system, page by page
_FOLDS = 10
_RIDGE = 1e-4  # added to variances, in units of that of all environments
_SMALL = 1e-3  # of the largest feature: below, the logarithm becomes linear
_SURE = 1.645  # standard errors: false alarms stay below what was asked in 95 of 100 fits


@dataclass(frozen=True)
class Space:
    """Features as (f(X) - centre) * factor, and Gaussians there: one or more for each class.

    scale      (d,): f(X) = arcsinh(X / scale), a logarithm with sign; where 0, f(X) = X
    centre, factor      (d,)
    mean, whiten, constant      (n_classes, n_parts, d), (..., d, d) and (n_classes, n_parts)
    threshold  log density below which an environment is unlike every class
    """

    scale: np.ndarray
    centre: np.ndarray
    factor: np.ndarray
    mean: np.ndarray
    whiten: np.ndarray
    constant: np.ndarray
    threshold: float

    def log_densities(self, X: np.ndarray) -> np.ndarray:
        """Logarithm of the density of features X under each class (n, n_classes)."""
        n_classes, n_parts, d = self.mean.shape
        shift = np.einsum("ckd,ckde->cke", self.mean, self.whiten).ravel()
        whiten = self.whiten.transpose(2, 0, 1, 3).reshape(d, -1)  # one product serves all
        parts, rows = np.empty((len(X), n_classes, n_parts)), max(64, _AT_ONCE // whiten.shape[1])
        for start in range(0, len(X), rows):
            z = ((_bent(X[start : start + rows], self.scale) - self.centre) * self.factor) @ whiten
            z -= shift
            z = z.reshape(-1, n_classes, n_parts, d)
            np.einsum("nckd,nckd->nck", z, z, out=parts[start : start + rows])
        return logsumexp(self.constant - 0.5 * parts, axis=2)


def find_novel(X: np.ndarray, spaces: list[Space]) -> np.ndarray:
    """Which environments (n,) lie below the threshold in one of the spaces: bool."""
    with one_for_products():
        return np.any([s.log_densities(X).max(axis=1) < s.threshold for s in spaces], axis=0)


def fit_novelty(
    X: np.ndarray,
    index: np.ndarray,
    names: Sequence[Any],
    groups: np.ndarray | None,
    false_alarm: float,
    seed: int,
) -> tuple[list[Space], float, dict[Any, float]]:
    """(spaces, share of false alarms, {class: share of it flagged when it was left out}).

    Thresholds and shares are measured on groups (frames) that were not fitted, a tenth of them at
    a time; the spaces returned are then fitted to all.

    X            (n, n_features)
    index        (n,) int, class of each; names (n_classes,)
    groups       (n,) or None, where each environment is its own
    false_alarm  upper bound of the share of known environments that are flagged, per group, with
                 a confidence of 95 %

    Raises ValueError for a class in too few groups.
    """
    n_classes, names = len(names), np.asarray(names).tolist()
    known = [np.empty((len(X), n_classes)) for _ in range(2)]
    for fit, kept in _folds(index, groups, seed):
        if len(np.unique(index[fit])) < n_classes:
            missing = names[np.setdiff1d(np.arange(n_classes), index[fit])[0]]
            raise ValueError(
                f"class {missing!s} has environments in too few groups; add frames "
                "of it, or leave groups away."
            )
        for densities, space in zip(known, _fitted(X[fit], index[fit], n_classes), strict=True):
            densities[kept] = space.log_densities(X[kept])
    groups = np.arange(len(X)) if groups is None else np.unique(groups, return_inverse=True)[1]
    thresholds = _thresholds(known, groups, false_alarm)
    spaces = [
        Space(**vars(space) | {"threshold": float(t)})
        for space, t in zip(_fitted(X, index, n_classes), thresholds, strict=True)
    ]
    left_out = {}
    for c in range(n_classes):
        others, own = [np.delete(d, c, axis=1) for d in known], index == c
        limits = _thresholds([d[~own] for d in others], groups[~own], false_alarm)
        left_out[names[c]] = float(np.mean(_below([d[own] for d in others], limits)))
    return spaces, float(np.mean(_below(known, thresholds))), left_out


def _folds(index, groups, seed):
    if groups is None:  # in the order of the classes, so that each fold has some of each
        order = np.argsort(index, kind="stable")
        parts = [order[k::_FOLDS] for k in range(min(_FOLDS, len(order)))]
        return [(np.setdiff1d(order, part), part) for part in parts]
    return StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(
        index, index, groups
    )


def _bent(X, scale):
    return np.where(scale > 0, np.arcsinh(X / np.where(scale > 0, scale, 1.0)), X)


def _fitted(X, index, n_classes):
    """The two spaces, without thresholds."""
    made = []
    for scale in (np.zeros(X.shape[1]), _SMALL * np.abs(X).max(axis=0)):
        Z = _bent(X, scale)
        centre, spread = Z.mean(axis=0), Z.std(axis=0)
        flat = spread <= 1e-10 * np.abs(Z).max(axis=0)
        factor = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, spread))
        Z = (Z - centre) * factor
        means, whitens, constants = [], [], []
        for c in range(n_classes):
            part = Z[index == c]
            mean = part.mean(axis=0)
            covariance = (part - mean).T @ (part - mean) / len(part)
            inverse = np.linalg.inv(covariance + _RIDGE * np.eye(len(mean)))
            whiten = np.linalg.cholesky((inverse + inverse.T) / 2)
            means.append([mean])
            whitens.append([whiten])
            constants.append([np.log(np.diag(whiten)).sum() - 0.5 * len(mean) * np.log(2 * np.pi)])
        made.append(
            Space(
                scale, centre, factor, np.array(means), np.array(whitens), np.array(constants), 0.0
            )
        )
    return made


def _below(densities, thresholds):
    return np.any([d.max(axis=1) < t for d, t in zip(densities, thresholds, strict=True)], axis=0)


def _thresholds(densities, groups, false_alarm):
    """One for each space, so that false alarms are as many as allowed and no more."""
    best = [d.max(axis=1) for d in densities]
    sizes = np.bincount(groups)
    filled = sizes > 0
    low = [-np.inf for _ in best]
    for share in np.linspace(0, false_alarm, 41)[1:]:
        trial = [np.quantile(b, share) for b in best]
        flagged = np.any([b < t for b, t in zip(best, trial, strict=True)], axis=0)
        rates = np.bincount(groups, flagged, len(sizes))[filled] / sizes[filled]
        weights = sizes[filled] / sizes.sum()
        error = np.sqrt(np.sum((weights * (rates - flagged.mean())) ** 2))
        if flagged.mean() + _SURE * error > false_alarm:
            break
        low = trial
    # Where no share is sure enough, only what is less likely than anything known is flagged.
    return [b.min() if t == -np.inf else t for b, t in zip(best, low, strict=True)]
