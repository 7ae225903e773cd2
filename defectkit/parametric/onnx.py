"""Fitted nets as ONNX, for other programs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from .._types import FilePath
from ..io.atomic_write import atomic_write

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["export_onnx"]


def export_onnx(model: BaseEstimator, path: FilePath) -> None:
    """Writes the net, with its scaling, as ONNX: features (n, n_features) float64 in.

    Out come "coordinates" of a `ParametricMap` or "probabilities" of an `EnvironmentClassifier`
    (float32). The flag `is_novel` is not exported.

    Raises NotFittedError; ImportError where the package onnx is not installed.
    """
    try:
        onnx = import_module("onnx")
    except ImportError as err:
        raise ImportError(
            "export_onnx needs the package onnx; install it with `pip install onnx`."
        ) from err
    from onnx import TensorProto, helper

    features = model.check_fitted().n_features_in_
    output = "probabilities" if hasattr(model, "classes_") else "coordinates"
    nodes, values = _nodes(helper, TensorProto, model, output)
    graph = helper.make_graph(
        nodes,
        "defectkit",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, ["n", features])],
        [
            helper.make_tensor_value_info(
                output, TensorProto.FLOAT, ["n", model.weights_[-1][0].shape[1]]
            )
        ],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in values.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    with atomic_write(path) as partial:
        onnx.save(made, partial)


def _nodes(helper, types, model, output):
    """The net's operations in order, and its numbers by name."""
    values = {"mean": model.mean_, "factor": model.factor_}
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "factor"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["x0"], to=types.FLOAT),
    ]
    last = len(model.weights_) - 1
    for n, (weight, bias) in enumerate(model.weights_):
        values |= {f"w{n}": weight, f"b{n}": bias}
        name = f"y{n}" if n < last or output == "probabilities" else output
        nodes.append(helper.make_node("Gemm", [f"x{n}", f"w{n}", f"b{n}"], [name]))
        if n < last:
            nodes.append(helper.make_node("Relu", [name], [f"x{n + 1}"]))
    if output == "probabilities":
        nodes.append(helper.make_node("Softmax", [f"y{last}"], [output], axis=1))
    return nodes, values
