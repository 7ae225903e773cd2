"""One figure per function."""

from .maps import (
    METHODS,
    NOISE,
    PALETTE,
    atoms3d,
    check_names,
    cluster_name,
    colours,
    count,
    embedding,
    embeddings,
    error_curve,
    snapshots,
)

__all__ = [
    "METHODS",
    "NOISE",
    "PALETTE",
    "atoms3d",
    "check_names",
    "cluster_name",
    "colours",
    "count",
    "embedding",
    "embeddings",
    "error_curve",
    "snapshots",
]
