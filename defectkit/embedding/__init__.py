"""Standardised features to two dimensions: PCA, UMAP, PaCMAP."""

from .methods import (
    INITS,
    embed,
    embed_all,
    standardise,
)

__all__ = [
    "INITS",
    "embed",
    "embed_all",
    "standardise",
]
