"""PCA, UMAP and PaCMAP called so that the same seed gives the same bits, in any thread."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Sequence
from importlib import import_module
from threading import RLock
from typing import Any

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from .umap_cache import cache_compiled

_EXACT_UP_TO = 30_000  # environments; beyond, an approximate search costs less than all pairs
_CELLS = 16
# PaCMAP keeps its seed, numpy's generator and numbers of threads in global variables, and the
# limits on BLAS are global too: one map at a time in a process.
_ONE_AT_A_TIME = RLock()


def place(
    X: np.ndarray,
    method: str,
    seed: int,
    init: str,
    n_neighbors: int | None,
    snapshots: Sequence[int] | None,
    options: dict[str, Any],
) -> np.ndarray:
    """The map; one thread, since sums over several (BLAS in the start by PCA) round otherwise.

    Python threads wait for each other here.
    """
    if method != "pca":  # loaded first, so that their libraries are limited too
        import_module("faiss")
        import_module(method)
    plain = sklearn.config_context(transform_output="default")  # arrays, whatever the user set
    with _ONE_AT_A_TIME, threadpool_limits(1), plain:
        if method == "pca":
            return PCA(2, svd_solver="full").fit_transform(X)
        if method == "umap":
            return _umap(X, seed, init, n_neighbors, options)
        return _pacmap(X, seed, init, n_neighbors, snapshots, options)


def _umap(X, seed, init, n_neighbors, options):
    import numba
    import umap

    cache_compiled()
    X = np.ascontiguousarray(X, np.float32)
    if options.get("metric", "euclidean") == "euclidean":
        options = {"precomputed_knn": _nearest(X, n_neighbors), **options}
    options = _curve(**options) | options
    threads = numba.get_num_threads()
    try:  # n_jobs=1 is what a seed forces anyway, then without a warning
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")  # no transform here
            return umap.UMAP(
                n_neighbors=n_neighbors, init=init, random_state=seed, n_jobs=1, **options
            ).fit_transform(X)
    finally:
        numba.set_num_threads(threads)


def _curve(spread=1.0, min_dist=0.1, **_):
    """UMAP's a and b as it finds them, in the single precision of its coordinates.

    The optimisation raises distances to the power b, and took a fifth longer in double precision.
    """
    from umap.umap_ import find_ab_params

    return dict(zip("ab", map(np.float32, find_ab_params(spread, min_dist)), strict=True))


def _nearest(X, k):
    """Indices and distances (n, k) of the nearest rows by faiss, each row its own first.

    UMAP's own search is compiled anew in every process (20 s), and below 4096 rows sorts all
    distances. A few more candidates are sought, since differences of rounded squares may put
    close ones in the wrong order; their distances are then taken directly.
    """
    import faiss

    n, near = len(X), np.zeros((len(X), k), np.int64)
    distance = np.zeros((n, k), np.float32)
    if n <= _EXACT_UP_TO:
        index = faiss.IndexFlatL2(X.shape[1])
    else:
        index = faiss.IndexHNSWFlat(X.shape[1], 32, faiss.METRIC_L2)
        index.hnsw.efSearch = 64
    index.add(X)
    sought = index.search(X, min(n, k + 5))[1]  # in parts it took three times as long
    for rows in np.array_split(np.arange(n), 1 + n // 4096):
        found = sought[rows]
        apart = np.linalg.norm(X[found] - X[rows, None], axis=2)
        apart[(found == rows[:, None]) | (found < 0)] = np.inf
        order = np.argsort(apart, axis=1, kind="stable")[:, : k - 1]
        near[rows] = np.column_stack([rows, np.take_along_axis(found, order, 1)])
        distance[rows, 1:] = np.take_along_axis(apart, order, 1)
    return near, distance


def nearest_rows(known: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """Indices (n_others, k) of the nearest rows of `known`, 99.9 % of them the true ones.

    By faiss: `known` is divided into as many cells as the square root of their number (k-means),
    and the 16 cells nearest to each row are searched. The same input gives the same indices.
    """
    faiss: Any = import_module("faiss")

    known, others = (np.ascontiguousarray(rows, np.float32) for rows in (known, others))
    with _ONE_AT_A_TIME, threadpool_limits(1):
        plain = faiss.IndexFlatL2(known.shape[1])
        cells = faiss.IndexIVFFlat(plain, known.shape[1], int(len(known) ** 0.5))
        cells.nprobe = _CELLS
        cells.train(known)
        cells.add(known)
        near = np.concatenate(
            [cells.search(part, k)[1] for part in np.array_split(others, 1 + len(others) // 4096)]
        )
        short = np.flatnonzero((near < 0).any(axis=1))  # fewer than k in those cells
        if len(short):
            whole = faiss.IndexFlatL2(known.shape[1])
            whole.add(known)
            near[short] = whole.search(others[short], k)[1]
    return near


def _pacmap(X, seed, init, n_neighbors, snapshots, options):
    import pacmap

    options = {"MN_ratio": 0.5, "FP_ratio": 2.5, "num_iters": (100, 100, 250), **options}
    wanted = n_neighbors * np.array([1, options["MN_ratio"], options["FP_ratio"]])
    if len(X) <= wanted.sum():
        warnings.warn(
            f"{len(X)} environments are too few for {wanted.sum():.0f} pairs each, so "
            "PaCMAP takes fewer of every kind; add frames or lower n_neighbors.",
            stacklevel=5,
        )
    if snapshots is not None:
        # PaCMAP fails unless its list starts at 0 and ends with the last iteration.
        kept = sorted({0, *map(int, snapshots), sum(options["num_iters"])})
        options |= {"intermediate": True, "intermediate_snapshots": kept}
    with _global_state_kept():
        Y = pacmap.PaCMAP(n_neighbors=n_neighbors, random_state=seed, **options).fit_transform(
            X.astype(np.float32), init=init
        )
    return Y if snapshots is None else Y[[kept.index(int(s)) for s in snapshots]]


@contextlib.contextmanager
def _global_state_kept():
    """PaCMAP reseeds numpy, sets faiss to one thread and logs a warning for every seed.

    One thread for numba too: the gradient is serial anyway, and on a busy machine waiting for the
    second thread in each iteration took 4 to 10 times as long.
    """
    import faiss
    import numba
    import pacmap.pacmap

    logger = logging.getLogger("pacmap.pacmap")
    before = (
        np.random.get_state(),  # noqa: NPY002
        faiss.omp_get_max_threads(),
        logger.level,
        pacmap.pacmap._RANDOM_STATE,
        numba.get_num_threads(),
    )
    logger.setLevel(logging.ERROR)
    numba.set_num_threads(1)
    try:
        yield
    finally:
        np.random.set_state(before[0])  # noqa: NPY002
        faiss.omp_set_num_threads(before[1])
        logger.setLevel(before[2])
        pacmap.pacmap._RANDOM_STATE = before[3]
        numba.set_num_threads(before[4])
