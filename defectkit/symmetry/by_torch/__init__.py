"""Symmetry functions and forces by torch, on any device it has, from the tables of the kernels.

The modules import torch, which takes seconds, so they are imported where a device is asked for
(`SymmetryFunctions.using`).
"""
