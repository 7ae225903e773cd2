"""Two-dimensional maps of atomic environments: PCA, UMAP and PaCMAP with the paper's settings.

One row of the input is one atomic environment, one column one feature. Features of many frames,
``(n_frames, n_atoms, n_features)`` or a list, become such a table by ``np.concatenate``.
"""

import contextlib
import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Event

import numpy as np
from joblib import cpu_count
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from .umap_cache import cache_compiled

__all__ = ["INITS", "embed", "embed_all", "standardise"]

#: Initialisations that each method knows; the paper's comes first, then the one it warns of.
INITS = {"pca": ("pca",), "umap": ("pca", "spectral", "random"), "pacmap": ("pca", "random")}

_N_NEIGHBORS = {"umap": 15, "pacmap": 10}
_BESIDE_FROM = 4096  # environments; below, starting a process takes longer than the map
_EXACT_UP_TO = 30_000  # environments; beyond, an approximate search costs less than all pairs
_CONSTANT = 1e-10  # relative spread that round-off alone reaches in symmetry functions


def standardise(X, reference=None):
    """Features with zero mean and unit variance over all environments.

    Each column becomes ``(x - mean) / std``. A column that does not vary carries no information
    and becomes 0 (a spread below 1e-10 of its largest value is round-off).

    Parameters
    ----------
    X : array (n, n_features)
    reference : array (m, n_features), optional
        Take mean and std from these environments instead, to put new ones on an older scale.

    Returns
    -------
    array (n, n_features), float64; the input is left as it is.

    Raises
    ------
    ValueError
        Empty or not two-dimensional input, NaN or infinity, differing numbers of features.

    Examples
    --------
    >>> standardise([[1.0, 5.0], [3.0, 5.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    X = _table(X, "X")
    ref = X if reference is None else _table(reference, "reference")
    if ref.shape[1] != X.shape[1]:
        raise ValueError(f"reference has {ref.shape[1]} features but X has {X.shape[1]}; "
                         "compute both with the same symmetry functions.")
    centre = ref.mean(axis=0)
    spread = ref.std(axis=0)
    flat = spread <= _CONSTANT * np.abs(ref).max(axis=0)
    out = (X - centre) / np.where(flat, 1.0, spread)
    out[:, flat] = 0.0
    return out


_standardise = standardise  # embed has an argument of this name


def embed(X, method="pacmap", *, seed=0, init="pca", n_neighbors=None, snapshots=None,
          standardise=True, **options):
    """Coordinates of every environment in a two-dimensional map.

    ========  ==================================================================================
    method    settings, unless told otherwise
    ========  ==================================================================================
    "pca"     the two directions of largest variance; deterministic, `seed` plays no part
    "umap"    library defaults (15 neighbours, min_dist 0.1) but started from PCA
    "pacmap"  10 near, 5 mid-near, 25 further pairs, 100 + 100 + 250 iterations, from PCA
    ========  ==================================================================================

    The same seed gives the same bits on the same machine, whatever the number of threads given to
    numba, OpenMP and BLAS: within this function all have one. UMAP
    stretches its PCA start to a square; PaCMAP shrinks it to about 0.01 and keeps its proportions.
    Above 100 features PaCMAP first reduces to 100 by PCA. UMAP is given its neighbours by faiss
    (exact up to 30 000 environments, 99.9 % of them beyond), so its maps differ from those of a
    plain call as from another seed's; it searches itself for another `metric`.

    Parameters
    ----------
    X : array (n, n_features)
    method : "pca", "umap" or "pacmap"
    seed : int
    init : str
        "pca"; UMAP also knows "spectral" (its own default) and "random", PaCMAP "random".
        With these the map depends on the seed (the paper's Fig. S1).
    n_neighbors : int, optional
        Neighbours of each point that the map keeps close.
    snapshots : sequence of int, optional
        PaCMAP only: iterations (0 = the start, 450 = the end) whose maps are wanted (Fig. S6).
    standardise : bool
        Scale every feature first, see :func:`standardise`.
    **options
        Passed to ``umap.UMAP`` or ``pacmap.PaCMAP`` (``min_dist=0.2``, ``FP_ratio=2.0``).

    Returns
    -------
    array (n, 2), float64; with `snapshots` (n_snapshots, n, 2) in the order asked for.

    Raises
    ------
    ValueError
        Empty, constant or non-finite input, fewer points than neighbours asked for, an unknown
        method or initialisation; all before the work begins.

    Warns
    -----
    UserWarning
        When PaCMAP has too few points for all its pairs and takes fewer of each kind.

    Notes
    -----
    McInnes, Healy and Melville, arXiv:1802.03426 (UMAP); Wang, Huang, Rudin and Shaposhnik,
    J. Mach. Learn. Res. 22, 1 (2021) (PaCMAP).
    """
    X = _table(X, "X")
    n_neighbors = _check(len(X), method, init, n_neighbors, snapshots, options)
    X = _standardise(X) if standardise else X
    if np.ptp(X, axis=0).max() == 0:
        raise ValueError(f"all {len(X)} environments have the same features, so there is nothing "
                         "to map; add other structures or a thermal trajectory.")
    Y = _placed(X, method, int(seed), init, n_neighbors, snapshots, options)
    if not np.isfinite(Y).all():
        raise ValueError(f"{method} could not place every environment; look for large groups of "
                         "identical environments and thin them out.")
    return Y.astype(float)


def embed_all(X, methods=("pca", "umap", "pacmap"), *, seed=0, standardise=True):
    """Coordinates of every environment under several methods, for comparing them.

    Bit by bit the maps of :func:`embed` with its settings. From 4096 environments on, and where
    there is a second core, PaCMAP works in a process of its own beside UMAP.

    Parameters
    ----------
    X : array (n, n_features)
    methods : sequence of str
    seed : int
    standardise : bool

    Returns
    -------
    dict {method: array (n, 2), float64}

    Raises
    ------
    ValueError
        As :func:`embed`, before the work begins.
    """
    X = _table(X, "X")
    for method in methods:
        _check(len(X), method, "pca", None, None, {})
    X = _standardise(X) if standardise else X

    def one(method):
        return embed(X, method, seed=seed, standardise=False)

    if not {"umap", "pacmap"} <= set(methods) or len(X) < _BESIDE_FROM or cpu_count() < 2:
        return {m: one(m) for m in methods}
    from . import worker

    ended = Event()
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(worker.compute, X, "pacmap", seed, stop=ended.is_set,
                             standardise=False)
        try:
            maps = {m: one(m) for m in methods if m != "pacmap"}
        except BaseException:
            ended.set()
            raise
        try:
            maps["pacmap"] = beside.result()
        except (OSError, RuntimeError):  # no other process to be had
            maps["pacmap"] = one("pacmap")
    return {m: maps[m] for m in methods}


def _table(X, name):
    X = np.asarray(X, dtype=float)
    if X.ndim != 2:
        raise ValueError(f"{name} must be (n_environments, n_features), got shape {X.shape}; "
                         "np.concatenate(features) joins frames.")
    if X.size == 0:
        raise ValueError(f"{name} is empty (shape {X.shape}); give at least one environment "
                         "with one feature.")
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise ValueError(f"{name} has NaN or infinite features in {bad.sum()} of {len(X)} rows, "
                         f"first in row {bad.argmax()}; check the positions of that atom.")
    return X


def _check(n, method, init, n_neighbors, snapshots, options):
    """Refuse what the libraries would silently change; return the number of neighbours."""
    if method not in INITS:
        raise ValueError(f"unknown method {method!r}; use one of {', '.join(INITS)}.")
    if init not in INITS[method]:
        raise ValueError(f"{method} has no initialisation {init!r}; "
                         f"use one of {', '.join(INITS[method])}.")
    if snapshots is not None:
        last = sum(options.get("num_iters", (100, 100, 250)))
        if method != "pacmap":
            raise ValueError(f"snapshots are kept by pacmap only; drop them for {method}.")
        if len(snapshots) == 0 or min(snapshots) < 0 or max(snapshots) > last:
            raise ValueError(f"snapshots must be iterations from 0 to {last}, got "
                             f"{list(snapshots)}.")
    if method == "pca":
        if options or n_neighbors is not None:
            raise ValueError("pca takes no n_neighbors and no further options; drop them.")
        if n < 3:
            raise ValueError(f"a map needs at least 3 environments, got {n}; add frames.")
        return None
    n_neighbors = _N_NEIGHBORS[method] if n_neighbors is None else n_neighbors
    if n_neighbors < 2:
        raise ValueError(f"n_neighbors={n_neighbors} is too few; use at least 2.")
    if n <= n_neighbors:
        raise ValueError(f"n_neighbors={n_neighbors} needs more than {n_neighbors} environments, "
                         f"got {n}; use n_neighbors <= {n - 1} or add frames.")
    return int(n_neighbors)


def _placed(X, method, seed, init, n_neighbors, snapshots, options):
    """The map; one thread, since sums over several (BLAS in the start by PCA) round otherwise."""
    if method != "pca":  # loaded first, so that their libraries are limited too
        import_module("faiss")
        import_module(method)
    with threadpool_limits(1):
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
    threads = numba.get_num_threads()
    try:  # n_jobs=1 is what a seed forces anyway, then without a warning
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")  # no transform here
            return umap.UMAP(n_neighbors=n_neighbors, init=init, random_state=seed, n_jobs=1,
                             **options).fit_transform(X)
    finally:
        numba.set_num_threads(threads)


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
    for rows in np.array_split(np.arange(n), 1 + n // 4096):
        found = index.search(X[rows], min(n, k + 5))[1]
        apart = np.linalg.norm(X[found] - X[rows, None], axis=2)
        apart[(found == rows[:, None]) | (found < 0)] = np.inf
        order = np.argsort(apart, axis=1, kind="stable")[:, :k - 1]
        near[rows] = np.column_stack([rows, np.take_along_axis(found, order, 1)])
        distance[rows, 1:] = np.take_along_axis(apart, order, 1)
    return near, distance


def _pacmap(X, seed, init, n_neighbors, snapshots, options):
    import pacmap

    options = {"MN_ratio": 0.5, "FP_ratio": 2.5, "num_iters": (100, 100, 250), **options}
    wanted = n_neighbors * np.array([1, options["MN_ratio"], options["FP_ratio"]])
    if len(X) <= wanted.sum():
        warnings.warn(f"{len(X)} environments are too few for {wanted.sum():.0f} pairs each, so "
                      "PaCMAP takes fewer of every kind; add frames or lower n_neighbors.",
                      stacklevel=4)
    if snapshots is not None:
        # PaCMAP fails unless its list starts at 0 and ends with the last iteration.
        kept = sorted({0, *map(int, snapshots), sum(options["num_iters"])})
        options |= {"intermediate": True, "intermediate_snapshots": kept}
    with _global_state_kept():
        Y = pacmap.PaCMAP(n_neighbors=n_neighbors, random_state=seed, **options).fit_transform(
            X.astype(np.float32), init=init)
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
    before = (np.random.get_state(), faiss.omp_get_max_threads(),  # noqa: NPY002
              logger.level, pacmap.pacmap._RANDOM_STATE, numba.get_num_threads())
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
