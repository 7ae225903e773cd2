"""Behler-Parrinello symmetry functions of atoms and trajectories."""

from .functions import (
    N_CHUNKS,
    SymmetryFunctions,
    check_atoms,
    check_threads,
    features,
    features_of_each,
    neighbour_list,
    threads,
)

__all__ = [
    "N_CHUNKS",
    "SymmetryFunctions",
    "check_atoms",
    "check_threads",
    "features",
    "features_of_each",
    "neighbour_list",
    "threads",
]
