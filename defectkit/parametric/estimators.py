"""Nets that place new environments in a map, or name their class, without fitting anew.

They follow the conventions of scikit-learn (``fit``, ``predict``, ``score``, ``get_params``).
Trained with torch, applied with numpy; saved as plain numbers (see `load_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from .._checks import unmasked, whole_number
from .._deprecated import warn
from .._types import FilePath
from ..descriptors import Descriptor, check_descriptor
from .model_file import read_model, write_model
from .network import apply_layers, as_groups, split_groups, temperature, train_layers
from .novelty import find_novel, fit_novelty

__all__ = ["EnvironmentClassifier", "ParametricMap", "load_model"]

_CONSTANT = 1e-10  # relative spread that round-off alone reaches in symmetry functions


class _Net(BaseEstimator):
    """What the two estimators share: scaling, training, evaluation, the file."""

    def __init__(
        self,
        symmetry: Descriptor | None = None,
        centres: str | None = None,
        window: int = 1,
        hidden: Sequence[int] = (50, 50, 50),
        seed: int = 0,
        max_epochs: int = 150,
        patience: int = 15,
        progress: bool | None = None,
    ) -> None:
        self.symmetry, self.centres, self.window = symmetry, centres, window
        self.hidden, self.seed, self.progress = hidden, seed, progress
        self.max_epochs, self.patience = max_epochs, patience

    def save(self, path: FilePath) -> None:
        """Writes the fitted model as one file of plain numbers, see `load_model`."""
        write_model(path, self.check_fitted())

    def check_fitted(self) -> Any:
        """The estimator itself. Raises NotFittedError (a ValueError) before `fit`."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"this {type(self).__name__} has not been fitted; call fit, or load_model."
            )
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "weights_")

    def _table(self, X, fitting=False):
        """Features (n, n_features) float64; one sentence where they are something else."""
        _refuse_holes(unmasked(X, "X"))
        try:
            return validate_data(self, X, reset=fitting, dtype=float)
        except ValueError as err:
            if fitting or "is expecting" not in str(err):
                raise
            raise ValueError(
                f"{str(err).rstrip('.')}; compute them with its own symmetry "
                "functions, model.symmetry."
            ) from None

    def _evaluate(self, X, **options):
        """Output of the net (n, n_out), float64."""
        self.check_fitted()
        if (
            type(X) is not np.ndarray
            or X.dtype != float
            or X.ndim != 2
            or len(X) == 0
            or X.shape[1] != self.n_features_in_
            or not np.isfinite(X.sum())
            or hasattr(self, "feature_names_in_")
        ):
            X = self._table(X)
        return apply_layers(X, self.weights_, self.mean_, self.factor_, **options)

    def _scale(self, X):
        """Standardised features; takes mean and spread from X, as `embedding.standardise`."""
        self.mean_, spread = X.mean(axis=0), X.std(axis=0)
        flat = spread <= _CONSTANT * np.abs(X).max(axis=0)
        self.factor_ = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, spread))
        return (X - self.mean_) * self.factor_

    def _train(self, Z, target, loss, n_out, split):
        self.weights_, self.curve_ = train_layers(
            Z,
            target,
            loss,
            n_out,
            split,
            self.hidden,
            self.seed,
            self.max_epochs,
            self.patience,
            self.progress,
        )
        return self


