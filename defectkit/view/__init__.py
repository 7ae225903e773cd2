"""Atoms in 3D and the explorer, in a notebook."""

from .choosers import chooser
from .explorer_app.start import explorer
from .scenes import recolour, scene

__all__ = ["chooser", "explorer", "recolour", "scene"]
