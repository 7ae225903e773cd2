"""Nets that place new environments in a map, or name their class, without fitting anew.

Trained with torch, applied with numpy; saved as plain numbers (see `load_model`).
"""

from functools import cache

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GroupShuffleSplit
from threadpoolctl import ThreadpoolController
from tqdm.auto import tqdm

from ..embedding.methods import _CONSTANT, _table
from ..io.atomic_write import atomic_write
from .model_file import load_model, save_model

__all__ = ["EnvironmentClassifier", "ParametricMap", "export_onnx", "load_model"]

_ROWS = 2048  # environments a block: the net's arrays stay in the second-level cache


@cache
def _blas():
    return ThreadpoolController()


class _Net(BaseEstimator):
    """What the two estimators share: scaling, training, evaluation, the file."""

    def __init__(self, symmetry=None, centres=None, window=1, hidden=(50, 50, 50), seed=0,
                 max_epochs=150, patience=15, progress=None):
        self.symmetry, self.centres, self.window = symmetry, centres, window
        self.hidden, self.seed, self.progress = hidden, seed, progress
        self.max_epochs, self.patience = max_epochs, patience

    def save(self, path):
        """Writes the fitted model as one file of plain numbers, see `load_model`."""
        self._check_fitted()
        save_model(path, self)

    def _check_fitted(self):
        if not hasattr(self, "weights_"):
            raise ValueError(f"this {type(self).__name__} has not been fitted; call fit, or "
                             "load_model.")

    def _features(self, X):
        self._check_fitted()
        X = _table(X, "X")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} features but this model was fitted on "
                             f"{self.n_features_in_}; compute them with its own symmetry "
                             "functions, model.symmetry.")
        return X

    def _evaluate(self, X):
        """Output of the net (n, n_out), float64."""
        self._check_fitted()
        X = np.asarray(X, float)
        if X.ndim != 2 or X.shape[1] != self.n_features_in_ or not np.isfinite(X.sum()):
            X = self._features(X)  # says what is wrong
        # The scale goes into the first layer; the mean is taken off in double precision.
        layers = [(self.weights_[0][0] * self.factor_[:, None].astype(np.float32),
                   self.weights_[0][1]), *self.weights_[1:]]
        sizes = (X.shape[1], *(len(bias) for _, bias in layers))
        rows = [np.empty((_ROWS, n), np.float32) for n in sizes]
        out = np.empty((len(X), len(layers[-1][1])))
        with _blas().limit(limits=1, user_api="blas"):  # products too small to share
            for start in range(0, len(X), _ROWS):
                part = X[start:start + _ROWS]
                z = np.subtract(part, self.mean_, out=rows[0][:len(part)], casting="unsafe")
                for n, (weight, bias) in enumerate(layers, 1):
                    z = np.matmul(z, weight, out=rows[n][:len(part)])
                    z += bias
                    if n < len(layers):
                        np.maximum(z, 0, out=z)
                out[start:start + _ROWS] = z
        return out

    def _scale(self, X):
        """Standardised features; takes mean and spread from X, as `embedding.standardise`."""
        self.n_features_in_ = X.shape[1]
        self.mean_, spread = X.mean(axis=0), X.std(axis=0)
        flat = spread <= _CONSTANT * np.abs(X).max(axis=0)
        self.factor_ = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, spread))
        return (X - self.mean_) * self.factor_

    def _train(self, Z, target, loss, n_out, split):
        """Adam on minibatches until the validation loss has not improved for `patience` epochs."""
        import torch

        known, kept = split
        rng = np.random.default_rng(self.seed)
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # the net is small; more threads only wait, and bits would differ
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                net = _build(torch, Z.shape[1], self.hidden, n_out)
            Z, target = torch.as_tensor(Z, dtype=torch.float32), torch.as_tensor(target)
            adam = torch.optim.Adam(net.parameters(), lr=3e-3, fused=True)
            slower = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, factor=0.4,
                                                                patience=self.patience // 3)
            best, self.curve_ = (np.inf, None, 0), {"training": [], "validation": []}
            for epoch in tqdm(range(self.max_epochs), desc="training", unit="epoch", delay=2,
                              disable=self.progress is False):
                total = 0.0
                for part in np.array_split(rng.permutation(known), -(-len(known) // 512)):
                    adam.zero_grad()
                    value = loss(net(Z[part]), target[part])
                    value.backward()
                    adam.step()
                    total += len(part) * value.item()
                with torch.no_grad():
                    checked = loss(net(Z[kept]), target[kept]).item()
                self.curve_["training"].append(total / len(known))
                self.curve_["validation"].append(checked)
                slower.step(checked)
                if checked < best[0]:
                    best = checked, [p.detach().numpy().copy() for p in net.parameters()], epoch
                elif epoch - best[2] >= self.patience:
                    break
        finally:
            torch.set_num_threads(before)
        if best[1] is None:
            raise ValueError("training diverged: the loss was never finite; check the targets.")
        numbers = iter(best[1])
        self.weights_ = [(np.ascontiguousarray(w.T), b) for w, b in zip(numbers, numbers,
                                                                        strict=True)]
        return self


class ParametricMap(_Net):
    """A net that reproduces a map: descriptors to two coordinates, also for new environments.

    Parameters
    ----------
    symmetry : SymmetryFunctions, optional
        Those that the features were computed with; kept in the saved file.
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

    def fit(self, X, Y, groups=None):
        """Learns the map Y (n, 2) of the features X (n, n_features).

        groups : array (n,), optional; validation is on whole groups, such as frames.
        Raises ValueError for shapes that do not match or numbers that are not finite.
        """
        import torch

        X, Y = _table(X, "X"), _table(Y, "Y")
        if len(X) != len(Y):
            raise ValueError(f"X has {len(X)} environments but Y {len(Y)}; give a place for each.")
        split = _split(len(X), groups, self.seed)
        centre, size = Y.mean(axis=0), Y.std() or 1.0
        self._train(self._scale(X), ((Y - centre) / size).astype(np.float32),
                    torch.nn.functional.mse_loss, Y.shape[1], split)
        weight, bias = self.weights_[-1]
        self.weights_[-1] = (weight * np.float32(size), (bias * size + centre).astype(np.float32))
        return self

    def predict(self, X):
        """Places (n, 2) of new environments in the map, from features (n, n_features)."""
        return self._evaluate(X)


class EnvironmentClassifier(_Net):
    """A net from descriptors to classes, which also says what is unlike anything it was shown.

    Class probabilities come from the net. `unlike` compares the density of the features, a
    Gaussian mixture for each class, with a threshold. For that each class in turn is left out:
    the threshold is the one that flags most of the left-out classes while flagging no more than
    `false_alarm` of known environments, measured on environments that were not fitted.

    Parameters
    ----------
    false_alarm : float
        Largest share of known environments flagged as unlike anything seen.
    others : as `ParametricMap`

    After `fit`: `classes_`; `left_out_` {class: share of it flagged when it was left out};
    `false_alarm_`, the share of known environments flagged; `curve_`.
    """

    def __init__(self, symmetry=None, centres=None, window=1, hidden=(50, 50, 50), seed=0,
                 max_epochs=150, patience=15, progress=None, false_alarm=0.01):
        super().__init__(symmetry, centres, window, hidden, seed, max_epochs, patience, progress)
        self.false_alarm = false_alarm

    def fit(self, X, labels, groups=None):
        """Learns labels (n,), int or str, of the features X (n, n_features).

        A label of -1 is noise; such environments are left aside.
        groups : array (n,), optional; validation is on whole groups, such as frames.
        Raises ValueError for shapes that do not match, fewer than two classes, or a class of
        fewer than 20 environments.
        """
        import torch

        X, labels = _table(X, "X"), np.asarray(labels)
        if labels.shape != (len(X),):
            raise ValueError(f"labels {labels.shape} do not match {len(X)} environments; give one "
                             "for each.")
        used = labels != -1 if labels.dtype.kind in "iu" else np.ones(len(X), bool)
        X, labels = X[used], labels[used]
        groups = None if groups is None else np.asarray(groups)[used]
        self.classes_, index, size = np.unique(labels, return_inverse=True, return_counts=True)
        if len(self.classes_) < 2 or size.min() < 20:
            counts = ", ".join(f"{c} {n}" for c, n in zip(self.classes_, size, strict=True))
            raise ValueError(f"classes have these numbers of environments: {counts}; give at "
                             "least two classes, each of 20 or more.")
        split = _split(len(X), groups, self.seed)
        Z = self._scale(X)
        self._train(Z, index, torch.nn.functional.cross_entropy, len(size), split)
        self._fit_density(Z, index, split)
        return self

    def predict_proba(self, X):
        """Probability (n, n_classes) of each of `classes_`, from features (n, n_features)."""
        return softmax(self._evaluate(X), axis=1)

    def predict(self, X):
        """The most probable of `classes_` for each environment (n,)."""
        best = self._evaluate(X).argmax(axis=1)
        return self.classes_[best]

    def unlike(self, X):
        """Which environments (n,) are unlike anything the classifier was shown: bool."""
        Z = (self._features(X) - self.mean_) * self.factor_
        return self._log_densities(Z).max(axis=1) < self.threshold_

    def _log_densities(self, Z):
        """Logarithm of the density of the features under each class (n, n_classes)."""
        mean, whiten, constant = (self.density_[n] for n in ("mean", "whiten", "constant"))
        n_classes, n_parts, d = mean.shape
        shift = np.einsum("ckd,ckde->cke", mean, whiten).ravel()
        whiten = whiten.transpose(2, 0, 1, 3).reshape(d, -1)  # one product serves all Gaussians
        out = np.empty((len(Z), n_classes))
        for start in range(0, len(Z), _ROWS):
            z = Z[start:start + _ROWS] @ whiten
            z -= shift
            z = z.reshape(-1, n_classes, n_parts, d)
            parts = constant - 0.5 * np.einsum("nckd,nckd->nck", z, z)
            out[start:start + _ROWS] = logsumexp(parts, axis=2)
        return out

    def _fit_density(self, Z, index, split):
        known, kept = split
        means, whitens, constants = [], [], []
        for c in range(len(self.classes_)):
            part = Z[known[index[known] == c]]
            if len(part) < 10:
                raise ValueError(f"class {self.classes_[c]!s} has environments in too few groups; "
                                 "add frames of it, or leave groups away.")
            mixture = GaussianMixture(3, reg_covar=1e-4, random_state=self.seed,
                                      max_iter=200).fit(part)
            whiten = mixture.precisions_cholesky_
            means.append(mixture.means_)
            whitens.append(whiten)
            constants.append(np.log(mixture.weights_) - 0.5 * Z.shape[1] * np.log(2 * np.pi)
                             + np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1))
        self.density_ = {"mean": np.array(means), "whiten": np.array(whitens),
                         "constant": np.array(constants)}
        self._calibrate(self._log_densities(Z[kept]), index[kept])

    def _calibrate(self, densities, index):
        """The threshold, by leaving each class out in turn."""
        own = densities.max(axis=1)
        left = {c: np.delete(densities[index == c], c, axis=1).max(axis=1)
                for c in np.unique(index)}
        trials = np.quantile(own, np.linspace(0, self.false_alarm, 101))
        gain = [np.mean([np.mean(s < t) for s in left.values()]) - np.mean(own < t)
                for t in trials]
        self.threshold_ = float(trials[int(np.argmax(gain))])
        self.false_alarm_ = float(np.mean(own < self.threshold_))
        self.left_out_ = {self.classes_[c].item(): float(np.mean(s < self.threshold_))
                          for c, s in left.items()}


def _build(torch, n_in, hidden, n_out):
    sizes = [n_in, *hidden]
    layers = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], n_out))


def _split(n, groups, seed):
    """Indices to train on, and a tenth of the groups to validate on."""
    groups = np.arange(n) if groups is None else np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups {groups.shape} do not match {n} environments; give one for "
                         "each.")
    if len(np.unique(groups)) < 10:
        raise ValueError(f"{len(np.unique(groups))} groups are too few to keep a tenth for "
                         "validation; give at least 10, or leave groups away.")
    return next(GroupShuffleSplit(1, test_size=0.1, random_state=seed).split(
        np.zeros(n), groups=groups))


def export_onnx(model, path):
    """Writes the net, with its scaling, as ONNX: features (n, n_features) float64 in.

    Out come "coordinates" of a `ParametricMap` or "probabilities" of an `EnvironmentClassifier`
    (float32). Needs the package onnx; the flag `unlike` is not exported.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model._check_fitted()
    output = "probabilities" if hasattr(model, "classes_") else "coordinates"
    values = {"mean": model.mean_, "factor": model.factor_}
    nodes = [helper.make_node("Sub", ["features", "mean"], ["centred"]),
             helper.make_node("Mul", ["centred", "factor"], ["scaled"]),
             helper.make_node("Cast", ["scaled"], ["x0"], to=TensorProto.FLOAT)]
    last = len(model.weights_) - 1
    for n, (weight, bias) in enumerate(model.weights_):
        values |= {f"w{n}": weight, f"b{n}": bias}
        name = f"y{n}" if n < last or output == "probabilities" else output
        nodes.append(helper.make_node("Gemm", [f"x{n}", f"w{n}", f"b{n}"], [name]))
        if n < last:
            nodes.append(helper.make_node("Relu", [name], [f"x{n + 1}"]))
    if output == "probabilities":
        nodes.append(helper.make_node("Softmax", [f"y{last}"], [output], axis=1))
    graph = helper.make_graph(
        nodes, "defectkit",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE,
                                       ["n", model.n_features_in_])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT,
                                       ["n", model.weights_[-1][0].shape[1]])],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in values.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    with atomic_write(path) as partial:
        onnx.save(made, partial)
