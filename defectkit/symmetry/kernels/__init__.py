"""Compiled loops: flat arrays in, flat arrays out."""
