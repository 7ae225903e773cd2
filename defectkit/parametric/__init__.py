"""Nets that reproduce the map or predict the class of new environments."""

from .estimators import (
    EnvironmentClassifier,
    ParametricMap,
    export_onnx,
    load_model,
)

__all__ = [
    "EnvironmentClassifier",
    "ParametricMap",
    "export_onnx",
    "load_model",
]
