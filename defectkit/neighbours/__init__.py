"""Neighbours of atoms: lists, slabs of large frames, order of the first shell."""
