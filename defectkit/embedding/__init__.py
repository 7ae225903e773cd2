"""Standardised features to two dimensions: PCA, UMAP, PaCMAP."""

from .methods import INITS, METHODS, Method, embed, method_name
from .scaling import canonical_order, standardise, variance_shares
from .worker import embed_all

__all__ = [
    "INITS",
    "METHODS",
    "Method",
    "canonical_order",
    "embed",
    "embed_all",
    "method_name",
    "standardise",
    "variance_shares",
]
