"""Small nets of dense layers: trained with torch, applied with numpy. Arrays in, arrays out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import GroupShuffleSplit

from .._progress import tqdm
from .._threads import one_for_products

__all__ = [
    "Layers",
    "apply_layers",
    "as_groups",
    "import_torch",
    "split_groups",
    "temperature",
    "train_layers",
]

#: Weight (n_in, n_out) and bias (n_out,) of each layer, float32.
Layers = list[tuple[np.ndarray, np.ndarray]]

ROWS = 2048  # environments a block: the net's arrays stay in the second-level cache
_TRAINING = threading.Lock()  # the number of torch's threads belongs to the whole process


def import_torch() -> ModuleType:
    """The module torch. Raises ImportError in one sentence where it is not installed."""
    try:
        return import_module("torch")
    except ImportError as err:
        raise ImportError(
            "fitting a net needs torch, which cannot be imported here "
            f"({err}); install it with `pip install torch`. Saved models load and "
            "predict without it."
        ) from err


def apply_layers(
    X: np.ndarray, layers: Layers, mean: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """What the net makes of features: (n, n_out) float64, ReLU between the layers.

    X             (n, n_features) features
    layers        weights and biases
    mean, factor  (n_features,); the first layer is given (X - mean) * factor
    """
    # The scale goes into the first layer; the mean is taken off in double precision.
    layers = [(layers[0][0] * factor[:, None].astype(np.float32), layers[0][1]), *layers[1:]]
    sizes = (X.shape[1], *(len(bias) for _, bias in layers))
    rows = [np.empty((min(len(X), ROWS), n), np.float32) for n in sizes]
    out = np.empty((len(X), sizes[-1]))
    with one_for_products():
        for start in range(0, len(X), ROWS):
            part = X[start : start + ROWS]
            z = np.subtract(part, mean, out=rows[0][: len(part)], casting="unsafe")
            for n, (weight, bias) in enumerate(layers, 1):
                z = np.matmul(z, weight, out=rows[n][: len(part)])
                z += bias
                if n < len(layers):
                    np.maximum(z, 0, out=z)
            out[start : start + ROWS] = z
    return out


def as_groups(groups: ArrayLike, n: int) -> np.ndarray:
    """Groups (n,) of environments; ValueError where there is not one for each."""
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(
            f"groups {groups.shape} do not match {n} environments; give one for each."
        )
    return groups


def split_groups(n: int, groups: ArrayLike | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on, and those of a tenth of the groups, at least one, to validate on."""
    few = groups is None
    groups = np.arange(n) if groups is None else as_groups(groups, n)
    different = len(np.unique(groups))
    if different < 10 and not few:
        raise ValueError(
            f"{different} groups are too few to keep a tenth for validation; give "
            "at least 10, or leave groups away."
        )
    if n < 2:
        raise ValueError(
            f"n_samples={n} is too few to train and validate on; give at least 2 environments."
        )
    return next(
        GroupShuffleSplit(1, test_size=0.1, random_state=seed).split(np.zeros(n), groups=groups)
    )


def train_layers(
    Z: np.ndarray,
    target: np.ndarray,
    loss: str,
    n_out: int,
    split: tuple[np.ndarray, np.ndarray],
    hidden: Sequence[int],
    seed: int,
    max_epochs: int,
    patience: int,
    progress: bool | None,
) -> tuple[Layers, dict]:
    """Layers and loss curve of a net trained by Adam on minibatches.

    Training stops when the loss of the validation part has not improved for `patience` epochs;
    the best layers are kept. The same seed gives the same bits, also where several threads train
    at once: they take turns, and random numbers are drawn from a generator of its own.

    Z       (n, n_features) standardised features
    target  (n, n_out) float32, or (n,) int classes
    loss    "mse_loss" or "cross_entropy" of torch.nn.functional
    split   indices to train on, and to validate on

    Raises ValueError where the loss is never finite; ImportError without torch.
    """
    torch = import_torch()
    loss = getattr(torch.nn.functional, loss)
    known, kept = split
    rng = np.random.default_rng(seed)
    with _TRAINING, _one_thread(torch):
        layers = _start_layers(torch, [Z.shape[1], *hidden, n_out], seed)
        Z, target = torch.as_tensor(Z, dtype=torch.float32), torch.as_tensor(target)
        adam = torch.optim.Adam(layers, lr=3e-3, fused=True)
        slower = torch.optim.lr_scheduler.ReduceLROnPlateau(
            adam, factor=0.4, patience=patience // 3
        )
        best, curve = (np.inf, None, 0), {"training": [], "validation": []}
        for epoch in tqdm(
            range(max_epochs), desc="training", unit="epoch", delay=2, disable=progress is False
        ):
            curve["training"].append(
                _epoch(torch, layers, adam, loss, Z, target, rng.permutation(known))
            )
            with torch.no_grad():
                checked = loss(_forward(torch, layers, Z[kept]), target[kept]).item()
            curve["validation"].append(checked)
            slower.step(checked)
            if checked < best[0]:
                best = checked, [p.detach().numpy().copy() for p in layers], epoch
            elif epoch - best[2] >= patience:
                break
    if best[1] is None:
        raise ValueError("training diverged: the loss was never finite; check the targets.")
    numbers = iter(best[1])
    return [(np.ascontiguousarray(w.T), b) for w, b in zip(numbers, numbers, strict=True)], curve


def temperature(logits: np.ndarray, index: np.ndarray) -> float:
    """What to divide logits by so that probabilities are as often right as they say (1 to 20).

    logits (n, n_classes) of environments not trained on, index (n,) their classes. Source: Guo
    et al., ICML 2017 (temperature scaling). Never below 1: where nothing is wrong, there is no
    telling how sure the net may be.
    """
    rows = np.arange(len(index))
    found = minimize_scalar(
        lambda t: -log_softmax(logits / np.exp(t), axis=1)[rows, index].mean(),
        bounds=(0.0, np.log(20.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _epoch(torch, layers, adam, loss, Z, target, order):
    """Mean loss over one pass through the environments in this order."""
    total = 0.0
    for part in np.array_split(order, -(-len(order) // 512)):
        adam.zero_grad()
        value = loss(_forward(torch, layers, Z[part]), target[part])
        value.backward()
        adam.step()
        total += len(part) * value.item()
    return total / len(order)


@contextmanager
def _one_thread(torch):
    """The net is small: more threads only wait, and the bits would differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_layers(torch, sizes, seed):
    """Weights and biases as `torch.nn.Linear` draws them, from a generator of their own."""
    drawn = torch.Generator().manual_seed(seed)
    made = []
    for n_in, n_out in zip(sizes, sizes[1:], strict=False):
        weight, bias = torch.empty(n_out, n_in), torch.empty(n_out)
        for tensor in (weight, bias):
            tensor.uniform_(-(n_in**-0.5), n_in**-0.5, generator=drawn)
            made.append(tensor.requires_grad_())
    return made


def _forward(torch, layers, z):
    pairs = iter(layers)
    for n, (weight, bias) in enumerate(zip(pairs, pairs, strict=True), 1):
        z = torch.nn.functional.linear(z, weight, bias)
        if 2 * n < len(layers):
            z = torch.relu(z)
    return z
