"""UMAP's compiled functions kept on disk, so that a process need not compile them anew (10 s)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Functions of umap-learn that numba compiles for a map and that the library does not cache.
COMPILED = (
    ("umap.umap_", "smooth_knn_dist"),
    ("umap.umap_", "compute_membership_strengths"),
    ("umap.layouts", "_nb_optimize_layout_euclidean_single_epoch"),
)


def cache_compiled() -> list[str]:
    """Have numba keep what it compiles of UMAP; call before the first map of a process.

    Numba compiles again whenever umap-learn's file, numba or the processor is another one. Where
    umap-learn has no function of that name, or no folder can be written to, the map is computed
    as without this.

    Returns
    -------
    list of str: the functions that are cached from now on.
    """
    cached = []
    for module, name in COMPILED:
        function: Any = getattr(import_module(module), name, None)
        try:
            if not function.stats.cache_path:  # not cached yet: enabling again forgets the counts
                function.enable_caching()
        except (AttributeError, RuntimeError):  # another umap-learn; nowhere to write
            continue
        cached.append(name)
    return cached
