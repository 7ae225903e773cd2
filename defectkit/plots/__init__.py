"""One figure per function: maps, atoms in three dimensions, error curves."""

from .colours import (
    METHODS,
    NOISE,
    PALETTE,
    cell_edges,
    check_names,
    cluster_name,
    colours,
    count,
    pale,
)
from .maps import embedding, embeddings, error_curve, snapshots
from .structures import atoms3d

__all__ = [
    "METHODS",
    "NOISE",
    "PALETTE",
    "atoms3d",
    "cell_edges",
    "check_names",
    "cluster_name",
    "colours",
    "count",
    "embedding",
    "embeddings",
    "error_curve",
    "pale",
    "snapshots",
]
