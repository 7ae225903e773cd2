"""Two-dimensional maps of atomic environments: PCA, UMAP and PaCMAP with the paper's settings.

One row of the input is one atomic environment, one column one feature. Features of many frames,
``(n_frames, n_atoms, n_features)`` or a list, become such a table by ``np.concatenate``.
"""

import contextlib
import logging
import warnings
from importlib import import_module

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

__all__ = ["INITS", "embed", "embed_all", "standardise"]

#: Initialisations that each method knows; the paper's comes first, then the one it warns of.
INITS = {"pca": ("pca",), "umap": ("pca", "spectral", "random"), "pacmap": ("pca", "random")}

_N_NEIGHBORS = {"umap": 15, "pacmap": 10}
_SHARED_FROM = 4096  # environments; below, UMAP compares all pairs by itself
_EXACT_UP_TO = 30_000  # environments; beyond, PaCMAP's own search costs less than all pairs
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
    Above 100 features PaCMAP first reduces to 100 by PCA.

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
    """Coordinates of every environment under several methods, their neighbours sought once.

    The maps of :func:`embed` with its settings, for comparing methods on the same data. From 4096
    environments on UMAP and PaCMAP share one graph of nearest neighbours: all pairs compared up
    to 30 000 environments, beyond that the search by which PaCMAP alone works (it finds 99.9 % of
    the 15 nearest). Their maps then differ from those of ``embed`` as from another seed's: places
    do, clusters do not.

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
    shared = {}
    if {"umap", "pacmap"} <= set(methods) and _SHARED_FROM <= len(X) and X.shape[1] <= 100:
        shared = _shared_neighbours(X)
    return {m: embed(X, m, seed=seed, standardise=False, **shared.get(m, {})) for m in methods}


def _shared_neighbours(X):
    """Options by which UMAP and PaCMAP take their neighbours from one search."""
    import faiss
    import pacmap.pacmap

    X = np.ascontiguousarray(X, np.float32)
    k = _N_NEIGHBORS["pacmap"]
    with _global_state_kept():
        faiss.omp_set_num_threads(1)
        index = (faiss.IndexFlatL2(X.shape[1]) if len(X) <= _EXACT_UP_TO
                 else faiss.IndexHNSWFlat(X.shape[1], 32, faiss.METRIC_L2))
        index.add(X)
        square, near = index.search(X, k + 51)
        # The point itself comes first for UMAP, and is left out for PaCMAP's scaled distances.
        n_umap = _N_NEIGHBORS["umap"]
        distance, near = np.sqrt(np.maximum(square, 0)), near.astype(np.int32)
        others, other_distance = near[:, 1:], distance[:, 1:].copy()
        width = np.maximum(other_distance[:, 3:6].mean(axis=1), 1e-10)
        scaled = pacmap.pacmap.scale_dist(other_distance, width, np.ascontiguousarray(others))
        pairs = pacmap.pacmap.sample_neighbors_pair(X, scaled, np.ascontiguousarray(others), k)
    return {"umap": {"precomputed_knn": (near[:, :n_umap].astype(np.int64),
                                         distance[:, :n_umap].copy())},
            "pacmap": {"pair_neighbors": pairs}}


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
    if method != "pca":
        import_module(method)  # its libraries are to be limited too
    with threadpool_limits(1):
        if method == "pca":
            return PCA(2, svd_solver="full").fit_transform(X)
        if method == "umap":
            return _umap(X, seed, init, n_neighbors, options)
        return _pacmap(X, seed, init, n_neighbors, snapshots, options)


def _umap(X, seed, init, n_neighbors, options):
    import numba
    import umap

    threads = numba.get_num_threads()
    try:  # n_jobs=1 is what a seed forces anyway, then without a warning
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")  # no transform here
            return umap.UMAP(n_neighbors=n_neighbors, init=init, random_state=seed, n_jobs=1,
                             **options).fit_transform(X.astype(np.float32))
    finally:
        numba.set_num_threads(threads)


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