class ParametricMap(MultiOutputMixin, RegressorMixin, _Net):
    """A net that reproduces a map: descriptors to two coordinates, also for new environments.

    Parameters
    ----------
    symmetry : SymmetryFunctions or other descriptor, optional
        Those that the features were computed with; kept in the saved file. Of a descriptor of
        `defectkit.descriptors` name, parameters, version and a fingerprint are.
    centres : str, optional
        Element of the environments, such as "O"; kept too.
    window : int
        Frames that the features were averaged over; kept too.
    hidden : tuple of int
        Sizes of the hidden layers (ReLU); the paper's are 3 x 50.
    seed, max_epochs, patience : int
        Training stops when the error of a tenth of the environments, not trained on, has not
        improved for `patience` epochs. The same seed gives the same bits.
    progress : bool, optional
        A bar; by default where training takes more than 2 s.

    After `fit`: `curve_`, the losses of each epoch. Source: the paper's Fig. 5.
    """

    def fit(self, X: ArrayLike, Y: ArrayLike, groups: ArrayLike | None = None) -> ParametricMap:
        """Learns the map Y (n, 2) of the features X (n, n_features).

        Y may have another number of coordinates; (n,) is one.
        groups : array (n,), optional; validation is on whole groups, such as frames.
        Raises ValueError for shapes that do not match, numbers that are not finite or settings
        that cannot be; ImportError without torch.
        """
        _check_settings(self)
        X = self._table(X, fitting=True)
        if Y is None:
            raise ValueError(
                "requires y to be passed, but the target y is None; give the place "
                "of each environment in the map."
            )
        Y = check_array(unmasked(Y, "Y"), dtype=float, ensure_2d=False, input_name="Y")
        if len(X) != len(Y):
            raise ValueError(f"X has {len(X)} environments but Y {len(Y)}; give a place for each.")
        self.line_ = Y.ndim == 1
        Y = Y.reshape(len(Y), -1)
        split = split_groups(len(X), groups, self.seed)
        centre, size = Y.mean(axis=0), Y.std() or 1.0
        self._train(
            self._scale(X), ((Y - centre) / size).astype(np.float32), "mse_loss", Y.shape[1], split
        )
        weight, bias = self.weights_[-1]
        self.weights_[-1] = (weight * np.float32(size), (bias * size + centre).astype(np.float32))
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Places (n, 2) of new environments in the map, from features (n, n_features)."""
        places = self._evaluate(X)
        return places[:, 0] if self.line_ else places


class EnvironmentClassifier(ClassifierMixin, _Net):
    """A net from descriptors to classes, which also says what is unlike anything it was shown.

    Class probabilities come from the net, calibrated on the environments that it was not trained
    on (temperature scaling). `is_novel` compares the density of the features, a Gaussian for each
    class, and of their logarithms with thresholds, see `parametric.novelty`. They are as high as
    `false_alarm` allows, measured on groups that were not fitted.

    Parameters
    ----------
    false_alarm : float
        Largest share of known environments flagged as novel, with a confidence of 95 %.
    smallest_class : int
        Environments that a class must have, at least.
    others : as `ParametricMap`

    After `fit`: `classes_`; `left_out_` {class: share of it flagged when it was left out};
    `false_alarm_`, the share of known environments flagged; `curve_`.
    """

    def __init__(
        self,
        symmetry: Descriptor | None = None,
        centres: str | None = None,
        window: int = 1,
        hidden: Sequence[int] = (50, 50, 50),
        seed: int = 0,
        max_epochs: int = 150,
        patience: int = 15,
        progress: bool | None = None,
        false_alarm: float = 0.01,
        smallest_class: int = 20,
    ) -> None:
        super().__init__(symmetry, centres, window, hidden, seed, max_epochs, patience, progress)
        self.false_alarm, self.smallest_class = false_alarm, smallest_class

    def fit(
        self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None
    ) -> EnvironmentClassifier:
        """Learns the labels y (n,), int or str, of the features X (n, n_features).

        A label of -1 is noise; such environments are left aside.
        groups : array (n,), optional; validation is on whole groups, such as frames.
        Raises ValueError for shapes that do not match, fewer than two classes, a class of fewer
        than `smallest_class` environments, or settings that cannot be; ImportError without torch.
        """
        _check_settings(self)
        if not 0 <= self.false_alarm < 1:
            raise ValueError(
                f"false_alarm={self.false_alarm!r} is no share of the known environments; use "
                "one from 0 to below 1, such as 0.01."
            )
        X = self._table(X, fitting=True)
        labels = _labels(y, X)
        used = labels != -1 if labels.dtype.kind in "iu" else np.ones(len(X), bool)
        X, labels = X[used], labels[used]
        groups = None if groups is None else as_groups(groups, len(used))[used]
        self.classes_, index, size = np.unique(labels, return_inverse=True, return_counts=True)
        if len(self.classes_) < 2 or size.min() < self.smallest_class:
            counts = ", ".join(f"{c} {n}" for c, n in zip(self.classes_, size, strict=True))
            raise ValueError(
                f"classes have these numbers of environments: {counts}; give more "
                f"than one class, at least two, each of {self.smallest_class} or "
                "more."
            )
        split = split_groups(len(X), groups, self.seed)
        self._train(self._scale(X), index, "cross_entropy", len(size), split)
        heat = temperature(self._evaluate(X[split[1]]), index[split[1]])
        weight, bias = self.weights_[-1]
        self.weights_[-1] = weight / np.float32(heat), bias / np.float32(heat)
        self.novelty_, self.false_alarm_, self.left_out_ = fit_novelty(
            X, index, self.classes_, groups, self.false_alarm, self.seed
        )
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability (n, n_classes) of each of `classes_`, from features (n, n_features)."""
        return softmax(self._evaluate(X), axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable of `classes_` for each environment (n,)."""
        best = self._evaluate(X).argmax(axis=1)
        return self.classes_[best]

    def is_novel(self, X: ArrayLike) -> np.ndarray:
        """Which environments (n,) are unlike anything the classifier was shown: bool."""
        self.check_fitted()
        return find_novel(self._table(X), self.novelty_)

    def unlike(self, X: ArrayLike) -> np.ndarray:
        """Old name of `is_novel`."""
        warn("unlike", "is_novel")
        return self.is_novel(X)


def load_model(
    path: FilePath, symmetry: Descriptor | None = None
) -> ParametricMap | EnvironmentClassifier:
    """The fitted `ParametricMap` or `EnvironmentClassifier` of a file.

    The file is a .npz of plain arrays and a JSON description, with symmetry functions, scaling,
    window and versions; reading it executes nothing (no pickle).

    Parameters
    ----------
    path : str or Path
        As given to `save`.
    symmetry : SymmetryFunctions or another descriptor, optional
        The model is refused where it was fitted with others. A model that was fitted with your
        own function, or with a network from a file, needs it again to describe atoms; nothing
        named in the file is opened.

    Raises
    ------
    FileNotFoundError
    ValueError
        A file that is damaged or something else, one written by a newer defectkit, or other
        symmetry functions.
    """
    return read_model(path, (ParametricMap, EnvironmentClassifier), symmetry)


def _check_settings(net):
    """Refuses what could not be trained, or saved and read again, before the work begins."""
    check_descriptor(net.symmetry)
    if net.centres is not None and not isinstance(net.centres, str):
        raise ValueError(f"centres={net.centres!r} is no element; give one, such as 'O', or None.")
    for name in ("window", "max_epochs", "patience"):
        whole_number(name, getattr(net, name))
    whole_number("seed", net.seed, 0)
    if np.ndim(net.hidden) != 1:
        raise ValueError(
            f"hidden={net.hidden!r} is no list; give the size of each hidden layer, such as "
            "(50, 50, 50)."
        )
    for size in net.hidden:
        whole_number("a size in hidden", size)


def _labels(labels, X):
    if labels is None:
        raise ValueError(
            "requires y to be passed, but the target y is None; give the class of "
            "each environment."
        )
    labels = column_or_1d(np.asarray(labels), warn=True)
    if len(labels) != len(X):
        raise ValueError(
            f"labels {labels.shape} do not match {len(X)} environments; give one for each."
        )
    check_classification_targets(labels)
    return labels


def _refuse_holes(X):
    """Says which environment has no numbers, before scikit-learn says that some has."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.ndim == 2:
        bad = ~np.isfinite(X).all(axis=1)
        if bad.any():
            raise ValueError(
                f"X has NaN or infinite features in {bad.sum()} of {len(X)} rows, "
                f"first in row {bad.argmax()}; check the positions of that atom."
            )
