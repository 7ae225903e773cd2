"""Parsers of file formats, one module for each family."""
