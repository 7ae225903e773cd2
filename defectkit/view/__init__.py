"""Atoms in 3D and the explorer, in a notebook."""

from .scenes import (
    chooser,
    explorer,
    recolour,
    scene,
)

__all__ = [
    "chooser",
    "explorer",
    "recolour",
    "scene",
]
