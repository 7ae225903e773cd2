"""Neural nets in n2p2's format: layers from `weights.NNN.data`, as input.nn describes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from .._types import FilePath
from .kernels.tables import ACTIVATIONS


def read_net(
    folder: FilePath, keywords: Mapping[str, Any], element: str, order: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, str], ...]:
    """Layers of one element's net, `(weights (n_in, n_out), biases (n_out,), activation)` each.

    keywords  from `read_input_nn`
    order     the element's columns in n2p2's order (`SymmetryFunctions.n2p2_order`)

    Rows of the first weights are in the order of input.nn.  Raises FileNotFoundError, and
    ValueError where the file does not fit the net that input.nn describes.
    """
    where = Path(folder) / "input.nn"
    path = Path(folder) / f"weights.{atomic_numbers[element]:03d}.data"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; {element} needs it: copy it from where "
            "the potential comes from."
        )
    nodes, activations = _topology(where, keywords, element)
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
        values = np.array([float(r[0]) for r in rows if r and not r[0].startswith("#")])
        if not np.isfinite(values).all():
            raise ValueError
    except (ValueError, UnicodeDecodeError):
        raise ValueError(
            f"{path} holds something that is not a finite number: it is not a "
            "weights file of n2p2; copy it anew."
        ) from None
    sizes = _fitting([len(order), *nodes, 1], len(values), where, keywords)
    if sizes is None:
        shape = "-".join(map(str, [len(order), *nodes, 1]))
        raise ValueError(
            f"{path} has {len(values)} weights, but the {shape} net of {element} in "
            f"{where} needs {_count_weights([len(order), *nodes, 1])}; take both "
            "files from the same potential."
        )
    net, at = [], 0
    for n_in, n_out, activation in zip(sizes, sizes[1:], activations, strict=False):
        w = values[at : at + n_in * n_out].reshape(n_in, n_out)
        b = values[at + n_in * n_out : at + (n_in + 1) * n_out]
        at += (n_in + 1) * n_out
        if not net:
            w = w[np.argsort(order)]
        n = n_in if "normalize_nodes" in keywords else 1
        net.append((w / n, b / n, activation))
    return tuple(net)


def _count_weights(sizes):
    return sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))


def _fitting(sizes, n_weights, where, keywords):
    """Layer sizes that the number of weights confirms, or None."""
    if _count_weights(sizes) == n_weights:
        return sizes
    # n2p2 leaves the last hidden layer at its global size where element_nodes_short changes it.
    general = _entry(where, keywords, "global_nodes_short", None, int)
    if "element_nodes_short" in keywords and general and len(general) == len(sizes) - 2:
        other = [*sizes[:-2], general[-1], 1]
        if _count_weights(other) == n_weights:
            return other
    return None


def _topology(where, keywords, element):
    """Sizes of the hidden layers and the activations of all layers of one element."""
    count = _entry(where, keywords, "element_hidden_layers_short", element, int) or _entry(
        where, keywords, "global_hidden_layers_short", None, int
    )
    if not count:
        raise ValueError(
            f"{where}: the number of hidden layers of {element} is missing; add "
            "'global_hidden_layers_short'."
        )
    result = []
    for name, extra, kind in (("nodes", 0, int), ("activation", 1, str)):
        values = _entry(where, keywords, f"element_{name}_short", element, kind) or _entry(
            where, keywords, f"global_{name}_short", None, kind
        )
        if not values or len(values) != count[0] + extra:
            raise ValueError(
                f"{where}: {count[0]} hidden layers of {element} need "
                f"{count[0] + extra} values in 'global_{name}_short' (or "
                f"'element_{name}_short'), not {len(values or [])}."
            )
        result.append(values)
    nodes, activations = result
    if min(nodes) < 1:
        raise ValueError(
            f"{where}: a hidden layer of {element} has {min(nodes)} nodes; give 1 or more."
        )
    unknown = [a for a in activations if a not in ACTIVATIONS]
    if unknown:
        raise ValueError(
            f"{where}: activation function '{unknown[0]}' is not known; n2p2 has "
            f"{', '.join(ACTIVATIONS)}."
        )
    general = _entry(where, keywords, "global_activation_short", None, str)
    if general and len(general) == len(activations):
        activations = [*activations[:-1], general[-1]]  # so does n2p2
    return nodes, activations


def _entry(where, keywords, name, element, kind):
    """Values after a keyword (of one element, unless None), or None where it is absent."""
    for line, words in keywords.get(name, []):
        if element is not None and words[:1] != [element]:
            continue
        try:
            return [kind(w) for w in words[element is not None :]]
        except ValueError:
            raise ValueError(f"{where}, line {line}: '{name}' needs whole numbers.") from None
    return None
