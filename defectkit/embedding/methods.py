"""Two-dimensional maps of atomic environments: PCA, UMAP and PaCMAP with the paper's settings.

One row of the input is one atomic environment, one column one feature. Features of many frames,
``(n_frames, n_atoms, n_features)`` or a list, become such a table by ``np.concatenate``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import libraries
from .scaling import canonical_order, feature_table, standardise

__all__ = ["INITS", "METHODS", "Method", "embed", "method_name"]


@dataclass(frozen=True)
class Method:
    """What is known of a method: its names, its initialisations, its settings.

    title     as it is written
    inits     initialisations; the paper's comes first, then the one it warns of
    settings  {name: value unless told otherwise} of the settings that shape the map
    random    whether the map depends on the seed
    smallest  number of environments that it can map
    """

    title: str
    inits: tuple
    settings: dict
    random: bool
    smallest: int

    @property
    def axes(self) -> tuple:
        """Names of the two coordinates."""
        return f"{self.title} 1", f"{self.title} 2"


#: The one table of methods; all else that knows them reads it here.
METHODS = {
    "pca": Method("PCA", ("pca",), {}, False, 3),
    "umap": Method(
        "UMAP", ("pca", "spectral", "random"), {"n_neighbors": 15, "min_dist": 0.1}, True, 6
    ),
    "pacmap": Method(
        "PaCMAP", ("pca", "random"), {"n_neighbors": 10, "MN_ratio": 0.5, "FP_ratio": 2.5}, True, 8
    ),
}
#: Initialisations that each method knows.
INITS = {name: method.inits for name, method in METHODS.items()}


def method_name(method: str) -> str:
    """Key of a method in METHODS, from its name in capitals or not.

    Raises ValueError for an unknown one.

    Examples
    --------
    >>> method_name("PaCMAP")
    'pacmap'
    """
    name = method.lower() if isinstance(method, str) else method
    if not isinstance(name, str) or name not in METHODS:
        raise ValueError(f"unknown method {method!r}; use one of {', '.join(METHODS)}.")
    return name


_standardise = standardise  # embed has an argument of this name


def embed(
    X: ArrayLike,
    method: str = "pacmap",
    *,
    seed: int = 0,
    init: str = "pca",
    n_neighbors: int | None = None,
    snapshots: Sequence[int] | None = None,
    standardise: bool = True,
    canonical: bool = False,
    **options: Any,
) -> np.ndarray:
    """Coordinates of every environment in a two-dimensional map.

    ========  ==================================================================================
    method    settings, unless told otherwise
    ========  ==================================================================================
    "pca"     the two directions of largest variance; deterministic, `seed` plays no part
    "umap"    library defaults (15 neighbours, min_dist 0.1) but started from PCA
    "pacmap"  10 near, 5 mid-near, 25 further pairs, 100 + 100 + 250 iterations, from PCA
    ========  ==================================================================================

    The same seed gives the same bits on the same machine, whatever the number of threads given to
    numba, OpenMP and BLAS: within this function all have one, and Python threads wait for each
    other. UMAP
    stretches its PCA start to a square; PaCMAP shrinks it to about 0.01 and keeps its proportions.
    Above 100 features PaCMAP first reduces to 100 by PCA. UMAP is given its neighbours by faiss
    (exact up to 30 000 environments, 99.9 % of them beyond), so its maps differ from those of a
    plain call as from another seed's; it searches itself for another `metric`.

    Parameters
    ----------
    X : array (n, n_features)
    method : "pca", "umap" or "pacmap", in capitals or not
    seed : int
    init : str
        "pca"; UMAP also knows "spectral" (its own default) and "random", PaCMAP "random".
        With these the map depends on the seed (the paper's Fig. S1).
    n_neighbors : int, optional
        Neighbours of each point that the map keeps close: 15 with UMAP, 10 with PaCMAP, and of
        few environments at most a third of them.
    snapshots : sequence of int, optional
        PaCMAP only: iterations (0 = the start, 450 = the end) whose maps are wanted (Fig. S6).
    standardise : bool
        Scale every feature first, see :func:`defectkit.embedding.standardise`.
    canonical : bool
        Map the environments in the order of their features
        (:func:`defectkit.embedding.canonical_order`), so that the order of atoms and frames makes
        no difference. The map is another one, as from another seed.
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
    X, method = feature_table(X, "X"), method_name(method)
    n_neighbors = check_settings(len(X), method, init, n_neighbors, snapshots, options)
    if X.shape[1] < 2 and init == "pca":
        raise ValueError(
            "X has one feature, which is no map of two coordinates; give more features, or show "
            "this one as a histogram."
        )
    seed = check_seed(seed)
    order = canonical_order(X) if canonical else np.arange(len(X))
    X = _standardise(X[order]) if standardise else X[order]
    if np.ptp(X, axis=0).max() == 0:
        raise ValueError(
            f"all {len(X)} environments have the same features, so there is nothing "
            "to map; add other structures or a thermal trajectory."
        )
    placed = libraries.place(X, method, seed, init, n_neighbors, snapshots, options)
    Y = np.empty_like(placed)
    Y[..., order, :] = placed
    if not np.isfinite(Y).all():
        raise ValueError(
            f"{method} could not place every environment; look for large groups of "
            "identical environments and thin them out."
        )
    return Y.astype(float)


def check_seed(seed: Any) -> int:
    """A seed as int; raises ValueError for anything that is none."""
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= int(seed) < 2**32:
        raise ValueError(
            f"seed={seed!r} must be a whole number from 0 to 4294967295, so that the "
            "map can be computed again."
        )
    return int(seed)


def check_settings(
    n: int,
    method: str,
    init: str = "pca",
    n_neighbors: int | None = None,
    snapshots: Sequence[int] | None = None,
    options: Any = (),
) -> int | None:
    """Refuse what the libraries would silently change; return the number of neighbours."""
    known = METHODS[method]
    if init not in known.inits:
        raise ValueError(
            f"{method} has no initialisation {init!r}; use one of {', '.join(known.inits)}."
        )
    if snapshots is not None:
        last = sum(dict(options).get("num_iters", (100, 100, 250)))
        if method != "pacmap":
            raise ValueError(f"snapshots are kept by pacmap only; drop them for {method}.")
        if len(snapshots) == 0 or min(snapshots) < 0 or max(snapshots) > last:
            raise ValueError(
                f"snapshots must be iterations from 0 to {last}, got {list(snapshots)}."
            )
    if method == "pca":
        if options or n_neighbors is not None:
            raise ValueError("pca takes no n_neighbors and no further options; drop them.")
    if n < known.smallest:
        raise ValueError(
            f"a map by {method} needs at least {known.smallest} environments, got "
            f"{n}; add frames or atoms."
        )
    if method == "pca":
        return None
    if n_neighbors is None:
        usual = known.settings["n_neighbors"]
        n_neighbors = min(usual, max(2, n // 3))
        if n_neighbors < usual:
            warnings.warn(
                f"{n} environments are few for a map by {method}: it keeps "
                f"{n_neighbors} neighbours of each close instead of {usual}; add "
                "frames or atoms.",
                stacklevel=3,
            )
    if n_neighbors < 2:
        raise ValueError(f"n_neighbors={n_neighbors} is too few; use at least 2.")
    if n <= n_neighbors:
        raise ValueError(
            f"n_neighbors={n_neighbors} needs more than {n_neighbors} environments, "
            f"got {n}; use n_neighbors <= {n - 1} or add frames."
        )
    return int(n_neighbors)
