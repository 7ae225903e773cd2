"""Nets that reproduce the map or predict the class of new environments."""

from .estimators import EnvironmentClassifier, ParametricMap, load_model
from .onnx import export_onnx

__all__ = ["EnvironmentClassifier", "ParametricMap", "export_onnx", "load_model"]
