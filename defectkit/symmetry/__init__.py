"""Behler-Parrinello symmetry functions of atoms and trajectories."""

from ..neighbours.lists import check_atoms, neighbour_list
from .functions import SymmetryFunctions
from .trajectories import features, features_of_each

__all__ = ["SymmetryFunctions", "check_atoms", "features", "features_of_each", "neighbour_list"]
