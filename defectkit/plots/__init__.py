"""One figure per function: maps, atoms in three dimensions, error curves."""

from .colours import (
    METHODS,
    NOISE,
    PALETTE,
    PHASES,
    cell_edges,
    check_names,
    cluster_name,
    colours,
    count,
    pale,
)
from .maps import embedding, embeddings, error_curve, snapshots
from .structures import atoms3d, cut_out

__all__ = [
    "METHODS",
    "NOISE",
    "PALETTE",
    "PHASES",
    "atoms3d",
    "cell_edges",
    "check_names",
    "cluster_name",
    "colours",
    "count",
    "cut_out",
    "embedding",
    "embeddings",
    "error_curve",
    "pale",
    "snapshots",
]
